/* log_sqlite.c: the log over SQLite, as its owner sees it: opens it, hands requests to the threads
 * and takes their answers. This thread never touches SQLite between log_open and log_close.
 *
 * In the directory: `lock` (held by one process), `log.db` (what exists) and `search.db` (words,
 * made from it), both in WAL mode. log_writer.c, log_reader.c and log_search.c have a thread each.
 */
#include "log.h"

#include "log_reader.h"
#include "log_schema.h"
#include "log_scrub.h"
#include "log_search.h"
#include "log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     32768        /* messages in one piece of the search index */
#define GUESTS    INT64_C(500) /* when so few numbers are left, more are asked for */
#define ROWS_MOST 10000        /* in one answer */

struct log {
    struct log_threads threads;
    struct log_writer writer;
    struct log_reader reader;
    struct log_search search;
    struct log_room *rooms; /* as they were at the start */
    size_t room_count;
    struct job_queue for_writer, for_reader, for_searcher; /* since the last log_flush */
    struct log_request *answered;                          /* what the last log_next gave */
    int64_t reserved;     /* account numbers below have been asked for */
    int lock;             /* -1: none */
    pthread_mutex_t gate; /* of a database in memory */
};

static const char *const durabilities[] = {
    [LOG_FULL] = "full", [LOG_NORMAL] = "normal", [LOG_NONE] = "none"};

bool
log_durability_find(const char *name, enum log_durability *durability)
{
    for (size_t i = 0; i < sizeof(durabilities) / sizeof(*durabilities); i++)
        if (strcmp(durabilities[i], name) == 0) {
            *durability = (enum log_durability)i;
            return true;
        }
    return false;
}

/* ---- The directory ---- */

static int
fail(FILE *errors, const char *directory, const char *what, const char *todo)
{
    fprintf(errors, "the log in %s: %s\n", directory, what);
    if (todo != NULL)
        fprintf(errors, "  do: %s\n", todo);
    return errno == EACCES || errno == EPERM || errno == EROFS ? LAZYCHAT_DENIED : LAZYCHAT_SYSTEM;
}

/* So that a new name in it survives a power cut. */
static void
sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* With all that is missing above it. */
static int
make_directory(const char *path)
{
    char above[PATH_MAX];
    struct stat st;

    if (stat(path, &st) == 0) {
        errno = ENOTDIR;
        return S_ISDIR(st.st_mode) ? 0 : -1;
    }
    snprintf(above, sizeof(above), "%s", path);
    dirname(above);
    if (strcmp(above, path) != 0 && make_directory(above) != 0)
        return -1;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    sync_directory(above);
    return 0;
}

static int
tell_other(int fd, const char *directory, FILE *errors)
{
    char holder[32] = "", what[96];
    ssize_t length = read(fd, holder, sizeof(holder) - 1);

    holder[length > 0 ? strspn(holder, "0123456789") : 0] = '\0';
    snprintf(what, sizeof(what), "another lazychatd%s%s%s has it open",
             holder[0] == '\0' ? "" : " (process ", holder, holder[0] == '\0' ? "" : ")");
    (void)fail(errors, directory, what,
               "stop that one, or give this one another directory (--data)");
    return LAZYCHAT_IN_USE;
}

/* One process at a time. The lock goes with the process, whatever ends it. */
static int
lock_directory(struct log *log, FILE *errors)
{
    const char *directory = log->threads.directory;
    char path[PATH_MAX], process[32];
    int length;

    snprintf(path, sizeof(path), "%s/lock", directory);
    log->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->lock < 0)
        return fail(errors, directory, strerror(errno),
                    "let the server's user write there, or name another directory (--data)");
    if (flock(log->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return tell_other(log->lock, directory, errors);
        return fail(errors, directory, strerror(errno),
                    "use a file system with locks, or --durability none");
    }
    length = snprintf(process, sizeof(process), "%d\n", (int)getpid());
    if (ftruncate(log->lock, 0) != 0 || pwrite(log->lock, process, (size_t)length, 0) != length) {
        if (errno == EROFS)
            return fail(errors, directory, strerror(errno), "mount it read-write");
    } /* on a full disk the number is just not told */
    return LAZYCHAT_OK;
}

/* SQLite gives its other files the rights of this one. */
static void
make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
}

static int
prepare_directory(struct log *log, FILE *errors)
{
    int error;

    if (log->threads.durability == LOG_NONE)
        return LAZYCHAT_OK;
    if (make_directory(log->threads.directory) != 0)
        return fail(errors, log->threads.directory, strerror(errno),
                    "name a directory that this user may make (--data)");
    error = lock_directory(log, errors);
    if (error == LAZYCHAT_OK) {
        make_private(log->threads.log_path);
        make_private(log->threads.search_path);
    }
    return error;
}

/* ---- Opening ---- */

static char *
join(const char *directory, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* A database in memory that all connections of this process share by its name. */
static char *
memory_name(const char *name)
{
    static atomic_uint count;
    char *path;

    return asprintf(&path, "file:/lazychat-%u-%s?vfs=memdb", count++, name) < 0 ? NULL : path;
}

static int
set_up(struct log *log, const struct log_config *config)
{
    struct log_threads *threads = &log->threads;
    bool memory = config->durability == LOG_NONE;
    const char *directory = config->directory == NULL ? "" : config->directory;

    log->lock = -1;
    pthread_mutex_init(&log->gate, NULL);
    threads->durability = config->durability;
    threads->vfs = memory ? NULL : log_scrub_over(config->vfs);
    threads->now = config->now;
    threads->piece = config->piece > 0 ? config->piece : PIECE;
    threads->log_gate = memory ? &log->gate : NULL;
    threads->directory = strdup(directory);
    threads->log_path = memory ? memory_name("log") : join(directory, "log.db");
    threads->search_path = memory ? memory_name("search") : join(directory, "search.db");
    if (threads->directory == NULL || threads->log_path == NULL || threads->search_path == NULL ||
        (threads->vfs == NULL && !memory))
        return LAZYCHAT_NO_MEMORY;
    return outbox_create(&threads->outbox);
}

static int
tell_sqlite(struct log *log, int error, FILE *errors)
{
    struct log_request *request = log_request_create(REQUEST_STATE, 0);
    const char *code = log_db_code(error), *text = NULL;

    if (request != NULL)
        text = log_threads_text(&log->threads, request, code, sqlite3_errstr(error));
    fprintf(errors, "%s\n", text == NULL ? "out of memory" : text);
    log_request_destroy(request);
    if ((error & 0xff) == SQLITE_NOMEM)
        return LAZYCHAT_NO_MEMORY;
    return strcmp(code, "log-read-only") == 0 ? LAZYCHAT_DENIED : LAZYCHAT_SYSTEM;
}

static int
tell_version(struct log *log, int64_t found, FILE *errors)
{
    char what[128];

    errno = 0;
    if (found < 0) {
        (void)fail(errors, log->threads.directory, "log.db is no log of lazychat's",
                   "name another directory (--data)");
        return LAZYCHAT_UNSUPPORTED;
    }
    snprintf(what, sizeof(what),
             "it was written by a newer lazychatd (its version is %" PRId64 ", this one knows %d)",
             found, log_schema_version());
    (void)fail(errors, log->threads.directory, what, "install that one again");
    return LAZYCHAT_UNSUPPORTED;
}

static int
open_databases(struct log *log, FILE *errors)
{
    int64_t found;
    int error = log_writer_open(&log->writer, &log->threads, &found);

    if (error == SQLITE_MISMATCH)
        return tell_version(log, found, errors);
    if (error == SQLITE_OK)
        error = log_writer_rooms(&log->writer, &log->rooms, &log->room_count);
    if (error != SQLITE_OK)
        return tell_sqlite(log, error, errors);
    log->reserved = log->writer.reserved;
    error = log_reader_open(&log->reader, &log->threads);
    if (error != SQLITE_OK)
        return tell_sqlite(log, error, errors);
    error = log_search_open(&log->search, &log->threads);
    if (error != SQLITE_OK)
        return tell_sqlite(log, error, errors);
    return LAZYCHAT_OK;
}

static int
start_threads(struct log *log, FILE *errors)
{
    struct log_threads *threads = &log->threads;
    int error = worker_start(&threads->writer, "log writer", log_writer_work, &log->writer);

    if (error == LAZYCHAT_OK)
        error = worker_start(&threads->reader, "log reader", log_reader_work, &log->reader);
    if (error == LAZYCHAT_OK)
        error = worker_start(&threads->searcher, "log searcher", log_search_work, &log->search);
    if (error != LAZYCHAT_OK)
        fprintf(errors, "the log needs three threads: %s\n", lazychat_strerror(error));
    return error;
}

int
log_open(struct log **result, const struct log_config *config, FILE *errors)
{
    struct log *log = calloc(1, sizeof(*log));
    int error;

    *result = NULL;
    if (log == NULL)
        return LAZYCHAT_NO_MEMORY;
    error = set_up(log, config);
    if (error == LAZYCHAT_OK)
        error = prepare_directory(log, errors);
    if (error == LAZYCHAT_OK)
        error = open_databases(log, errors);
    if (error == LAZYCHAT_OK)
        error = start_threads(log, errors);
    if (error != LAZYCHAT_OK) {
        log_close(log);
        return error;
    }
    *result = log;
    return LAZYCHAT_OK;
}

static void
destroy_all(struct job_queue *jobs)
{
    struct job *job;

    while ((job = job_pop(jobs)) != NULL)
        log_request_destroy((struct log_request *)(void *)job);
}

/* Searcher and writer talk to each other to the last, so both are there until both have stopped. */
static void
end_threads(struct log_threads *threads)
{
    struct job_queue rest = {0};

    worker_stop(threads->searcher);
    worker_stop(threads->reader);
    worker_stop(threads->writer);
    worker_destroy(threads->searcher, &rest);
    worker_destroy(threads->reader, &rest);
    worker_destroy(threads->writer, &rest);
    destroy_all(&rest);
}

void
log_close(struct log *log)
{
    struct job *job;

    if (log == NULL)
        return;
    if (log->threads.searcher != NULL)
        log_flush(log);
    end_threads(&log->threads);
    log_search_close(&log->search);
    log_reader_close(&log->reader);
    log_writer_close(&log->writer);
    while (log->threads.outbox != NULL && (job = outbox_take(log->threads.outbox)) != NULL)
        log_request_destroy((struct log_request *)(void *)job);
    destroy_all(&log->for_writer);
    destroy_all(&log->for_reader);
    destroy_all(&log->for_searcher);
    log_request_destroy(log->answered);
    outbox_destroy(log->threads.outbox);
    pthread_mutex_destroy(&log->gate);
    if (log->lock >= 0)
        close(log->lock);
    free(log->rooms);
    free(log->threads.directory);
    free(log->threads.log_path);
    free(log->threads.search_path);
    free(log);
}

const char *
log_id(const struct log *log)
{
    return log->threads.id;
}

int
log_fd(const struct log *log)
{
    return outbox_fd(log->threads.outbox);
}

bool
log_room(const struct log *log, size_t index, struct log_room *room)
{
    if (index >= log->room_count)
        return false;
    *room = log->rooms[index];
    return true;
}

/* ---- Requests ---- */

/* NULL: the queue is full, or there is no memory. */
static struct log_request *
begin(struct log *log, enum log_request_type type, uint64_t token)
{
    if (log->threads.waiting >= LOG_QUEUE_MAX)
        return NULL;
    return log_request_create(type, token);
}

/* Queues it; `failed`: there was no memory for all of it. */
static int
end(struct log *log, struct log_request *request, bool failed)
{
    struct job_queue *queue = &log->for_writer;

    if (failed) {
        log_request_destroy(request);
        return LAZYCHAT_NO_MEMORY;
    }
    if (request->type == REQUEST_READ || request->type == REQUEST_COUNT)
        queue = &log->for_reader;
    else if (request->type == REQUEST_SEARCH)
        queue = &log->for_searcher;
    job_push(queue, &request->job);
    log->threads.waiting++;
    return LAZYCHAT_OK;
}

int
log_open_room(struct log *log, const char *name, const char *topic, size_t most, uint64_t token)
{
    struct log_request *request;
    bool failed = false;

    if (name == NULL || strlen(name) >= sizeof(((struct log_room *)NULL)->name) ||
        (topic != NULL && strlen(topic) >= sizeof(((struct log_room *)NULL)->topic)))
        return LAZYCHAT_INVALID;
    request = begin(log, REQUEST_OPEN_ROOM, token);
    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.room.name = log_request_copy(request, name, &failed);
    request->ask.room.topic = log_request_copy(request, topic, &failed);
    request->ask.room.most = most;
    return end(log, request, failed);
}

int
log_identify(struct log *log, enum log_key_kind kind, const void *key, size_t length,
             uint64_t token)
{
    struct log_request *request;

    if (length == 0 || length > LOG_KEY_MAX)
        return LAZYCHAT_INVALID;
    request = begin(log, REQUEST_IDENTIFY, token);
    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.key.kind = kind;
    request->ask.key.length = length;
    memcpy(request->ask.key.bytes, key, length);
    return end(log, request, false);
}

int
log_name(struct log *log, int64_t account, const char *nick, const char *skeleton, uint64_t token)
{
    struct log_request *request;
    bool failed = false;

    if (nick == NULL || skeleton == NULL)
        return LAZYCHAT_INVALID;
    request = begin(log, REQUEST_NAME, token);
    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.name.account = account;
    request->ask.name.nick = log_request_copy(request, nick, &failed);
    request->ask.name.skeleton = log_request_copy(request, skeleton, &failed);
    return end(log, request, failed);
}

/* Numbers are asked for long before they run out. If they do, the log may be unable to write: the
 * number is good all the same, for what its owner says is only logged with a reservation. */
int64_t
log_guest(struct log *log)
{
    int64_t account = atomic_fetch_add(&log->threads.next_account, 1);
    struct log_request *request;

    if (account + GUESTS < log->reserved)
        return account;
    request = begin(log, REQUEST_RESERVE, 0);
    if (request != NULL) {
        request->ask.number = account + GUESTS;
        log->reserved = account + 2 * GUESTS;
        (void)end(log, request, false);
    }
    return account;
}

void
log_mark(struct log *log, int64_t account, int64_t room, int64_t seq)
{
    struct log_request *request = begin(log, REQUEST_MARK, 0);

    if (request == NULL)
        return;
    request->ask.mark.account = account;
    request->ask.mark.room = room;
    request->ask.mark.seq = seq;
    (void)end(log, request, false);
}

int
log_count(struct log *log, int64_t room, int64_t seq, uint64_t token)
{
    struct log_request *request = begin(log, REQUEST_COUNT, token);

    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.range.room = room;
    request->ask.range.until = seq;
    return end(log, request, false);
}

static bool
is_complete(const struct log_entry *entry)
{
    switch (entry->kind) {
    case LOG_SAY:
    case LOG_ACTION:
    case LOG_TOPIC:
    case LOG_EDIT:
        return entry->text != NULL;
    case LOG_REACT:
        return entry->emoji != NULL;
    default:
        return entry->kind == LOG_REDACT;
    }
}

int
log_append(struct log *log, const struct log_entry *entry, void *user, uint64_t token)
{
    struct log_request *request;
    struct log_entry *copy;
    bool failed = false;

    if (!is_complete(entry))
        return LAZYCHAT_INVALID;
    request = begin(log, REQUEST_APPEND, token);
    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->user = user;
    copy = &request->ask.entry;
    *copy = *entry;
    copy->seq = copy->at = 0;
    copy->nick = log_request_copy(request, entry->nick, &failed);
    copy->id = log_request_copy(request, entry->id, &failed);
    copy->text = log_request_copy(request, entry->text, &failed);
    copy->emoji = log_request_copy(request, entry->emoji, &failed);
    return end(log, request, failed);
}

static size_t
some_rows(size_t limit)
{
    return limit < 1 ? 1 : limit > ROWS_MOST ? ROWS_MOST : limit;
}

int
log_read(struct log *log, const struct log_range *range, uint64_t token)
{
    struct log_request *request = begin(log, REQUEST_READ, token);

    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.range = *range;
    request->ask.range.limit = some_rows(range->limit);
    if (range->since < 0)
        request->ask.range.since = 0;
    return end(log, request, false);
}

int
log_search(struct log *log, int64_t room, const char *text, int64_t before, size_t limit,
           int64_t account, uint64_t token)
{
    struct log_request *request = begin(log, REQUEST_SEARCH, token);
    bool failed = false;

    if (request == NULL)
        return LAZYCHAT_WOULD_BLOCK;
    request->ask.search.room = room;
    request->ask.search.before = before;
    request->ask.search.account = account;
    request->ask.search.limit = some_rows(limit);
    request->ask.search.text = log_request_copy(request, text, &failed);
    return end(log, request, failed);
}

void
log_keep(struct log *log, int64_t room, int64_t age, int64_t count)
{
    struct log_request *request = log_request_create(REQUEST_KEEP, 0);

    if (request == NULL)
        return;
    request->ask.keep.room = room;
    request->ask.keep.age = age;
    request->ask.keep.count = count;
    (void)end(log, request, false);
}

/* ---- Events ---- */

void
log_flush(struct log *log)
{
    worker_give(log->threads.writer, &log->for_writer);
    worker_give(log->threads.reader, &log->for_reader);
    worker_give(log->threads.searcher, &log->for_searcher);
}

static enum log_event_type
event_type(enum log_request_type type)
{
    static const enum log_event_type types[] = {
        [REQUEST_APPEND] = LOG_APPENDED, [REQUEST_IDENTIFY] = LOG_IDENTIFIED,
        [REQUEST_NAME] = LOG_NAMED,      [REQUEST_OPEN_ROOM] = LOG_ROOM_OPENED,
        [REQUEST_READ] = LOG_ROWS,       [REQUEST_COUNT] = LOG_COUNTED,
        [REQUEST_SEARCH] = LOG_FOUND,    [REQUEST_FIRST] = LOG_FIRST,
        [REQUEST_STATE] = LOG_STATE,
    };

    return types[type];
}

static int64_t
room_of(const struct log_request *request)
{
    switch (request->type) {
    case REQUEST_READ:
    case REQUEST_COUNT:
        return request->ask.range.room;
    case REQUEST_SEARCH:
        return request->ask.search.room;
    default:
        return 0;
    }
}

static void
tell(const struct log_request *request, struct log_event *event)
{
    *event = (struct log_event){
        .type = event_type(request->type),
        .token = request->token,
        .user = request->user,
        .code = request->code,
        .text = request->text,
        .entry = request->entry,
        .duplicate = request->duplicate,
        .fresh = request->fresh,
        .more = request->more,
        .backwards = request->type == REQUEST_READ && request->ask.range.before > 0,
        .query = request->type == REQUEST_SEARCH ? request->ask.search.text : NULL,
        .account = request->account,
        .count = request->count,
        .nick = request->nick,
        .marks = request->marks,
        .mark_count = request->mark_count,
        .from = request->from,
        .until = request->until,
        .first = request->first,
        .head = request->head,
        .rows = request->rows,
        .row_count = request->row_count,
    };
    if (request->room != NULL)
        event->room = *request->room;
    else
        event->room.id = room_of(request);
}

int
log_next(struct log *log, struct log_event *event)
{
    struct job *job = outbox_take(log->threads.outbox);

    log_request_destroy(log->answered);
    log->answered = (struct log_request *)(void *)job;
    if (job == NULL)
        return 0;
    tell(log->answered, event);
    if (event->type != LOG_FIRST && event->type != LOG_STATE)
        log->threads.waiting--;
    return 1;
}

void
log_stats(const struct log *log, struct log_stats *stats)
{
    const struct log_threads *threads = &log->threads;

    *stats = (struct log_stats){
        .commits = threads->commits,
        .appended = threads->appended,
        .duplicates = threads->duplicates,
        .refused = threads->refused,
        .commit_us = threads->commit_us,
        .queued = threads->waiting,
    };
}
