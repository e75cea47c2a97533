/* client_send.c: what goes to the server, and the public functions that make it. */
#include "client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 16

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static struct store *
store_of(const struct lazychat_room *room)
{
    const struct lazychat *chat = room->server->chat;

    return chat->store_error == LAZYCHAT_OK && room->row != 0 ? chat->store : NULL;
}

/* ---- The outbox ---- */

bool
client_send_acknowledged(struct lazychat_room *room, const char *id)
{
    struct store *store = store_of(room);

    if (!outbox_remove(&room->outbox, id))
        return false;
    room->again_due = room->server->chat->now + CLIENT_AGAIN_MS;
    if (store != NULL)
        room->server->chat->store_error = store_unsent_remove(store, room->row, id);
    return true;
}

void
client_send_again(struct lazychat_room *room)
{
    outbox_again(&room->outbox);
    for (size_t i = 0; i < room->ask_count; i++)
        room->asks[i].sent = false;
}

static int64_t
send_outbox(struct lazychat_room *room)
{
    int64_t now = room->server->chat->now;
    struct outbox_item *item;

    if (room->outbox.sent > 0 && now >= room->again_due)
        outbox_again(&room->outbox);
    while ((item = outbox_next(&room->outbox)) != NULL) {
        if (client_room_send(room, item->bytes, item->length, MESSAGE_STREAM_LIVE) != LAZYCHAT_OK)
            break;
        if (room->outbox.sent == 0)
            room->again_due = now + CLIENT_AGAIN_MS;
        outbox_sent(&room->outbox, item);
    }
    return room->outbox.sent > 0 ? room->again_due : ENDPOINT_NO_DEADLINE;
}

/* ---- Questions ---- */

void
client_send_answered(struct lazychat_room *room, size_t which)
{
    free(room->asks[which].text);
    room->ask_count--;
    memmove(room->asks + which, room->asks + which + 1,
            (room->ask_count - which) * sizeof(room->asks[0]));
}

void
client_send_offline(struct lazychat_room *room)
{
    for (size_t i = 0; i < room->ask_count; i++) {
        const struct message *message = &room->asks[i].message;
        unsigned int limit;
        int64_t before;

        if (message->type != MESSAGE_HISTORY || message->before < 0 || store_of(room) == NULL)
            continue;
        before = message->before;
        limit = message->limit > 0 ? (unsigned int)message->limit : SEQUENCE_SPAN;
        client_send_answered(room, i);
        client_receive_history(room, before, limit);
        room->server->chat->due = true; /* there may be more, or the program asked more */
        return;
    }
}

/* The program's come first; the server answers so many at once, of both kinds. */
static int64_t
send_requests(struct lazychat_room *room)
{
    int64_t now = room->server->chat->now, due;
    size_t asked = 0;
    struct sequence_request request;
    struct message history;

    for (size_t i = 0; i < room->ask_count; i++) {
        struct client_ask *ask = &room->asks[i];

        if (ask->sent && now - ask->at >= SEQUENCE_PATIENCE)
            ask->sent = false;
        if (!ask->sent && room->sequence.request_count + asked < SEQUENCE_REQUESTS &&
            client_room_say(room, &ask->message) == LAZYCHAT_OK) {
            ask->sent = true;
            ask->at = now;
        }
        asked += ask->sent;
    }
    message_init(&history, MESSAGE_HISTORY);
    while (!room->blocked && room->wanted &&
           sequence_want(&room->sequence, now, SEQUENCE_REQUESTS - asked, &request)) {
        history.since = request.since;
        history.until = request.until;
        history.limit = SEQUENCE_SPAN;
        if (client_room_say(room, &history) != LAZYCHAT_OK)
            room->sequence.request_count--;
    }
    due = room->wanted ? sequence_deadline(&room->sequence) : ENDPOINT_NO_DEADLINE;
    for (size_t i = 0; i < room->ask_count; i++)
        if (room->asks[i].sent)
            due = earlier(due, room->asks[i].at + SEQUENCE_PATIENCE);
    return due;
}

/* `last` was not answered: there was nothing. */
static void
anchor_late(struct lazychat_room *room)
{
    struct sequence *sequence = &room->sequence;
    int64_t last = room->server->chat->config.last;

    if (room->wanted && room->known && !sequence->anchored && sequence->request_count == 0)
        sequence_anchor(sequence, sequence->head > last ? sequence->head - last : 0);
}

/* The ports of rooms, by the lobby. */
static int64_t
send_opens(struct lazychat_room *lobby)
{
    int64_t now = lobby->server->chat->now, due = ENDPOINT_NO_DEADLINE;
    struct message open;

    for (struct lazychat_room *room = lobby->server->rooms; room != NULL; room = room->next) {
        if (room->port != 0 || room->port_asked || !(room->wanted || room->leaving))
            continue;
        if (now < room->port_due) {
            due = earlier(due, room->port_due);
            continue;
        }
        message_init(&open, MESSAGE_OPEN);
        open.room = room->name;
        if (client_secret(room->open_id, ID_DIGITS) == LAZYCHAT_OK)
            open.id = room->open_id;
        room->port_asked = client_room_say(lobby, &open) == LAZYCHAT_OK;
    }
    return due;
}

static int64_t
send_read(struct lazychat_room *room)
{
    int64_t now = room->server->chat->now;
    struct message read;

    if (room->read <= room->read_sent)
        return ENDPOINT_NO_DEADLINE;
    if (now < room->read_due && !room->leaving)
        return room->read_due;
    message_init(&read, MESSAGE_READ);
    read.seq = room->read;
    if (client_room_say(room, &read) == LAZYCHAT_OK) {
        room->read_sent = room->read;
        room->read_due = now + CLIENT_READ_MS;
    }
    return ENDPOINT_NO_DEADLINE;
}

static void
send_lists(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    struct message ask;

    if (room->names_due) {
        message_init(&ask, MESSAGE_NAMES);
        ask.after = room->names_after;
        room->names_due = client_room_say(room, &ask) != LAZYCHAT_OK;
    }
    if (server->rooms_due && room == client_server_lobby(server)) {
        message_init(&ask, MESSAGE_ROOMS);
        ask.after = server->rooms_after;
        server->rooms_due = client_room_say(room, &ask) != LAZYCHAT_OK;
    }
}

int64_t
client_send_turn(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    int64_t due;

    if (chat->config.raw || room->blocked)
        return ENDPOINT_NO_DEADLINE;
    if (chat->now < room->quiet)
        return room->quiet;
    due = send_requests(room);
    anchor_late(room);
    send_lists(room);
    if (room == client_server_lobby(room->server))
        due = earlier(due, send_opens(room));
    due = earlier(due, send_read(room));
    if (chat->now < room->unnamed)
        return earlier(due, room->unnamed);
    return earlier(due, send_outbox(room));
}

/* ---- Saying ---- */

/* Checks it as a server would, and by the same code. `why`: 200 bytes, or NULL. */
static int
encode(struct message *message, char bytes[MESSAGE_MAX], char *why)
{
    struct message_fault fault = {0};
    struct message parsed;
    int length = message_encode(message, MESSAGE_OF_CLIENT, bytes, MESSAGE_MAX);
    int error = length;

    if (length > 0) {
        error = message_parse(&parsed, MESSAGE_OF_CLIENT, bytes, (size_t)length, &fault);
        if (error == LAZYCHAT_OK)
            message_free(&parsed);
    }
    if (why != NULL && error < 0)
        snprintf(why, 200, "%s", fault.text[0] != '\0' ? fault.text : lazychat_strerror(error));
    return error == LAZYCHAT_OK ? length : error;
}

/* Into the outbox, with an id if it has none; `id` (or NULL) gets it. */
static int
post(struct lazychat_room *room, struct message *message, char *id, char *why)
{
    struct lazychat *chat = room->server->chat;
    char bytes[MESSAGE_MAX], own[LAZYCHAT_ID_SIZE];
    int length, error;

    if (chat->config.raw || !room->wanted)
        return LAZYCHAT_INVALID;
    if (message->id == NULL) {
        error = client_secret(own, ID_DIGITS);
        if (error != LAZYCHAT_OK)
            return error;
        message->id = own;
    }
    length = encode(message, bytes, why);
    if (length < 0)
        return length;
    error = outbox_add(&room->outbox, message->id, bytes, (size_t)length);
    if (error != LAZYCHAT_OK)
        return error;
    if (id != NULL)
        client_copy(id, LAZYCHAT_ID_SIZE, message->id);
    if (store_of(room) != NULL)
        chat->store_error =
            store_unsent_add(store_of(room), room->row, message->id, bytes, (size_t)length);
    chat->due = true;
    return LAZYCHAT_OK;
}

static int
say(struct lazychat_room *room, const char *text, int64_t reply, bool action, char *id)
{
    struct message message;

    if (strlen(text) > MESSAGE_TEXT_MAX)
        return LAZYCHAT_TOO_LARGE;
    message_init(&message, MESSAGE_SAY);
    message.text = text;
    message.action = action;
    if (reply != 0)
        message.reply = reply;
    return post(room, &message, id, NULL);
}

int
lazychat_say(struct lazychat_room *room, const char *text, char *id)
{
    return say(room, text, 0, false, id);
}

int
lazychat_action(struct lazychat_room *room, const char *text, char *id)
{
    return say(room, text, 0, true, id);
}

int
lazychat_reply(struct lazychat_room *room, int64_t seq, const char *text, char *id)
{
    return seq < 1 ? LAZYCHAT_INVALID : say(room, text, seq, false, id);
}

int
lazychat_edit(struct lazychat_room *room, int64_t seq, const char *text, char *id)
{
    struct message message;

    if (strlen(text) > MESSAGE_TEXT_MAX)
        return LAZYCHAT_TOO_LARGE;
    message_init(&message, MESSAGE_EDIT);
    message.seq = seq;
    message.text = text;
    return post(room, &message, id, NULL);
}

int
lazychat_redact(struct lazychat_room *room, int64_t seq, char *id)
{
    struct message message;

    message_init(&message, MESSAGE_REDACT);
    message.seq = seq;
    return post(room, &message, id, NULL);
}

int
lazychat_react(struct lazychat_room *room, int64_t seq, const char *emoji, bool on, char *id)
{
    struct message message;

    if (strlen(emoji) > MESSAGE_EMOJI_MAX)
        return LAZYCHAT_TOO_LARGE;
    message_init(&message, MESSAGE_REACT);
    message.seq = seq;
    message.emoji = emoji;
    message.on = on;
    return post(room, &message, id, NULL);
}

int
lazychat_set_topic(struct lazychat_room *room, const char *topic, char *id)
{
    struct message message;

    if (strlen(topic) > MESSAGE_TOPIC_MAX)
        return LAZYCHAT_TOO_LARGE;
    message_init(&message, MESSAGE_TOPIC);
    message.text = topic;
    return post(room, &message, id, NULL);
}

/* ---- Asking and telling ---- */

/* Now or not at all. */
static int
tell(struct lazychat_room *room, struct message *message, char *why)
{
    char bytes[MESSAGE_MAX];
    int length = encode(message, bytes, why);

    if (length < 0)
        return length;
    if (!client_room_usable(room) || !room->wanted)
        return LAZYCHAT_GONE;
    return client_room_say(room, message);
}

static int
set_nick(struct lazychat_room *room, struct message *message, char *why)
{
    int error = tell(room, message, why);

    /* So that coming back does not ask for the one before. */
    if (error == LAZYCHAT_OK)
        client_copy(room->server->nick, sizeof(room->server->nick), message->nick);
    return error;
}

int
lazychat_set_nick(struct lazychat_room *room, const char *nick)
{
    struct message message;

    message_init(&message, MESSAGE_NICK);
    message.nick = nick;
    return set_nick(room, &message, NULL);
}

int
lazychat_whisper(struct lazychat_room *room, const char *to, const char *text, char *id)
{
    char own[LAZYCHAT_ID_SIZE];
    struct message message;
    int error = client_secret(own, ID_DIGITS);

    if (error != LAZYCHAT_OK)
        return error;
    if (strlen(text) > MESSAGE_TEXT_MAX)
        return LAZYCHAT_TOO_LARGE;
    message_init(&message, MESSAGE_WHISPER);
    message.id = own;
    message.to = to;
    message.text = text;
    error = tell(room, &message, NULL);
    if (error == LAZYCHAT_OK && id != NULL)
        client_copy(id, LAZYCHAT_ID_SIZE, own);
    return error;
}

int
lazychat_typing(struct lazychat_room *room, bool on)
{
    struct message message;

    message_init(&message, MESSAGE_TYPING);
    message.on = on;
    return tell(room, &message, NULL);
}

int
lazychat_read(struct lazychat_room *room, int64_t seq)
{
    if (seq < 1 || seq > MESSAGE_NUMBER_MAX)
        return LAZYCHAT_INVALID;
    if (seq > room->read)
        room->read = seq;
    room->server->chat->due = true;
    return LAZYCHAT_OK;
}

/* Kept until it is answered; the text is copied. */
static int
ask(struct lazychat_room *room, struct message *message, char *why)
{
    struct client_ask *new = &room->asks[room->ask_count];
    char bytes[MESSAGE_MAX];
    int length = encode(message, bytes, why);

    if (length < 0)
        return length;
    if (!room->wanted ||
        (!client_room_usable(room) && (store_of(room) == NULL || message->type != MESSAGE_HISTORY)))
        return LAZYCHAT_GONE;
    if (room->ask_count == CLIENT_ASKS)
        return LAZYCHAT_WOULD_BLOCK;
    memset(new, 0, sizeof(*new));
    new->message = *message;
    new->message.id = NULL;
    new->message.json = NULL; /* its lists are not there, and its text is copied */
    if (message->text != NULL) {
        new->text = strdup(message->text);
        if (new->text == NULL)
            return LAZYCHAT_NO_MEMORY;
        new->message.text = new->text;
    }
    room->ask_count++;
    room->server->chat->due = true;
    return LAZYCHAT_OK;
}

int
lazychat_history(struct lazychat_room *room, int64_t before, unsigned int limit)
{
    struct message message;

    message_init(&message, MESSAGE_HISTORY);
    if (before > 0)
        message.before = before;
    message.limit = limit > 0 ? (int64_t)limit : MESSAGE_ABSENT;
    if (before <= 0)
        message.before = room->sequence.head + 1;
    return ask(room, &message, NULL);
}

int
lazychat_search(struct lazychat_room *room, const char *text, int64_t before, unsigned int limit)
{
    struct message message;

    message_init(&message, MESSAGE_SEARCH);
    message.text = text;
    message.before = before > 0 ? before : MESSAGE_ABSENT;
    message.limit = limit > 0 ? (int64_t)limit : MESSAGE_ABSENT;
    return ask(room, &message, NULL);
}

int
lazychat_names(struct lazychat_room *room)
{
    if (!client_room_usable(room) || room->server->chat->config.raw)
        return LAZYCHAT_GONE;
    if (!room->naming) {
        room->naming = room->names_due = true;
        room->names_after = MESSAGE_ABSENT;
    }
    room->server->chat->due = true;
    return LAZYCHAT_OK;
}

int
lazychat_rooms(struct lazychat_room *room)
{
    struct client_server *server = room->server;
    const struct lazychat_room *lobby = client_server_lobby(server);

    if (lobby == NULL || !client_room_usable(lobby))
        return LAZYCHAT_GONE;
    server->asker = room;
    server->rooms_due = true;
    server->rooms_after = MESSAGE_ABSENT;
    json_decref(server->rooms_pages);
    server->rooms_pages = NULL;
    server->chat->due = true;
    return LAZYCHAT_OK;
}

/* ---- JSON ---- */

/* What belongs to the lobby goes over the lobby. */
static int
tell_lobby(struct lazychat_room *room, struct message *message, char *why)
{
    struct lazychat_room *lobby = client_server_lobby(room->server);
    char bytes[MESSAGE_MAX];
    int length = encode(message, bytes, why);

    if (length < 0)
        return length;
    return client_room_usable(lobby) ? client_room_say(lobby, message) : LAZYCHAT_GONE;
}

static int
send_parsed(struct lazychat_room *room, struct message *message, char *why)
{
    switch (message->type) {
    case MESSAGE_SAY:
    case MESSAGE_EDIT:
    case MESSAGE_REDACT:
    case MESSAGE_REACT:
    case MESSAGE_TOPIC:
        return post(room, message, NULL, why);
    case MESSAGE_HISTORY:
    case MESSAGE_SEARCH:
        return ask(room, message, why);
    case MESSAGE_READ:
        return message->room == NULL ? lazychat_read(room, message->seq)
                                     : tell_lobby(room, message, why);
    case MESSAGE_NICK:
        return set_nick(room, message, why);
    case MESSAGE_ROOMS:
    case MESSAGE_OPEN:
        return tell_lobby(room, message, why);
    case MESSAGE_JOIN:
        if (why != NULL)
            snprintf(why, 200, "the client joins by itself");
        return LAZYCHAT_INVALID;
    default:
        return tell(room, message, why);
    }
}

int
lazychat_send_json(struct lazychat_room *room, const char *json, size_t length, char *why)
{
    struct message_fault fault = {0};
    struct message message;
    int error;

    if (why != NULL)
        why[0] = '\0';
    if (room->server->chat->config.raw)
        return client_room_send(room, json, length, MESSAGE_STREAM_LIVE);
    error = message_parse(&message, MESSAGE_OF_CLIENT, json, length, &fault);
    if (error == LAZYCHAT_UNSUPPORTED) {
        if (why != NULL)
            snprintf(why, 200, "there is no message of this type");
        return LAZYCHAT_INVALID;
    }
    if (error != LAZYCHAT_OK) {
        if (why != NULL)
            snprintf(why, 200, "%s", fault.text);
        return error;
    }
    error = send_parsed(room, &message, why);
    message_free(&message);
    return error;
}
