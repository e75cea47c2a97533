/* log_search.c: when what is done: indexing behind the commits, answers, vanishing.
 *
 * A text that was redacted or edited is in log.db's free space no longer (secure_delete,
 * log_scrub), but still in the index, in both WALs, and in the table `wipe`. So, a little after:
 * the index forgets it; its pieces are merged, which is what makes FTS5 really let go; its WAL is
 * emptied; the writer takes the wipe out; the log's WAL is emptied. Whatever fails is tried again.
 */
#include "log_search.h"

#include "clock.h"
#include "log_rows.h"

#include <stdlib.h>

#define ROUND_MS    100  /* indexing at most so often, for company */
#define PURGE_MS    3000 /* from a redaction to making it vanish, for company too */
#define RETRY_MS    1000 /* and twice as long each time */
#define RETRY_MAX   60000
#define PATIENCE_MS 20 /* for readers of a WAL that is to be emptied */

const char *const log_search_statements[LOG_SEARCH_STATEMENTS] = {
    [SEARCH_ROOMS] = "SELECT id, head FROM room",
    [SEARCH_TEXTS] = "SELECT key, kind, text FROM message WHERE key > ?1 AND key <= ?2 "
                     "ORDER BY key LIMIT ?3",
    [SEARCH_WIPES] = "SELECT id, key, text FROM wipe WHERE id > ?1 ORDER BY id",
    [SEARCH_NEXT_WIPE] = "SELECT text FROM wipe WHERE key = ?1 AND id > ?2 ORDER BY id LIMIT 1",
    [SEARCH_TEXT] = "SELECT text FROM message WHERE key = ?1 AND kind < 2",
    [SEARCH_ROW] = "SELECT " LOG_ROWS_COLUMNS " FROM message WHERE key = ?1 AND text IS NOT NULL",
    [SEARCH_REACTIONS] = LOG_ROWS_REACTIONS,
};

/* ---- Searching ---- */

static int
open_if_need_be(struct log_search *search)
{
    return search->index.handle != NULL ? SQLITE_OK : log_index_open(search);
}

static int
catch_up(struct log_search *search)
{
    bool more = true;
    int error = open_if_need_be(search);

    search->threads->news = false;
    while (error == SQLITE_OK && more && !worker_stopping(search->threads->searcher))
        error = log_index_round(search, &more);
    search->stale = true;
    return error;
}

struct finding {
    struct log_search *search;
    struct log_request *request;
    struct log_rows rows;
    int error;
};

static bool
take_found(void *context, int64_t key)
{
    struct finding *finding = context;
    struct log_request *request = finding->request;
    sqlite3_stmt *row;
    int error = log_db_query(&finding->search->log, SEARCH_ROW, &row, "i", key);

    if (error == SQLITE_DONE)
        return true; /* redacted just now */
    if (error == SQLITE_ROW) {
        request->more = request->row_count == finding->rows.limit;
        error = request->more ? SQLITE_OK : log_rows_add(&finding->rows, row);
        sqlite3_reset(row);
    }
    finding->error = error;
    return error == SQLITE_OK && !request->more;
}

static int
find(struct log_search *search, struct log_request *request, const char *query)
{
    int64_t before = request->ask.search.before;
    struct finding finding = {
        .search = search,
        .request = request,
        .rows = {.request = request,
                 .db = &search->log,
                 .reactions = SEARCH_REACTIONS,
                 .account = request->ask.search.account,
                 .limit = request->ask.search.limit},
    };
    int error = log_db_begin(&search->log);

    if (before <= 0 || before > LOG_SEQ_MAX)
        before = LOG_SEQ_MAX;
    if (error == SQLITE_OK)
        error =
            log_index_find(search, request->ask.search.room, query, before, take_found, &finding);
    log_db_rollback(&search->log);
    return error == SQLITE_OK ? finding.error : error;
}

static void
answer(struct log_search *search, struct log_request *request)
{
    char *query = log_query_make(request->ask.search.text);
    int error = query == NULL ? SQLITE_NOMEM : catch_up(search);

    if (error == SQLITE_OK && query[0] != '\0')
        error = find(search, request, query);
    free(query);
    if (error != SQLITE_OK) {
        request->row_count = 0;
        request->more = false;
    }
    log_threads_refuse(search->threads, request, error);
}

static void
answer_all(struct log_search *search, struct job_queue *jobs)
{
    struct job *job;

    while ((job = job_pop(jobs)) != NULL) {
        struct job_queue done = {0};

        answer(search, (struct log_request *)(void *)job);
        job_push(&done, job);
        outbox_put(search->threads->outbox, &done);
    }
}

/* ---- Vanishing ---- */

static void
ask_writer(struct log_search *search)
{
    struct log_request *request = log_request_create(REQUEST_WIPED, 0);
    struct job_queue jobs = {0};

    if (request == NULL)
        return;
    request->ask.number = search->target;
    job_push(&jobs, &request->job);
    worker_give(search->threads->writer, &jobs);
}

/* One step. Sets search->purge_due to when the next one is to be; 0: all is done. */
static int
purge(struct log_search *search, int64_t now)
{
    bool more;
    int error = log_index_merge(search, &more);

    if (error != SQLITE_OK || more)
        return error;
    if (search->threads->wiped < search->target) {
        error = log_db_checkpoint(&search->index, true, PATIENCE_MS);
        if (error == SQLITE_OK) {
            ask_writer(search);
            search->purge_due = now + RETRY_MS; /* or when the writer says that there is news */
        }
        return error;
    }
    error = log_db_checkpoint(&search->index, true, PATIENCE_MS);
    if (error == SQLITE_OK)
        error = log_db_checkpoint(&search->log, true, PATIENCE_MS);
    if (error != SQLITE_OK)
        return error;
    search->purged = search->target;
    search->target = -1;
    search->purge_due = 0;
    return SQLITE_OK;
}

/* ---- The thread ---- */

static int
index_a_little(struct log_search *search, int64_t now)
{
    bool more;
    int error;

    search->threads->news = false;
    error = log_index_round(search, &more);
    if (error != SQLITE_OK || more)
        search->threads->news = true; /* not told anew, so remembered */
    search->round_due = more ? now : now + ROUND_MS;
    search->stale = true;
    return error;
}

static int
work_a_little(struct log_search *search, int64_t now)
{
    int error = open_if_need_be(search);

    if (error == SQLITE_OK && search->threads->news && now >= search->round_due)
        error = index_a_little(search, now);
    if (error != SQLITE_OK)
        return error;
    if (search->target >= 0 && search->threads->wiped >= search->target)
        search->purge_due = search->purge_due > now ? now : search->purge_due;
    if (search->stale && search->target < 0 && search->purge_due == 0 &&
        (search->wiped > search->purged || log_index_is_dirty(search)))
        search->purge_due = now + PURGE_MS;
    search->stale = false;
    if (search->purge_due == 0 || now < search->purge_due)
        return SQLITE_OK;
    if (search->target < 0)
        search->target = search->wiped;
    return purge(search, now);
}

static int64_t
next_call(const struct log_search *search, int64_t now)
{
    int64_t due = INT64_MAX;

    if (search->retry_due > now)
        return search->retry_due - now;
    if (search->threads->news)
        due = search->round_due;
    if (search->purge_due != 0 && search->purge_due < due)
        due = search->purge_due;
    if (due == INT64_MAX)
        return -1;
    return due > now ? due - now : 0;
}

int64_t
log_search_work(void *context, struct job_queue *jobs)
{
    struct log_search *search = context;
    int64_t now;

    answer_all(search, jobs);
    if (worker_stopping(search->threads->searcher))
        return -1;
    now = clock_ms();
    if (now >= search->retry_due) {
        if (work_a_little(search, now) == SQLITE_OK) {
            search->retry_ms = RETRY_MS;
        } else {
            search->retry_due = now + search->retry_ms;
            search->retry_ms = search->retry_ms < RETRY_MAX / 2 ? search->retry_ms * 2 : RETRY_MAX;
        }
    }
    return next_call(search, clock_ms());
}

int
log_search_open(struct log_search *search, struct log_threads *threads)
{
    int error;

    *search = (struct log_search){
        .threads = threads, .purged = -1, .target = -1, .stale = true, .retry_ms = RETRY_MS};
    error = log_threads_open(threads, &search->log, false, log_search_statements,
                             LOG_SEARCH_STATEMENTS);
    if (error != SQLITE_OK)
        return error;
    /* An index that cannot be had now is had later; only searches wait for it. */
    (void)log_index_open(search);
    threads->news = true;
    return SQLITE_OK;
}

void
log_search_close(struct log_search *search)
{
    log_db_close(&search->index);
    log_db_close(&search->log);
    free(search->indexed);
}
