/* log_threads.c: what the operator is told when the log fails, in one place. */
#include "log_threads.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* What anybody may read; it names no path. In memory only the first can happen much. */
static const struct {
    const char *code, *text, *memory;
} texts[] = {
    {"log-full",
     "the disk or the quota of the log is full: its operator has to free some space there",
     "the log in memory has grown to its limit: its operator has to keep less, or on a disk"},
    {"log-read-only",
     "the log cannot be written: its operator has to mount it read-write and let the server write "
     "there",
     "the log in memory cannot be written"},
    {"log-damaged",
     "the log is damaged: its operator has to stop the server, keep a copy of the directory, and "
     "restore a backup or try `sqlite3 log.db .recover`",
     "the log in memory is damaged: its operator has to start the server anew"},
    {"log-unavailable",
     "the log cannot be used: its operator has to look at the disk, and whether another program "
     "holds log.db",
     "the log in memory cannot be used: its operator has to see whether there is memory left"},
};

static const char *
find_text(const char *code, bool memory)
{
    size_t i = 0;

    while (i < sizeof(texts) / sizeof(*texts) - 1 && strcmp(texts[i].code, code) != 0)
        i++;
    return memory ? texts[i].memory : texts[i].text;
}

const char *
log_threads_text(const struct log_threads *threads, struct log_request *request, const char *code,
                 const char *detail)
{
    bool memory = threads->durability == LOG_NONE;
    const char *text = find_text(code, memory);
    char operator[1024];
    bool failed = false;

    if (detail == NULL)
        return text;
    snprintf(operator, sizeof(operator), "%s: %s (%s)", memory ? "memory" : threads->directory,
             text, detail);
    return log_request_copy(request, operator, & failed);
}

void
log_threads_refuse(const struct log_threads *threads, struct log_request *request, int error)
{
    const char *code = log_db_code(error);

    if (code == NULL)
        return;
    request->code = code;
    request->text = log_threads_text(threads, request, code, NULL);
}

int
log_threads_open(const struct log_threads *threads, struct log_db *db, bool create,
                 const char *const *sql, size_t count)
{
    const struct log_db_config config = {
        .path = threads->log_path,
        .vfs = threads->vfs,
        .durability = threads->durability,
        .create = create,
        .gate = threads->log_gate,
        .sql = sql,
        .count = count,
    };

    return log_db_open(db, &config);
}

void
log_threads_news(struct log_threads *threads)
{
    if (!atomic_exchange(&threads->news, true))
        worker_wake(threads->searcher);
}

int64_t
log_threads_now(const struct log_threads *threads)
{
    struct timespec now;

    if (threads->now != NULL)
        return threads->now();
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
