/* log_writer.h: the log's one writer, on a thread of its own: everything that changes log.db goes
 * through it.
 *
 * Owns the writing connection, the rooms' numbers, and which transaction a request is in.
 * log_append.c and log_keep.c do the parts about messages and about how long they are kept.
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include "hash.h"
#include "log_threads.h"

/* What of a room moves. */
struct log_writer_numbers {
    int64_t head, first, said, at;
};

struct log_writer_room {
    struct log_writer_numbers now;       /* in this transaction */
    struct log_writer_numbers committed; /* without it */
    bool touched;                        /* these two may differ */
    int64_t keep_age, keep_count;        /* 0: no limit */
};

struct log_writer {
    struct log_threads *threads;
    struct log_db db;
    struct log_writer_room *rooms; /* the room with id 1 first; ids have no gaps */
    size_t room_count, room_size;
    size_t rooms_committed; /* without this transaction */
    size_t *touched;        /* indexes of rooms, as many as there are rooms */
    size_t touched_count;
    int64_t reserved, reserved_committed; /* account numbers below are taken */
    int64_t wiped, wiped_committed;
    bool wipes;    /* this transaction made some */
    int wal_pages; /* in the WAL after the latest commit */

    struct hash marks; /* not yet in the database, by account */
    struct job_queue mark_list;
    int64_t marks_due, keep_due;   /* of the monotonic clock; 0: none */
    const char *state;             /* the code that LOG_STATE told last */
    uint64_t appended, duplicates; /* in this transaction */
};

/* On the caller's thread. SQLITE_OK or SQLite's code; the statement of a failure is in
 * writer->db. `found`: see log_schema_migrate. */
int log_writer_open(struct log_writer *writer, struct log_threads *threads, int64_t *found);
void log_writer_close(struct log_writer *writer);

/* The rooms as they are in the database: *rooms is the caller's to free. */
int log_writer_rooms(struct log_writer *writer, struct log_room **rooms, size_t *count);

/* A worker_function; context: the writer. */
int64_t log_writer_work(void *writer, struct job_queue *jobs);

/* ---- Between the parts of the writer ---- */

enum log_writer_statement {
    WRITE_META,
    READ_META,
    WRITE_ROOM,
    FIND_ROOM,
    ADD_ROOM,
    LAST_PORT,
    ALL_ROOMS,
    FIND_KEY,
    ADD_KEY,
    ADD_ACCOUNT,
    FIND_ACCOUNT,
    FIND_SKELETON,
    WRITE_NICK,
    FIND_MARKS,
    WRITE_MARK,
    FIND_NTH,
    DELETE_WIPES,
    /* log_append.c */
    FIND_SAID,
    ADD_SAID,
    FIND_MESSAGE,
    ADD_MESSAGE,
    CHANGE_TEXT,
    CHANGE_FLAGS,
    ADD_WIPE,
    WRITE_TOPIC,
    CLEAR_TOPIC,
    HAS_EMOJI,
    COUNT_EMOJI,
    ADD_REACTION,
    DELETE_REACTION,
    /* log_keep.c */
    OLDEST_MESSAGES,
    DELETE_MESSAGE,
    DELETE_REACTIONS,
    ADD_FORGET,
    OLDEST_FORGET,
    DELETE_FORGET,
    DELETE_SAID,
    LOG_WRITER_STATEMENTS
};

/* NULL: there is no such room. Its numbers may be changed; they go to the database with the
 * transaction or are as before without it. */
struct log_writer_room *log_writer_room(struct log_writer *writer, int64_t id);
void log_writer_touch(struct log_writer *writer, int64_t id);

/* So that no number up to this one is given to another account after a restart. */
int log_writer_reserve(struct log_writer *writer, int64_t account);

/* These do what the request asks: set its answer, or its `code` and change nothing. SQLITE_OK or an
 * error. */
int log_account_identify(struct log_writer *writer, struct log_request *request);
int log_account_name(struct log_writer *writer, struct log_request *request);
int log_append_do(struct log_writer *writer, struct log_request *request);

/* Read markers wait in memory for company. */
#define LOG_ACCOUNT_MARKS_MS 1000
void log_account_mark(struct log_writer *writer, const struct log_request *request);
int log_account_write_marks(struct log_writer *writer); /* they wait on, until it is committed */
void log_account_drop_marks(struct log_writer *writer);

/* A text of this row is gone or changed; the search index is to forget it. NULL: it never knew. */
int log_append_wipe(struct log_writer *writer, int64_t key, const char *text);

/* Drops a little of what is no longer kept, in a transaction of its own; tells LOG_FIRST through
 * `done`. Sets *more: there is more to drop now. */
void log_keep_do(struct log_writer *writer, struct job_queue *done, bool *more);

/* Does any room have a limit? */
bool log_keep_is_on(const struct log_writer *writer);

/* End the transaction that log_db_begin began, in the writer's memory too. A failed commit is
 * rolled back. */
int log_writer_commit(struct log_writer *writer);
void log_writer_rollback(struct log_writer *writer);

#endif
