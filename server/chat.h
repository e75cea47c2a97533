/* chat.h: the chat: all rooms, everybody who is here, and the log, together.
 *
 * Owns: which rooms are open, the accounts that are here, which member a token of the log's means,
 * what is told at intervals (presence, heads of rooms, read markers). request.c does what clients
 * ask, answer.c what the log answers; both work on this. Must not know where packets come from.
 */
#ifndef CHAT_H
#define CHAT_H

#include "log.h"
#include "room.h"

#define CHAT_HEADS_MS     250  /* heads of rooms are told at most so often */
#define CHAT_MARKS_MS     2000 /* read markers go to the log so often */
#define CHAT_BACKPRESSURE 2000 /* appends not yet answered, above which the classic lobby waits */

struct chat_config {
    struct transport *transport;
    struct log *log;
    const char *server; /* its name, for welcome */
    uint16_t classic_port;
    unsigned int rate, burst; /* messages a second of an association; 0: no limit */
    size_t rooms_max;
    int64_t keep_age, keep_count; /* ms, messages: how much of each room is kept; 0: all */
};

struct chat {
    struct chat_config config;
    struct log *log;
    struct room **rooms; /* by port; the first is the lobby */
    size_t room_count;
    struct room **by_id; /* the log's ids are small */
    size_t by_id_size;
    struct accounts accounts;
    struct hash tokens; /* members */
    uint64_t next_token;
    struct room *stirred; /* rooms in which presence is to be told */
    struct room *untold;  /* rooms whose head the lobby does not know */
    int64_t heads_due, marks_due;
    int64_t now;       /* of this turn */
    int64_t real_time; /* the same, ms since 1970 */
    size_t appending;  /* given to the log and not answered */
    bool closing;
};

/* Opens the log's rooms on the transport. NULL after it has told `errors` why. */
struct chat *chat_open(const struct chat_config *config, FILE *errors);
void chat_close(struct chat *chat);

struct room *chat_lobby(const struct chat *chat);
struct room *chat_room_named(const struct chat *chat, const char *name);
struct room *chat_room(const struct chat *chat, int64_t id);

/* Opens one more, which the log has. NULL: the transport cannot; the log says why. */
struct room *chat_add_room(struct chat *chat, const struct log_room *info);

/* The member that a request to the log was for, if it is still here. */
struct member *chat_member(const struct chat *chat, uint64_t token);

/* An association came up and went down. NULL: no memory. */
struct member *chat_up(struct chat *chat, struct room *room, const struct transport_endpoint *at,
                       uint32_t assoc, bool classic);
void chat_down(struct chat *chat, struct member *member);

/* The peer lost its state: it is somebody unknown again. */
void chat_restarted(struct chat *chat, struct member *member);

/* Whom it speaks for: a guest if nobody else. NULL: no memory. */
struct account *chat_speaker(struct chat *chat, struct member *member);

/* From now on it speaks for this account. `nick` as in the log, or NULL. False: no memory. */
bool chat_identified(struct chat *chat, struct member *member, int64_t id, bool kept,
                     const char *nick);

/* The account has another nickname. */
void chat_named(struct chat *chat, struct account *account, const char *nick, const char *skeleton);

/* A `say` or something else got a number in the room. */
void chat_numbered(struct chat *chat, struct room *room, int64_t seq, bool said);

/* How many `say` the account has not read there; while that is being counted, as before. */
int64_t chat_unread(const struct room *room, struct account *account);

/* One element of `rooms`, as the account sees it. */
void chat_describe(const struct room *room, struct account *account, struct message *element);

/* What is told at intervals. Returns when to be called again. */
int64_t chat_intervals(struct chat *chat, int64_t now);

#endif
