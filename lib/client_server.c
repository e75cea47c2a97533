/* client_server.c: a server as its client knows it; joining and leaving its rooms. */
#include "client.h"

#include <jansson.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* ---- Addresses ---- */

static size_t
look_up(const char *name, struct address addresses[CLIENT_ADDRESSES])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list, *each;
    size_t count = 0;

    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return 0;
    for (each = list; each != NULL && count < CLIENT_ADDRESSES; each = each->ai_next)
        if (address_from_sockaddr(&addresses[count], each->ai_addr) == LAZYCHAT_OK)
            count++;
    freeaddrinfo(list);
    return count;
}

/* NAME or NAME:PORT, ADDRESS or ADDRESS:PORT. */
static size_t
parse_host(struct client_server *server, struct address addresses[CLIENT_ADDRESSES])
{
    const char *colon = strchr(server->host, ':');
    char name[256];
    size_t length = colon != NULL ? (size_t)(colon - server->host) : strlen(server->host);

    if (address_parse(&addresses[0], server->host, server->udp_port) == LAZYCHAT_OK) {
        server->udp_port = address_port(&addresses[0]);
        return 1;
    }
    if (length == 0 || length >= sizeof(name))
        return 0;
    memcpy(name, server->host, length);
    name[length] = '\0';
    if (colon != NULL) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);

        if (*end != '\0' || port < 1 || port > UINT16_MAX)
            return 0;
        server->udp_port = (uint16_t)port;
    }
    return look_up(name, addresses);
}

bool
client_server_resolve(struct client_server *server)
{
    struct address addresses[CLIENT_ADDRESSES];
    size_t count;
    int64_t now = server->chat->now;

    if (server->address_count > 0 &&
        (!server->stale || now - server->resolved_at < CLIENT_RESOLVE_MS))
        return true;
    count = parse_host(server, addresses);
    server->resolved_at = now;
    server->stale = count == 0;
    if (count > 0) {
        memcpy(server->addresses, addresses, count * sizeof(addresses[0]));
        server->address_count = count;
    }
    return server->address_count > 0;
}

/* ---- A server ---- */

static bool
has_store(const struct lazychat *chat)
{
    return chat->store != NULL && chat->store_error == LAZYCHAT_OK;
}

/* The account: as configured, as kept, or a new one. *found: the server is known from before. */
static int
take_secret(struct client_server *server, bool *found)
{
    struct lazychat *chat = server->chat;
    char *secret = server->secret;
    int error = LAZYCHAT_OK;

    *found = false;
    if (has_store(chat))
        chat->store_error =
            store_secret(chat->store, server->host, secret, &server->account, found);
    if (chat->config.secret != NULL) {
        if (*found && strcmp(secret, chat->config.secret) == 0)
            return LAZYCHAT_OK;
        server->account = 0;
        client_copy(secret, MESSAGE_SECRET_SIZE + 1, chat->config.secret);
    } else if (!*found) {
        error = client_secret(secret, MESSAGE_SECRET_SIZE);
    }
    if (!*found && error == LAZYCHAT_OK && has_store(chat))
        chat->store_error = store_set_secret(chat->store, server->host, secret, 0);
    return error;
}

static int
server_add(struct client_server **result, struct lazychat *chat, const char *host, size_t length)
{
    struct client_server *server = calloc(1, sizeof(*server));
    struct client_server **last = &chat->servers;
    struct lazychat_room *lobby;
    bool found;
    int error;

    if (server == NULL || (server->host = strndup(host, length)) == NULL) {
        free(server);
        return LAZYCHAT_NO_MEMORY;
    }
    server->chat = chat;
    server->udp_port = chat->config.udp_port != 0 ? chat->config.udp_port : CLIENT_UDP_PORT;
    if (chat->config.nick != NULL)
        client_copy(server->nick, sizeof(server->nick), chat->config.nick);
    error = take_secret(server, &found);
    if (!client_server_resolve(server) && !found && error == LAZYCHAT_OK)
        error = LAZYCHAT_NO_ADDRESS; /* one that is known may be read and written to all the same */
    if (error == LAZYCHAT_OK && !chat->config.raw)
        error = client_server_room(&lobby, server, CLIENT_LOBBY, MESSAGE_PORT_LOBBY);
    if (error != LAZYCHAT_OK) {
        client_server_free(server);
        return error;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = server;
    *result = server;
    return LAZYCHAT_OK;
}

int
client_server_find(struct client_server **server, struct lazychat *chat, const char *host,
                   size_t length)
{
    for (*server = chat->servers; *server != NULL; *server = (*server)->next)
        if (strlen((*server)->host) == length && strncasecmp((*server)->host, host, length) == 0)
            return LAZYCHAT_OK;
    return server_add(server, chat, host, length);
}

void
client_server_free(struct client_server *server)
{
    while (server->rooms != NULL) {
        struct lazychat_room *room = server->rooms;

        server->rooms = room->next;
        client_room_free(room);
    }
    json_decref(server->rooms_pages);
    free(server->host);
    free(server);
}

struct lazychat_room *
client_server_lobby(const struct client_server *server)
{
    return server->chat->config.raw ? NULL : server->rooms;
}

bool
client_server_needed(const struct client_server *server)
{
    for (const struct lazychat_room *room = server->rooms; room != NULL; room = room->next)
        if (room != client_server_lobby(server) && (room->wanted || room->leaving))
            return true;
    return false;
}

struct lazychat_room *
client_server_voice(const struct client_server *server)
{
    for (struct lazychat_room *room = server->rooms; room != NULL; room = room->next)
        if (room->wanted)
            return room;
    return NULL;
}

/* ---- Rooms ---- */

static struct lazychat_room *
room_find(const struct client_server *server, const char *name)
{
    struct lazychat_room *room = server->rooms;

    while (room != NULL && strcmp(room->name, name) != 0)
        room = room->next;
    return room;
}

static bool
load_unsent(void *user, const char *id, const char *bytes, size_t length)
{
    struct lazychat_room *room = user;

    return outbox_add(&room->outbox, id, bytes, length) == LAZYCHAT_OK;
}

/* What the store knows of a new room. */
static int
load(struct lazychat_room *room)
{
    struct lazychat *chat = room->server->chat;
    struct store_room stored;
    int error;

    if (!has_store(chat))
        return LAZYCHAT_OK;
    error = store_room(chat->store, room->server->host, room->name, &stored);
    if (error != LAZYCHAT_OK)
        return error;
    room->row = stored.row;
    room->known = stored.known;
    room->port = room->port != 0 ? room->port : stored.port;
    memcpy(room->log, stored.log, sizeof(room->log));
    memcpy(room->stored_log, stored.log, sizeof(room->log));
    room->stored_seen = stored.seen;
    if (stored.known)
        sequence_anchor(&room->sequence, stored.seen);
    room->offline = stored.known;
    return store_unsent_each(chat->store, room->row, load_unsent, room);
}

int
client_server_room(struct lazychat_room **result, struct client_server *server, const char *name,
                   uint16_t port)
{
    struct lazychat_room **last = &server->rooms;
    struct lazychat_room *room = calloc(1, sizeof(*room));
    int error;

    if (room == NULL)
        return LAZYCHAT_NO_MEMORY;
    room->server = server;
    room->port = port;
    room->read_sent = room->read = 0;
    client_copy(room->name, sizeof(room->name), name);
    sequence_init(&room->sequence);
    error = load(room);
    if (error != LAZYCHAT_OK)
        server->chat->store_error = error;
    while (*last != NULL)
        last = &(*last)->next;
    *last = room;
    *result = room;
    return LAZYCHAT_OK;
}

/* In raw mode a room is a number: the SCTP port. */
static int
room_port(const struct lazychat *chat, const char *name, uint16_t *port)
{
    char *end;
    unsigned long number;

    *port = 0;
    if (!chat->config.raw)
        return LAZYCHAT_OK;
    number = strtoul(name, &end, 10);
    if (strcmp(name, CLIENT_LOBBY) == 0)
        number = MESSAGE_PORT_LOBBY;
    else if (*end != '\0' || number < 1 || number > UINT16_MAX)
        return LAZYCHAT_INVALID;
    *port = (uint16_t)number;
    return LAZYCHAT_OK;
}

int
lazychat_join(struct lazychat *chat, const char *where, struct lazychat_room **result)
{
    const char *slash = strchr(where, '/');
    size_t length = slash != NULL ? (size_t)(slash - where) : strlen(where);
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : CLIENT_LOBBY;
    struct client_server *server;
    struct lazychat_room *room;
    uint16_t port;
    int error;

    if (length == 0 || !message_room_valid(name))
        return LAZYCHAT_INVALID;
    error = room_port(chat, name, &port);
    if (error == LAZYCHAT_OK)
        error = client_server_find(&server, chat, where, length);
    if (error != LAZYCHAT_OK)
        return error;
    room = room_find(server, name);
    if (room == NULL) {
        error = client_server_room(&room, server, name, port);
        if (error != LAZYCHAT_OK)
            return error;
    }
    /* A lobby that was there for others only is joined again, to be heard from here on. */
    if (!room->wanted && room->state == ROOM_JOINED) {
        room->state = ROOM_JOINING;
        room->join_sent = false;
        sequence_reconnect(&room->sequence);
        room->due = chat->now + CLIENT_JOIN_MS;
    }
    room->wanted = true;
    room->leaving = false;
    chat->due = true;
    *result = room;
    return LAZYCHAT_OK;
}

void
lazychat_leave(struct lazychat_room *room)
{
    if (room == NULL || !room->wanted)
        return;
    room->wanted = false;
    room->user = NULL;
    room->leaving = true;
    room->leave_due = room->server->chat->now + CLIENT_LEAVE_MS;
    room->server->chat->due = true;
}

const char *
lazychat_room_name(const struct lazychat_room *room)
{
    return room->name;
}

const char *
lazychat_room_host(const struct lazychat_room *room)
{
    return room->server->host;
}

bool
lazychat_room_joined(const struct lazychat_room *room)
{
    return room->state == ROOM_JOINED;
}

int64_t
lazychat_room_account(const struct lazychat_room *room)
{
    return room->server->account;
}

const char *
lazychat_room_nick(const struct lazychat_room *room)
{
    return room->nick;
}

void
lazychat_room_set_user(struct lazychat_room *room, void *user)
{
    room->user = user;
}

void *
lazychat_room_user(const struct lazychat_room *room)
{
    return room->user;
}
