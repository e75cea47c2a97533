/* lazychat.h: the one installed header of liblazychat: a chat client as a library, for bots,
 * bridges and lazychat itself.
 *
 *     static void heard(void *user, struct lazychat_room *room, const struct lazychat_message *m)
 *     {
 *         if (m->kind == LAZYCHAT_SAY && !m->own && !m->old)
 *             lazychat_say(room, m->text, NULL);
 *     }
 *     ...
 *     struct lazychat_config config = {.nick = "echo", .on_message = heard};
 *     if (lazychat_open(&chat, &config) == 0 && lazychat_join(chat, "localhost/lobby", &room) == 0)
 *         while (lazychat_wait(chat, -1) == 0)
 *             ;
 *
 * What it does by itself: finds the way to the server, joins, comes back after a loss (with growing
 * pauses), says again what was not acknowledged (the server keeps each once), asks for what it
 * missed, and hands over each numbered message of a room exactly once and in the order of the
 * numbers. With a store on disk that holds over restarts too, and one may read and write while
 * there is no network.
 *
 * Functions return 0 (or a count) when they worked and a negative enum lazychat_error when they did
 * not. The library never prints, exits or aborts, has no thread of its own and reads no clock but
 * the monotonic and the real one. A client is used by one thread at a time. Callbacks come from
 * within lazychat_turn and lazychat_wait only; they may call everything but lazychat_close, _turn
 * and _wait. What a callback gets is valid until it returns; texts are UTF-8, hostile, and end with
 * NUL (lazychat_escape makes them safe to show).
 */
#ifndef LAZYCHAT_H
#define LAZYCHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum lazychat_error {
    LAZYCHAT_OK = 0,
    LAZYCHAT_WOULD_BLOCK = -1, /* no room now; an event says when there is some */
    LAZYCHAT_INVALID = -2,     /* an argument is malformed */
    LAZYCHAT_TOO_LARGE = -3,   /* longer than the limit that the function's comment names */
    LAZYCHAT_NO_MEMORY = -4,
    LAZYCHAT_GONE = -5,        /* no such association (any more) */
    LAZYCHAT_UNSUPPORTED = -6, /* this machine or this build cannot do it */
    LAZYCHAT_IN_USE = -7,      /* the port or address belongs to another program */
    LAZYCHAT_DENIED = -8,      /* the system does not permit it */
    LAZYCHAT_NO_ADDRESS = -9,  /* the address is not one of this machine's, or cannot be reached */
    LAZYCHAT_SYSTEM = -10,     /* another failure of a system call: errno says which */
};

/* One sentence in English, without a full stop; never NULL, valid for ever. */
const char *lazychat_strerror(int error);

/* "0.1.0" */
const char *lazychat_version(void);

#define LAZYCHAT_TEXT_MAX 6144 /* bytes of a message */
#define LAZYCHAT_ID_SIZE  33

struct lazychat;      /* a client: any number of rooms on any number of servers; one a process */
struct lazychat_room; /* a room that it is in, or is on its way to */

/* ---- What was said ---- */

enum lazychat_kind {
    LAZYCHAT_SAY,
    LAZYCHAT_ACTION,   /* /me */
    LAZYCHAT_TOPIC,    /* text: the new topic */
    LAZYCHAT_EDITED,   /* target, text: what it says now */
    LAZYCHAT_REDACTED, /* target */
    LAZYCHAT_REACTED,  /* target, emoji, on */
    LAZYCHAT_CHANGED, /* seq: an older message, as it is now: edited, redacted, reacted to while one
                         was away */
};

struct lazychat_reaction {
    const char *emoji;
    int64_t count;
    bool mine;
};

/* One numbered message. What has no meaning for its kind is NULL, 0 or false. */
struct lazychat_message {
    enum lazychat_kind kind;
    int64_t seq;
    int64_t at;   /* ms since 1970, by the server's clock */
    int64_t from; /* account */
    const char *nick;
    const char *text; /* NULL: redacted */
    const char *id;   /* as lazychat_say gave it, or NULL */
    int64_t reply;    /* what it answers, or 0 */
    int64_t target;
    const char *emoji;
    bool on;
    bool applied;  /* EDITED, REDACTED, REACTED: its target was handed over with this change in it,
                      because it came from the log; do not count it twice */
    bool action;   /* of an ACTION that is CHANGED too */
    bool own;      /* this account said it */
    bool old;      /* from the log or the store, not live */
    bool classic;  /* through the classic lobby: the name proves nothing */
    bool verified; /* the account is known by a key */
    bool edited, redacted;
    const struct lazychat_reaction *reactions;
    size_t reaction_count;
};

/* ---- What happens. What concerns a server and no room of it (ROOMS, ROOM, READ, YOU, WHISPER) is
 * told in the room that asked, else in the lobby, or in another room if one is not in the lobby.
 * ---- */

enum lazychat_event_type {
    LAZYCHAT_CONNECTING, /* text: to where */
    LAZYCHAT_JOINED,   /* text: by which way; account, nick, verified, head, first, people, unread,
                          topic; seq: the account has read up to here */
    LAZYCHAT_LOST,     /* text: why; retry: ms until it tries again */
    LAZYCHAT_PATH,     /* on: whether the server can be reached at present */
    LAZYCHAT_SENT,     /* id, seq: what one said is logged. Its message comes too */
    LAZYCHAT_REFUSED,  /* code, text, field, id: the server did not do it; retry: ms after which the
                          library tries again, or -1: it will not, what was to be said is given up */
    LAZYCHAT_YOU,      /* account, nick, verified: who one is now */
    LAZYCHAT_PRESENCE, /* people_in, people_out; people: how many there are */
    LAZYCHAT_NAMES,    /* people_in: all that are here (answers lazychat_names) */
    LAZYCHAT_ROOMS,  /* rooms: all (answers lazychat_rooms), or those in which something was said */
    LAZYCHAT_ROOM,   /* rooms[0]: it was opened (on), by anyone, or found; id */
    LAZYCHAT_READ,   /* room_name, seq, unread: another client of this account has read */
    LAZYCHAT_TYPING, /* from, nick, on */
    LAZYCHAT_WHISPER, /* at, from, nick, to, text, id; own */
    LAZYCHAT_HISTORY, /* messages, head, first: answers lazychat_history, oldest first */
    LAZYCHAT_FOUND,   /* messages, latest first; head: 0, or ask again before this number */
};

struct lazychat_person {
    int64_t account;
    const char *nick; /* NULL in people_out where it is not known */
    int64_t idle;     /* seconds; -1: not told */
    bool classic, verified;
};

struct lazychat_room_info {
    const char *name;
    uint16_t port;                      /* 0: not told */
    const char *topic;                  /* NULL: not told */
    int64_t people, head, said, unread; /* -1: not told */
};

struct lazychat_event {
    enum lazychat_event_type type;
    const char *text, *nick, *to, *id, *code, *field, *topic, *room_name;
    int64_t account, from, seq, at, head, first, people, unread, retry;
    bool on, own, verified;
    const struct lazychat_person *people_in, *people_out;
    size_t in_count, out_count;
    const struct lazychat_room_info *rooms;
    size_t room_count;
    const struct lazychat_message *messages;
    size_t message_count;
};

/* ---- A client ---- */

enum { LAZYCHAT_BY_SCTP = 1, LAZYCHAT_BY_UDP = 2 };

struct lazychat_config {
    const char *nick;   /* wanted; NULL: the one that the account has */
    const char *store;  /* directory for what is seen, unsent and secret, made if it is not there
                           (0700); NULL: nothing is kept */
    const char *secret; /* 32 hexadecimal digits that stand for the account; NULL: the store's for
                           that server, or a new one */
    unsigned int transports; /* LAZYCHAT_BY_…; 0: all */
    uint16_t udp_port;       /* 0: 9899 */
    const char *profile;     /* "default" or "lan"; NULL: default */
    unsigned int last;       /* how many of the latest messages one wants on coming into a room of
                                which the store has nothing; at most 500 */
    bool raw; /* engineers: on_json is all there is; nothing is joined, healed, resent */

    void (*on_message)(void *user, struct lazychat_room *room,
                       const struct lazychat_message *message);
    void (*on_event)(void *user, struct lazychat_room *room, const struct lazychat_event *event);
    /* Each message of docs/protocol.md as JSON, one a call: numbered ones once and in order (those
     * of batches one by one, with "old":true, and with "changed" an older one as it is now), others
     * as they come; a batch as such only if the program asked for it. raw: just as received. */
    void (*on_json)(void *user, struct lazychat_room *room, const char *json, size_t length);
    void *user;
};

/* The config's texts are copied. LAZYCHAT_IN_USE: the process has one, or the store is in use. */
int lazychat_open(struct lazychat **chat, const struct lazychat_config *config);

/* Everything unsent is in the store, if there is one. Leaves at once. NULL is fine. */
void lazychat_close(struct lazychat *chat);

/* Readable when lazychat_turn has something to do. The same one all the time. */
int lazychat_fd(const struct lazychat *chat);

/* Milliseconds until lazychat_turn is to be called at the latest; -1: for ever. */
int lazychat_timeout(const struct lazychat *chat);

/* Do what there is to do; never waits. */
int lazychat_turn(struct lazychat *chat);

/* Wait at most so many milliseconds (-1: for ever; a signal ends it too) and do one turn. */
int lazychat_wait(struct lazychat *chat, int milliseconds);

/* How many of one's messages are not acknowledged yet, in all rooms. */
size_t lazychat_unsent(const struct lazychat *chat);

/* ---- Rooms ---- */

/* `where`: "HOST", "HOST:PORT", "HOST/ROOM"; PORT is the server's UDP port, no room is the lobby.
 * raw: ROOM is an SCTP port. A room that is not there is opened. Waits for the resolver at most.
 * Joining twice gives the same room. LAZYCHAT_INVALID: not a host, not a room's name;
 * LAZYCHAT_NO_ADDRESS: no such host, and the store does not know it either. */
int lazychat_join(struct lazychat *chat, const char *where, struct lazychat_room **room);

/* Out of the room once what was said is acknowledged, or after two seconds. The pointer is void. */
void lazychat_leave(struct lazychat_room *room);

const char *lazychat_room_name(const struct lazychat_room *room);
const char *lazychat_room_host(const struct lazychat_room *room);
bool lazychat_room_joined(const struct lazychat_room *room);
int64_t lazychat_room_account(const struct lazychat_room *room); /* 0: not known yet */
const char *lazychat_room_nick(const struct lazychat_room *room);
void lazychat_room_set_user(struct lazychat_room *room, void *user);
void *lazychat_room_user(const struct lazychat_room *room);

/* ---- Saying. Kept until it is acknowledged, however long that takes; `id` (LAZYCHAT_ID_SIZE
 * bytes, or NULL) gets what LAZYCHAT_SENT will name. LAZYCHAT_TOO_LARGE, LAZYCHAT_INVALID (not
 * UTF-8, control characters, empty), LAZYCHAT_WOULD_BLOCK (10,000 unsent). ---- */

int lazychat_say(struct lazychat_room *room, const char *text, char *id);
int lazychat_action(struct lazychat_room *room, const char *text, char *id);
int lazychat_reply(struct lazychat_room *room, int64_t seq, const char *text, char *id);
int lazychat_edit(struct lazychat_room *room, int64_t seq, const char *text, char *id);
int lazychat_redact(struct lazychat_room *room, int64_t seq, char *id);
int lazychat_react(struct lazychat_room *room, int64_t seq, const char *emoji, bool on, char *id);
int lazychat_set_topic(struct lazychat_room *room, const char *topic, char *id);

/* ---- Asking and telling: LAZYCHAT_GONE when one is not in the room at present. Events answer.
 * ---- */

int lazychat_set_nick(struct lazychat_room *room, const char *nick);
int lazychat_whisper(struct lazychat_room *room, const char *to, const char *text, char *id);
int lazychat_typing(struct lazychat_room *room, bool on);

/* Read up to here. The highest is sent, at most one in two seconds, and kept while one is away. */
int lazychat_read(struct lazychat_room *room, int64_t seq);

/* `before` 0: the latest; `limit` 0: as many as the server likes. While one is away the store
 * answers, if there is one. This and a search are asked again when an answer got lost. */
int lazychat_history(struct lazychat_room *room, int64_t before, unsigned int limit);
int lazychat_search(struct lazychat_room *room, const char *text, int64_t before,
                    unsigned int limit);
int lazychat_names(struct lazychat_room *room);
int lazychat_rooms(struct lazychat_room *room);

/* One message of docs/protocol.md; what can be unsent (say, edit, redact, react, topic) is kept
 * like the others, and gets an id if it has none. LAZYCHAT_INVALID: `why` (200 bytes, or NULL) says
 * why. */
int lazychat_send_json(struct lazychat_room *room, const char *json, size_t length, char *why);

/* ---- Showing ---- */

/* Makes text of strangers safe to show: control characters, bidi and zero-width ones become visible
 * escapes. `size` = 4 * strlen(text) + 1 always does; less cuts it. Returns out. */
char *lazychat_escape(char *out, size_t size, const char *text);

#ifdef __cplusplus
}
#endif
#endif
