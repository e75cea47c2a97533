/* log_search.h: the search index, and everything that makes texts vanish for good: a thread of its
 * own that follows the commits.
 *
 * Owns DIR/search.db, which can be made anew from log.db at any time. Must not change log.db: what
 * has to be written there, it asks of the writer.
 */
#ifndef LOG_SEARCH_H
#define LOG_SEARCH_H

#include "log_threads.h"

struct log_index_piece {
    int64_t id, rows;
    bool dirty; /* holds texts that are to vanish, or is to be made compact */
};

struct log_search {
    struct log_threads *threads;
    struct log_db log;   /* reads */
    struct log_db index; /* handle NULL: not open yet, or given up for a new one */
    int64_t *indexed;    /* up to which number, by room id */
    size_t indexed_size;
    struct log_index_piece piece; /* the one that new messages go to */
    int64_t wiped;                /* the latest wipe that the index has done */
    int64_t purged;               /* the latest one of which no file has a trace */
    int64_t target;               /* the one up to which it is being seen to; -1: it is not */
    bool stale;                   /* whether something is to vanish is to be looked at */
    int64_t purge_due, retry_due, round_due; /* of the monotonic clock; 0: none */
    int64_t retry_ms;
};

/* SQLITE_OK or SQLite's code. */
int log_search_open(struct log_search *search, struct log_threads *threads);
void log_search_close(struct log_search *search);

/* A worker_function; context: the search. */
int64_t log_search_work(void *search, struct job_queue *jobs);

/* ---- Between the parts: log_index.c has the index, log_query.c the words ---- */

enum log_search_statement { /* of search->log */
                            SEARCH_ROOMS,
                            SEARCH_TEXTS,
                            SEARCH_WIPES,
                            SEARCH_NEXT_WIPE,
                            SEARCH_TEXT,
                            SEARCH_ROW,
                            SEARCH_REACTIONS,
                            LOG_SEARCH_STATEMENTS
};

extern const char *const log_search_statements[LOG_SEARCH_STATEMENTS];

/* Opens the index, or makes an empty one if there is none, it is damaged, or it is another log's.
 */
int log_index_open(struct log_search *search);

/* Its files are of no use: removes them. */
void log_index_discard(struct log_search *search);

/* Brings in a little of what is new in the log. Sets *more: there is more. */
int log_index_round(struct log_search *search, bool *more);

/* Makes a little of what was taken out of the index vanish. Sets *more: there is more. */
int log_index_merge(struct log_search *search, bool *more);

/* Is there something to merge? */
bool log_index_is_dirty(struct log_search *search);

/* Calls `found` with keys of the room below `before`, latest first, until it returns false. */
typedef bool log_index_found(void *context, int64_t key);
int log_index_find(struct log_search *search, int64_t room, const char *query, int64_t before,
                   log_index_found *found, void *context);

/* The text as it goes into the index, with spaces where a script has none. To be freed; NULL: no
 * memory. */
char *log_query_spaced(const char *text);

/* What to ask FTS5 for: all words, each as a beginning. Empty: there is none. To be freed; NULL: no
 * memory. */
char *log_query_make(const char *text);

#endif
