/* log.h: the log: what exists. A message exists once it has a number in its room's log and the
 * commit returned; nothing is sent to anyone before.
 *
 * Owns: rooms, accounts and their keys, numbered messages, read markers, the search index; files,
 * commits, threads. Must not know sockets, JSON, or who is connected. One implementation for now
 * (log_sqlite.c); this interface fits one that lives on other machines as well, so everything that
 * may wait is a request, answered by an event.
 *
 * The owner is one thread, which never waits here: requests are queued, log_flush hands a turn's
 * requests over together (one commit for all that is waiting), log_next gives the answers. Events
 * of one room's messages come in the order of their numbers. Every request gets exactly one event,
 * with its `token`; an answer tells of a refusal by `code`, a word of docs/protocol.md, and then
 * nothing happened. Any request about a room may be refused with "no-room", and any at all with
 * "log-full", "log-read-only", "log-damaged" or "log-unavailable".
 *
 * A function that queues a request returns LAZYCHAT_OK, or, and then there is no event,
 * LAZYCHAT_WOULD_BLOCK when the queue is full, LAZYCHAT_INVALID when the request makes no sense
 * (nothing that strangers send may get so far), LAZYCHAT_NO_MEMORY.
 *
 * What was redacted, and what an edit replaced, is in no file of the directory a few seconds later.
 */
#ifndef LOG_H
#define LOG_H

#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_KEY_MAX   64     /* bytes of a key */
#define LOG_ID_SIZE   17     /* of a log's own id: 16 hexadecimal digits and a NUL */
#define LOG_QUEUE_MAX 100000 /* requests not yet answered */

enum log_durability {
    LOG_FULL,   /* what was answered survives a power cut */
    LOG_NORMAL, /* it survives a crash of the process */
    LOG_NONE,   /* memory only: `directory` is not touched */
};

/* "full", "normal", "none"; false for another name. */
bool log_durability_find(const char *name, enum log_durability *durability);

struct log_config {
    const char *directory; /* made if it is not there (0700) */
    enum log_durability durability;
    const char *vfs;      /* SQLite's VFS by name, for tests; NULL: its default */
    int64_t (*now)(void); /* ms since 1970, asked on a thread of the log's; NULL: the system's */
    size_t piece;         /* messages in one piece of the search index, for tests; 0: the default */
};

struct log;

/* On failure writes to `errors` what is wrong and what to do, and returns the error. A log of an
 * older schema is migrated, one of a newer schema is refused, one that another process has open
 * as well. */
int log_open(struct log **log, const struct log_config *config, FILE *errors);

/* Commits what is queued, ends the threads. Events that were not taken by now are lost, with their
 * `user`. NULL is fine. */
void log_close(struct log *log);

/* Names this log: made with it, never the same again. */
const char *log_id(const struct log *log);

/* Readable while log_next has something. */
int log_fd(const struct log *log);

/* ---- Rooms ---- */

#define LOG_LOBBY 1 /* the id of the room `lobby`; it is always there, port 2014 */

struct log_room {
    int64_t id;
    char name[33];
    uint16_t port;
    char topic[513];
    int64_t topic_seq; /* the message that set it; 0: none */
    int64_t head;      /* the latest number; 0: none yet */
    int64_t first;     /* the oldest one that is still there; head + 1 when there is none */
    int64_t said;      /* how many `say` there have been: LOG_SAY and LOG_ACTION */
};

/* At start only: the rooms that there are, index from 0, by port; false when there are no more. */
bool log_room(const struct log *log, size_t index, struct log_room *room);

/* LOG_ROOM_OPENED: room, fresh. The next free port from 2015 on; the one that is there when the
 * name is taken. Code "full" when there are `most` already. */
int log_open_room(struct log *log, const char *name, const char *topic, size_t most,
                  uint64_t token);

/* ---- Accounts ---- */

/* Keys of an account. Never the secret itself: its SHA-256. */
enum log_key_kind { LOG_KEY_SECRET = 1, LOG_KEY_CERTIFICATE = 2, LOG_KEY_RECOVERY = 3 };

struct log_mark {
    int64_t room;
    int64_t seq;  /* read up to here */
    int64_t said; /* how many `say` of the room that are */
};

/* LOG_IDENTIFIED: account, nick (NULL: none chosen), marks; makes the account at first use. */
int log_identify(struct log *log, enum log_key_kind kind, const void *key, size_t length,
                 uint64_t token);

/* LOG_NAMED: account, nick; code "nick-taken" when another account's has that skeleton,
 * "not-joined" when the account is a guest's. */
int log_name(struct log *log, int64_t account, const char *nick, const char *skeleton,
             uint64_t token);

/* A number for an account that is not kept, a guest's: never one that an account has or gets, nor
 * one that a guest had before, over restarts too. (After a crash on a disk that was full for long,
 * one of a guest who never said anything may come again.) At once, no event. */
int64_t log_guest(struct log *log);

/* The account has read so far; an earlier number than before is ignored. Kept within a second or
 * so, log_identify knows it at once; no event. */
void log_mark(struct log *log, int64_t account, int64_t room, int64_t seq);

/* LOG_COUNTED: room.id, until (the `seq`), count: how many `say` there have been in the room up to
 * `seq`. Numbers that are no longer kept count as read: up to any of them it is as many as before
 * the first that is. */
int log_count(struct log *log, int64_t room, int64_t seq, uint64_t token);

/* ---- Messages ---- */

enum log_kind { LOG_SAY, LOG_ACTION, LOG_TOPIC, LOG_EDIT, LOG_REDACT, LOG_REACT };

/* What is to be logged. Texts are copied; NULL where there is none. */
struct log_entry {
    int64_t room, account;
    enum log_kind kind;
    const char *nick;
    const char *id;    /* once for each account: the log holds each (account, id) once */
    const char *text;  /* say, action, topic, edit */
    const char *emoji; /* react */
    int64_t target; /* what edit, redact, react are about; of say and action: what it replies to, or
                       0 */
    bool on;        /* react: add or take away */
    bool classic, verified;
    bool force;      /* edit and redact whoever said it */
    int64_t seq, at; /* given by the log */
};

/* LOG_APPENDED: entry (with seq, at), duplicate: it was there already and this is what was logged
 * then, in the room where that was (for edit, redact, react: only room, seq, at, target and what
 * this request says are right; a text that is redacted or no longer kept is as in this request).
 * Codes: "no-message" (no such target, or redacted, or for edit not a say or action), "not-yours",
 * "full" (more than 20 different emoji). An edit or redaction that changes nothing is logged all
 * the same; a reaction that is there already (or not there, to be taken away) is too. A redaction
 * takes the text, not the reactions; that of the room's topic leaves it with none. What a `say`
 * replies to is not looked at. `user` comes back with the event. */
int log_append(struct log *log, const struct log_entry *entry, void *user, uint64_t token);

/* A message as it is now. */
struct log_row {
    int64_t seq, at, account;
    enum log_kind kind;           /* say, action, topic */
    const char *nick, *id, *text; /* text NULL: redacted */
    int64_t reply;                /* 0: none */
    int64_t changed;              /* the number of the latest change in it; 0: none */
    bool edited, classic, verified;
    const struct log_reaction *reactions;
    size_t reaction_count;
};

struct log_reaction {
    const char *emoji;
    int64_t count;
    bool mine; /* the account of the request did */
};

/* LOG_ROWS: the numbers `from` to `until` of the room, folded: rows said in them and older rows
 * that one of these numbers changed, by seq. Forwards from `since` + 1 to at most `until` (0:
 * head); if `before` is not 0, backwards: the rows nearest before that number, none that are only
 * changed. At most `limit` rows and `bytes` bytes of text, but at least one row; none only where
 * there are 20,000 numbers without, then go on. Nothing there: from = until + 1. Also room.id,
 * first, head, backwards. */
struct log_range {
    int64_t room, since, until, before;
    size_t limit, bytes;
    int64_t account; /* whose reactions are `mine` */
};
int log_read(struct log *log, const struct log_range *range, uint64_t token);

/* LOG_FOUND: rows (`say`) that have all words of `text`, each as the beginning of a word, latest
 * first; case and accents do not count, and of a script without spaces any part of a run is found.
 * Only those before the number `before` unless it is 0; `more`: there are others before them.
 * Includes everything that was answered before the request. Also room.id, query. Nothing in `text`
 * has a meaning beyond its words. */
int log_search(struct log *log, int64_t room, const char *text, int64_t before, size_t limit,
               int64_t account, uint64_t token);

/* How much of a room is kept from now on until log_close: what is younger than `age` ms, and from
 * the latest `count` `say` on; 0: no limit. The rest goes in small steps, LOG_FIRST tells whenever
 * `first` moved. Ids are known for at least a week, whether their messages are there or not. No
 * event. */
void log_keep(struct log *log, int64_t room, int64_t age, int64_t count);

/* ---- Events ---- */

enum log_event_type {
    LOG_APPENDED,
    LOG_ROWS,
    LOG_FOUND,
    LOG_COUNTED,
    LOG_IDENTIFIED,
    LOG_NAMED,
    LOG_ROOM_OPENED,
    LOG_FIRST, /* room.id, room.first; token 0 */
    LOG_STATE, /* code and text: the log cannot be written from here on; code NULL: it can again.
                  For the operator; token 0 */
};

/* Only what the request's comment names is set. Everything in it is valid until the next call. */
struct log_event {
    enum log_event_type type;
    uint64_t token;
    void *user;
    const char *code; /* NULL: done; else why not */
    const char *text; /* with code: a sentence for people, what to do included */
    struct log_entry entry;
    bool duplicate, fresh, more;
    bool backwards;    /* rows: they were asked for by `before` */
    const char *query; /* found: the `text` of the search */
    struct log_room room;
    int64_t account, count;
    const char *nick;
    const struct log_mark *marks;
    size_t mark_count;
    int64_t from, until, first, head;
    const struct log_row *rows;
    size_t row_count;
};

/* Hand over what was requested since the last call. */
void log_flush(struct log *log);

/* 1 and an event, or 0. */
int log_next(struct log *log, struct log_event *event);

/* Figures since the start. */
struct log_stats {
    uint64_t commits, appended, duplicates, refused;
    uint64_t commit_us; /* time spent in commits */
    size_t queued;
};
void log_stats(const struct log *log, struct log_stats *stats);

#endif
