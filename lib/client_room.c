/* client_room.c: a room's association: it comes up, joins, is lost and comes back. */
#include "client.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ENDING_MS 1000 /* for SHUTDOWN */

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool
is_lobby(const struct lazychat_room *room)
{
    return room == client_server_lobby(room->server);
}

static bool
is_needed(const struct lazychat_room *room)
{
    return room->wanted || room->leaving || (is_lobby(room) && client_server_needed(room->server));
}

bool
client_room_usable(const struct lazychat_room *room)
{
    return room->state == ROOM_JOINED;
}

int
client_room_send(struct lazychat_room *room, const void *bytes, size_t length, uint16_t stream)
{
    struct endpoint_message message = {.data = bytes,
                                       .length = length,
                                       .ppid = MESSAGE_PPID,
                                       .stream = stream,
                                       .unordered = stream == MESSAGE_STREAM_EPHEMERAL,
                                       .ephemeral = stream == MESSAGE_STREAM_EPHEMERAL};
    int error;

    if (room->connection == NULL || connection_state(room->connection) != CONNECTION_OPEN)
        return LAZYCHAT_GONE;
    if (room->blocked)
        return LAZYCHAT_WOULD_BLOCK;
    room->server->chat->due = true;
    error = connection_send(room->connection, &message);
    room->blocked = error == LAZYCHAT_WOULD_BLOCK;
    return error;
}

static uint16_t
stream_of(enum message_type type)
{
    switch (type) {
    case MESSAGE_HISTORY:
    case MESSAGE_SEARCH:
    case MESSAGE_NAMES:
    case MESSAGE_ROOMS:
        return MESSAGE_STREAM_BULK;
    case MESSAGE_TYPING:
        return MESSAGE_STREAM_EPHEMERAL;
    default:
        return MESSAGE_STREAM_LIVE;
    }
}

int
client_room_say(struct lazychat_room *room, const struct message *message)
{
    char bytes[MESSAGE_MAX];
    int length = message_encode(message, MESSAGE_OF_CLIENT, bytes, sizeof(bytes));

    if (length < 0)
        return length;
    return client_room_send(room, bytes, (size_t)length, stream_of(message->type));
}

/* ---- Lost, and the pause after it ---- */

/* ms until the next try: at once or nearly so, then 1 s, 2 s, 4 s… to 30 s, each +-50 %. */
static int64_t
next_pause(struct lazychat *chat, unsigned int failures)
{
    int64_t pause = CLIENT_PAUSE_MAX;

    if (failures == 0)
        return client_random(chat, CLIENT_FIRST_MS + 1);
    if (failures < 6)
        pause = earlier(pause, (int64_t)CLIENT_PAUSE_MS << (failures - 1));
    return pause / 2 + client_random(chat, pause + 1);
}

/* What belongs to the association goes with it. */
static void
drop(struct lazychat_room *room)
{
    connection_close(room->connection);
    connection_close(room->spare);
    room->connection = room->spare = NULL;
    room->blocked = room->join_sent = false;
    room->naming = room->names_due = false;
    json_decref(room->names);
    room->names = NULL;
    if (!is_lobby(room))
        return;
    for (struct lazychat_room *each = room->server->rooms; each != NULL; each = each->next)
        each->port_asked = false;
}

static void
tell_lost(struct lazychat_room *room, const char *why, int64_t retry)
{
    struct lazychat_event event;

    client_tell_init(&event, LAZYCHAT_LOST);
    event.text = why;
    event.retry = retry;
    client_tell(room, &event);
}

void
client_room_lost(struct lazychat_room *room, const char *why)
{
    struct lazychat *chat = room->server->chat;
    bool was_in = room->state == ROOM_JOINED;
    int64_t pause;
    char text[600];

    client_copy(text, sizeof(text), why); /* it may be the connection's own */
    drop(room);
    client_send_again(room);
    sequence_reconnect(&room->sequence);
    if (was_in && chat->now - room->joined_at >= CLIENT_HELD_MS)
        room->failures = 0;
    pause = next_pause(chat, room->failures++);
    room->state = ROOM_PAUSING;
    room->due = chat->now + pause;
    if (chat->config.raw && was_in) {
        room->over = true;
        room->state = ROOM_AWAY;
        pause = -1;
    }
    tell_lost(room, text, pause);
}

/* ---- Trying ---- */

static int
open_connection(struct lazychat_room *room, struct connection **connection, bool by_way)
{
    struct client_server *server = room->server;
    struct lazychat *chat = server->chat;
    struct connection_config config = {.network = chat->network,
                                       .addresses = server->addresses,
                                       .count = server->address_count,
                                       .transports = chat->config.transports,
                                       .port = room->port,
                                       .udp_port = server->udp_port,
                                       .profile = chat->profile};

    if (config.transports == 0)
        config.transports = CONNECTION_SCTP | CONNECTION_UDP;
    if (by_way) {
        config.addresses = &server->way;
        config.count = 1;
        config.transports = server->way_transport;
    }
    return connection_open(connection, &config, chat->now);
}

static void
try(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    struct lazychat_event event;
    int error;

    room->state = ROOM_TRYING;
    client_tell_init(&event, LAZYCHAT_CONNECTING);
    event.text = server->host;
    client_tell(room, &event);
    if (!client_server_resolve(server)) {
        client_room_lost(room, "there is no address for this name, or no name server");
        return;
    }
    room->by_way = server->way_known;
    error = open_connection(room, &room->connection, room->by_way);
    if (error != LAZYCHAT_OK)
        client_room_lost(room, lazychat_strerror(error));
}

static void
opened(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    struct lazychat_event event;

    server->way_transport = connection_way(room->connection, &server->way);
    server->way_known = true;
    room->state = ROOM_JOINING;
    room->join_sent = room->blocked = false;
    room->faults = 0;
    room->due = server->chat->now + CLIENT_JOIN_MS;
    client_send_again(room);
    sequence_reconnect(&room->sequence);
    if (!server->chat->config.raw)
        return;
    room->state = ROOM_JOINED;
    room->joined_at = server->chat->now;
    client_tell_init(&event, LAZYCHAT_JOINED);
    event.text = connection_text(room->connection);
    client_tell(room, &event);
}

/* It did not come up. The way that was known may be another one by now, and so may the port. */
static void
not_opened(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    const struct lazychat_room *lobby = client_server_lobby(server);

    server->stale = true;
    server->way_known = false;
    if (lobby != NULL && room != lobby && lobby->state == ROOM_JOINED) {
        room->port = 0;
        room->port_asked = false;
    }
    client_room_lost(room, connection_text(room->connection));
}

static int64_t
trying_turn(struct lazychat_room *room)
{
    int64_t due = connection_turn(room->connection, room->server->chat->now);

    if (connection_state(room->connection) == CONNECTION_OPEN) {
        opened(room);
        return room->server->chat->now;
    }
    if (connection_state(room->connection) == CONNECTION_FAILED) {
        not_opened(room);
        return room->due;
    }
    return due;
}

/* ---- In ---- */

static void
send_join(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    unsigned int last = server->chat->config.last;
    struct message join;

    message_init(&join, MESSAGE_JOIN);
    join.secret = server->secret;
    if (room->wanted) {
        join.nick = server->nick[0] != '\0' ? server->nick : NULL;
        if (room->known && room->sequence.anchored)
            join.since = room->sequence.seen;
        else if (last > 0)
            join.last = last;
    }
    room->join_sent = client_room_say(room, &join) == LAZYCHAT_OK;
}

static void
path_changed(struct lazychat_room *room, bool reachable)
{
    struct lazychat *chat = room->server->chat;
    struct lazychat_event event;

    room->spare_failures = 0;
    room->spare_due = chat->now + next_pause(chat, 0);
    client_tell_init(&event, LAZYCHAT_PATH);
    event.on = reachable;
    client_tell(room, &event);
}

static void
take(struct lazychat_room *room, const struct endpoint_event *event)
{
    struct lazychat *chat = room->server->chat;

    switch (event->type) {
    case ENDPOINT_MESSAGE:
        memcpy(chat->input, event->data, event->length);
        chat->input[event->length] = '\0';
        client_receive(room, chat->input, event->length);
        break;
    case ENDPOINT_RESTARTED: /* it knows nothing of us any more */
        opened(room);
        break;
    case ENDPOINT_PATH:
        path_changed(room, connection_reachable(room->connection));
        break;
    case ENDPOINT_DRAINED:
        room->blocked = false;
        break;
    default:
        break;
    }
}

/* Returns whether there may be more. */
static bool
receive(struct lazychat_room *room)
{
    struct endpoint_event event;
    int result = 1;

    for (int i = 0; i < CLIENT_RECV; i++) {
        result = connection_recv(room->connection, &event);
        if (result != 1)
            break;
        take(room, &event);
        if (room->connection == NULL)
            return false;
    }
    if (result < 0)
        client_room_lost(room, lazychat_strerror(result));
    else if (connection_state(room->connection) == CONNECTION_CLOSED)
        client_room_lost(room, endpoint_reason_text(connection_reason(room->connection)));
    return result == 1;
}

/* A server that was started anew answers a new association sooner than the old one finds out. */
static int64_t
spare_turn(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    int64_t due;

    if (room->connection == NULL || connection_reachable(room->connection)) {
        connection_close(room->spare);
        room->spare = NULL;
        return ENDPOINT_NO_DEADLINE;
    }
    if (room->spare == NULL) {
        if (chat->now < room->spare_due)
            return room->spare_due;
        if (open_connection(room, &room->spare, true) != LAZYCHAT_OK) {
            room->spare = NULL;
            return ENDPOINT_NO_DEADLINE;
        }
    }
    due = connection_turn(room->spare, chat->now);
    if (connection_state(room->spare) == CONNECTION_OPEN) {
        struct connection *spare = room->spare;

        room->spare = NULL;
        drop(room);
        room->connection = spare;
        opened(room);
        return chat->now;
    }
    if (connection_state(room->spare) != CONNECTION_FAILED)
        return due;
    connection_close(room->spare);
    room->spare = NULL;
    room->spare_due = chat->now + next_pause(chat, ++room->spare_failures);
    return room->spare_due;
}

static int64_t
in_turn(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    int64_t due = connection_turn(room->connection, chat->now);

    if (receive(room))
        due = chat->now;
    client_receive_seen(room);
    due = earlier(due, spare_turn(room));
    if (room->state == ROOM_JOINING && !room->join_sent)
        send_join(room);
    if (room->state == ROOM_JOINING && chat->now >= room->due)
        client_room_lost(room, "the server did not answer");
    if (room->state == ROOM_JOINED)
        return earlier(due, client_send_turn(room));
    return earlier(due, room->due);
}

/* ---- Leaving ---- */

static void
end(struct lazychat_room *room)
{
    bool open = room->connection != NULL && connection_state(room->connection) == CONNECTION_OPEN;

    room->state = ROOM_AWAY;
    if (open) {
        connection_shutdown(room->connection);
        room->state = ROOM_ENDING;
        room->due = room->server->chat->now + ENDING_MS;
    } else {
        drop(room);
    }
}

static int64_t
ending_turn(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    int64_t due = connection_turn(room->connection, chat->now);
    struct endpoint_event event;

    while (connection_recv(room->connection, &event) == 1)
        ;
    if (connection_state(room->connection) == CONNECTION_OPEN && chat->now < room->due)
        return earlier(due, room->due);
    drop(room);
    room->state = ROOM_AWAY;
    return chat->now; /* perhaps it is wanted again */
}

/* All is said, or it takes too long. */
static bool
has_left(const struct lazychat_room *room)
{
    if (room->server->chat->now >= room->leave_due)
        return true;
    return room->outbox.count == 0 && (room->read <= room->read_sent || room->state != ROOM_JOINED);
}

/* ---- A turn ---- */

int64_t
client_room_turn(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    int64_t due = ENDPOINT_NO_DEADLINE;

    if (room->wanted && room->offline)
        client_receive_stored(room);
    if (room->state != ROOM_JOINED && room->ask_count > 0)
        client_send_offline(room);
    if (room->leaving && has_left(room))
        room->leaving = false;
    if (!is_needed(room) && room->state != ROOM_AWAY && room->state != ROOM_ENDING)
        end(room);
    if (room->leaving)
        due = room->leave_due;
    if (room->state == ROOM_AWAY && is_needed(room) && room->port != 0 && !room->over) {
        room->state = ROOM_PAUSING;
        room->due = chat->now > room->due ? chat->now : room->due;
    }
    if (room->state == ROOM_PAUSING && chat->now >= room->due) {
        if (room->port != 0)
            try(room);
        else
            room->state = ROOM_AWAY;
    }
    switch (room->state) {
    case ROOM_AWAY:
        return due;
    case ROOM_PAUSING:
        return earlier(due, room->due);
    case ROOM_TRYING:
        return earlier(due, trying_turn(room));
    case ROOM_JOINING:
    case ROOM_JOINED:
        return earlier(due, in_turn(room));
    case ROOM_ENDING:
        return earlier(due, ending_turn(room));
    }
    return due;
}

void
client_room_free(struct lazychat_room *room)
{
    room->state = ROOM_AWAY;
    connection_close(room->connection);
    connection_close(room->spare);
    json_decref(room->names);
    sequence_free(&room->sequence);
    outbox_free(&room->outbox);
    for (size_t i = 0; i < room->ask_count; i++)
        free(room->asks[i].text);
    free(room);
}
