/* log_threads.h: what the log's threads share.
 *
 * Set up by log_open before they start, and constant then but for what is atomic.
 */
#ifndef LOG_THREADS_H
#define LOG_THREADS_H

#include "log.h"
#include "log_db.h"
#include "log_request.h"
#include "worker.h"

#include <stdatomic.h>

/* A message's key, and back. */
#define LOG_SEQ_BITS           40
#define LOG_SEQ_MAX            (((int64_t)1 << LOG_SEQ_BITS) - 1)
#define log_row_key(room, seq) ((int64_t)(room) << LOG_SEQ_BITS | (int64_t)(seq))
#define log_row_room(key)      ((int64_t)(key) >> LOG_SEQ_BITS)
#define log_row_seq(key)       ((int64_t)(key)&LOG_SEQ_MAX)

/* The bits of message.flags. */
enum log_flags {
    LOG_IS_EDITED = 1,
    LOG_IS_CLASSIC = 2,
    LOG_IS_VERIFIED = 4,
    LOG_HAS_REACTIONS = 8,
    LOG_IS_ON = 16, /* of a reaction: added, not taken away */
};

struct log_threads {
    char *directory, *log_path, *search_path;
    char id[LOG_ID_SIZE];
    enum log_durability durability;
    const char *vfs;
    int64_t (*now)(void);
    size_t piece;                            /* rows in one piece of the search index */
    pthread_mutex_t *log_gate, *search_gate; /* NULL: of files */

    struct outbox *outbox;
    struct worker *writer, *reader, *searcher;

    _Atomic int64_t next_account; /* the next number for an account or a guest */
    _Atomic int64_t wiped;        /* the latest wipe that is committed as done */
    atomic_bool news;             /* the searcher has been told that there is something new */
    atomic_size_t waiting;        /* requests not yet answered */
    _Atomic uint64_t commits, appended, duplicates, refused, commit_us;
};

/* A sentence for an error code: what is wrong and what to do. With a `detail` it is for the
 * operator and names the directory, too. Goes with the request. */
const char *log_threads_text(const struct log_threads *threads, struct log_request *request,
                             const char *code, const char *detail);

/* Refuse the request for what SQLite just said. Nothing for SQLITE_OK. */
void log_threads_refuse(const struct log_threads *threads, struct log_request *request, int error);

/* A connection to the log's own database, not to the search index. */
int log_threads_open(const struct log_threads *threads, struct log_db *db, bool create,
                     const char *const *sql, size_t count);

/* Milliseconds since 1970, by the clock of log_config. */
int64_t log_threads_now(const struct log_threads *threads);

/* Tell the searcher that there is something new. */
void log_threads_news(struct log_threads *threads);

#endif
