/* log_request.h: one request to the log on its way through the threads, and its answer on the way
 * back; the memory of both.
 *
 * Owns the strings. Must not know SQLite. One thread has a request at a time.
 */
#ifndef LOG_REQUEST_H
#define LOG_REQUEST_H

#include "log.h"
#include "worker.h"

enum log_request_type {
    /* for the writer */
    REQUEST_APPEND,
    REQUEST_IDENTIFY,
    REQUEST_NAME,
    REQUEST_OPEN_ROOM,
    REQUEST_RESERVE, /* no answer: account numbers up to `number` are taken */
    REQUEST_MARK,    /* no answer */
    REQUEST_KEEP,    /* no answer */
    REQUEST_WIPED,   /* no answer: the search index has no trace of wipes up to `number` */
    /* for the reader */
    REQUEST_READ,
    REQUEST_COUNT,
    /* for the searcher */
    REQUEST_SEARCH,
    /* nobody asked: made by the writer */
    REQUEST_FIRST,
    REQUEST_STATE,
};

struct log_memory;

struct log_request {
    struct job job; /* first: a queue of jobs is a queue of these */
    enum log_request_type type;
    uint64_t token;
    void *user;

    union {
        struct log_entry entry;
        struct {
            enum log_key_kind kind;
            size_t length;
            unsigned char bytes[LOG_KEY_MAX];
        } key;
        struct {
            int64_t account;
            const char *nick, *skeleton;
        } name;
        struct {
            const char *name, *topic;
            size_t most;
        } room;
        struct {
            int64_t account, room, seq;
        } mark;
        struct {
            int64_t room, age, count;
        } keep;
        struct log_range range;
        struct {
            int64_t room, before, account;
            size_t limit;
            const char *text;
        } search;
        int64_t number;
    } ask;

    /* The answer. An `entry` of its own: a request whose batch failed is tried again as it was. */
    const char *code, *text;
    bool duplicate, fresh, more;
    struct log_entry entry;
    const struct log_room *room;
    int64_t account, count;
    const char *nick;
    struct log_mark *marks;
    size_t mark_count;
    int64_t from, until, first, head;
    struct log_row *rows;
    size_t row_count;

    struct log_memory *memory;
};

/* NULL: no memory. */
struct log_request *log_request_create(enum log_request_type type, uint64_t token);
void log_request_destroy(struct log_request *request); /* NULL is fine */

/* Memory that goes with the request, aligned for anything; NULL: there is none. */
void *log_request_take(struct log_request *request, size_t size);

/* A copy that goes with the request. NULL for NULL; *failed is set when there is no memory. */
const char *log_request_copy(struct log_request *request, const char *text, bool *failed);

#endif
