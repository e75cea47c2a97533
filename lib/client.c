/* client.c: the client: opens, takes its turns, closes. */
#include "client.h"

#include "clock.h"
#include "error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool is_open; /* usrsctp's state is global: one in a process */

int
client_secret(char *text, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[MESSAGE_SECRET_SIZE / 2];
    size_t size = digits / 2;

    if (getrandom(bytes, size, 0) != (ssize_t)size)
        return error_from_errno(errno);
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    text[digits] = '\0';
    return LAZYCHAT_OK;
}

/* xorshift64* */
int64_t
client_random(struct lazychat *chat, int64_t below)
{
    chat->random ^= chat->random >> 12;
    chat->random ^= chat->random << 25;
    chat->random ^= chat->random >> 27;
    return (int64_t)(((chat->random * UINT64_C(2685821657736338717)) >> 11) % (uint64_t)below);
}

void
client_copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    to[length] = '\0';
}

/* ---- Open and close ---- */

/* `*kept` gets a copy of a text that may be NULL. */
static int
copy(const char **kept, const char *text)
{
    *kept = text != NULL ? strdup(text) : NULL;
    return text != NULL && *kept == NULL ? LAZYCHAT_NO_MEMORY : LAZYCHAT_OK;
}

static int
check(const struct lazychat_config *config)
{
    struct message join;
    char bytes[MESSAGE_MAX];
    struct message_fault fault;
    int length;

    if (config->last > MESSAGE_LIMIT_MAX)
        return LAZYCHAT_INVALID;
    message_init(&join, MESSAGE_JOIN);
    join.nick = config->nick;
    join.secret = config->secret;
    length = message_encode(&join, MESSAGE_OF_CLIENT, bytes, sizeof(bytes));
    if (length > 0 &&
        message_parse(&join, MESSAGE_OF_CLIENT, bytes, (size_t)length, &fault) != LAZYCHAT_OK)
        return LAZYCHAT_INVALID;
    message_free(&join);
    return length > 0 ? LAZYCHAT_OK : length;
}

static int
prepare(struct lazychat *chat)
{
    struct lazychat_config *config = &chat->config, given = chat->config;

    config->nick = config->store = config->secret = NULL; /* what close frees is ours */
    if (copy(&config->nick, given.nick) != LAZYCHAT_OK ||
        copy(&config->store, given.store) != LAZYCHAT_OK ||
        copy(&config->secret, given.secret) != LAZYCHAT_OK)
        return LAZYCHAT_NO_MEMORY;
    chat->profile = endpoint_profile_find(config->profile != NULL ? config->profile : "default");
    config->profile = NULL;
    if (chat->profile == NULL)
        return LAZYCHAT_INVALID;
    if (getrandom(&chat->random, sizeof(chat->random), 0) != sizeof(chat->random))
        return error_from_errno(errno);
    chat->random |= 1;
    if (config->store != NULL && !config->raw) {
        chat->store_error = store_open(&chat->store, config->store);
        if (chat->store_error == LAZYCHAT_IN_USE || chat->store_error == LAZYCHAT_NO_MEMORY)
            return chat->store_error;
    }
    return network_create(&chat->network);
}

int
lazychat_open(struct lazychat **result, const struct lazychat_config *config)
{
    struct lazychat *chat;
    int error = check(config);

    if (error != LAZYCHAT_OK)
        return error;
    if (is_open)
        return LAZYCHAT_IN_USE;
    chat = calloc(1, sizeof(*chat));
    if (chat == NULL)
        return LAZYCHAT_NO_MEMORY;
    is_open = true;
    chat->config = *config;
    error = prepare(chat);
    if (error != LAZYCHAT_OK) {
        lazychat_close(chat);
        return error;
    }
    *result = chat;
    return LAZYCHAT_OK;
}

void
lazychat_close(struct lazychat *chat)
{
    if (chat == NULL)
        return;
    while (chat->servers != NULL) {
        struct client_server *server = chat->servers;

        chat->servers = server->next;
        client_server_free(server);
    }
    network_destroy(chat->network);
    store_close(chat->store);
    free((char *)chat->config.nick);
    free((char *)chat->config.store);
    free((char *)chat->config.secret);
    free(chat);
    is_open = false;
}

/* ---- Turns ---- */

int
lazychat_fd(const struct lazychat *chat)
{
    return network_fd(chat->network);
}

int
lazychat_timeout(const struct lazychat *chat)
{
    int64_t left;

    if (chat->due)
        return 0;
    if (chat->deadline == ENDPOINT_NO_DEADLINE)
        return -1;
    left = chat->deadline - clock_ms();
    if (left < 0)
        return 0;
    return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* Rooms that nobody has any use for go at the end of the turn, when nothing points to them. */
static void
sweep(struct client_server *server)
{
    struct lazychat_room **at = &server->rooms;

    while (*at != NULL) {
        struct lazychat_room *room = *at;

        if (room->wanted || room->leaving || room->state != ROOM_AWAY ||
            room == client_server_lobby(server)) {
            at = &room->next;
            continue;
        }
        *at = room->next;
        client_room_free(room);
    }
}

/* The store broke: it is told once, and what it has is left alone. */
static void
store_broke(struct lazychat *chat)
{
    struct lazychat_event event;
    char text[256];

    for (struct client_server *server = chat->servers; server != NULL; server = server->next) {
        struct lazychat_room *voice = client_server_voice(server);

        if (voice == NULL)
            continue;
        client_copy(text, sizeof(text),
                    chat->store != NULL ? store_text(chat->store)
                                        : lazychat_strerror(chat->store_error));
        client_tell_init(&event, LAZYCHAT_REFUSED);
        event.code = "store";
        event.text = text;
        chat->store_error = LAZYCHAT_OK;
        store_close(chat->store);
        chat->store = NULL;
        client_tell(voice, &event);
        return;
    }
}

int
client_turn(struct lazychat *chat, int64_t now)
{
    int64_t due;

    chat->now = now;
    chat->due = false;
    chat->deadline = network_receive(chat->network, now);
    for (struct client_server *server = chat->servers; server != NULL; server = server->next) {
        for (struct lazychat_room *room = server->rooms; room != NULL; room = room->next) {
            due = client_room_turn(room);
            chat->deadline = due < chat->deadline ? due : chat->deadline;
        }
        sweep(server);
    }
    if (chat->store != NULL && chat->store_error == LAZYCHAT_OK)
        chat->store_error = store_commit(chat->store);
    if (chat->store_error != LAZYCHAT_OK)
        store_broke(chat);
    network_flush(chat->network);
    return LAZYCHAT_OK;
}

int
lazychat_turn(struct lazychat *chat)
{
    return client_turn(chat, clock_ms());
}

int
lazychat_wait(struct lazychat *chat, int milliseconds)
{
    struct pollfd fd = {.fd = lazychat_fd(chat), .events = POLLIN};
    int timeout = lazychat_timeout(chat);

    if (milliseconds >= 0 && (timeout < 0 || milliseconds < timeout))
        timeout = milliseconds;
    if (poll(&fd, 1, timeout) < 0 && errno != EINTR)
        return error_from_errno(errno);
    return lazychat_turn(chat);
}

size_t
lazychat_unsent(const struct lazychat *chat)
{
    size_t count = 0;

    for (const struct client_server *server = chat->servers; server != NULL; server = server->next)
        for (const struct lazychat_room *room = server->rooms; room != NULL; room = room->next)
            count += room->outbox.count;
    return count;
}
