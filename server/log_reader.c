/* log_reader.c: from numbers to messages as they are now.
 *
 * A range is read number by number. A number that is a change brings in the message that it
 * changed, so a range is complete by itself: whoever misses the change of an old message gets the
 * message, changed. Each answer is of one moment: one transaction.
 */
#include "log_reader.h"

#include "log_rows.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 20000 /* that one answer walks: many may be changes of few messages */

enum statement { ROOM, FORWARDS, BACKWARDS, ONE, NTH, REACTIONS, STATEMENTS };

static const char *const statements[STATEMENTS] = {
    [ROOM] = "SELECT head, first, said FROM room WHERE id = ?1",
    [FORWARDS] = "SELECT " LOG_ROWS_COLUMNS " FROM message WHERE key >= ?1 AND key <= ?2 "
                 "ORDER BY key",
    [BACKWARDS] = "SELECT " LOG_ROWS_COLUMNS " FROM message WHERE key >= ?1 AND key <= ?2 "
                  "ORDER BY key DESC",
    [ONE] = "SELECT " LOG_ROWS_COLUMNS " FROM message WHERE key = ?1",
    [NTH] = "SELECT nth, kind <= 1 FROM message WHERE key = ?1",
    [REACTIONS] = LOG_ROWS_REACTIONS,
};

enum { COLUMN_KEY = 0, COLUMN_KIND = 3, COLUMN_TARGET = 5, COLUMN_TEXT = 9 };

struct numbers {
    int64_t head, first, said;
};

static int
read_numbers(struct log_reader *reader, int64_t room, struct numbers *numbers)
{
    sqlite3_stmt *row;
    int error = log_db_query(&reader->db, ROOM, &row, "i", room);

    *numbers = (struct numbers){.head = -1};
    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    *numbers = (struct numbers){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                                sqlite3_column_int64(row, 2)};
    sqlite3_reset(row);
    return SQLITE_OK;
}

static void
refuse_room(struct log_request *request)
{
    request->code = "no-room";
    request->text = "there is no such room";
}

/* Does another row still fit? */
static bool
has_room(const struct log_rows *rows, const struct log_range *range, sqlite3_stmt *row)
{
    size_t bytes = (size_t)sqlite3_column_bytes(row, COLUMN_TEXT);

    return rows->request->row_count == 0 ||
           (rows->request->row_count < range->limit && rows->bytes + bytes <= range->bytes);
}

/* ---- Forwards ---- */

/* Older messages that are in the answer already, because one of its numbers changed them. */
struct seen {
    int64_t *numbers;
    size_t size, count;
};

static bool
is_seen(const struct seen *seen, int64_t number)
{
    for (size_t i = seen->count; i-- > 0;)
        if (seen->numbers[i] == number)
            return true;
    return false;
}

static bool
note_seen(struct seen *seen, int64_t number)
{
    if (seen->count == seen->size) {
        size_t size = seen->size == 0 ? 32 : seen->size * 2;
        int64_t *numbers = realloc(seen->numbers, size * sizeof(*numbers));

        if (numbers == NULL)
            return false;
        seen->numbers = numbers;
        seen->size = size;
    }
    seen->numbers[seen->count++] = number;
    return true;
}

/* The message that the change at `row` is about, unless the answer has it. *full: no room. */
static int
add_changed(struct log_reader *reader, struct log_rows *rows, const struct log_range *range,
            sqlite3_stmt *change, struct seen *seen, bool *full)
{
    int64_t target = sqlite3_column_int64(change, COLUMN_TARGET);
    sqlite3_stmt *row;
    int error;

    if (target > range->since || is_seen(seen, target))
        return SQLITE_OK;
    error = log_db_query(&reader->db, ONE, &row, "i", log_row_key(range->room, target));
    if (error == SQLITE_DONE)
        return SQLITE_OK; /* no longer kept */
    if (error != SQLITE_ROW)
        return error;
    *full = !has_room(rows, range, row);
    if (!*full)
        error = log_rows_add(rows, row);
    else
        error = SQLITE_OK;
    sqlite3_reset(row);
    if (error == SQLITE_OK && !*full && !note_seen(seen, target))
        error = SQLITE_NOMEM;
    return error;
}

static int
compare_rows(const void *a, const void *b)
{
    int64_t x = ((const struct log_row *)a)->seq, y = ((const struct log_row *)b)->seq;

    return x < y ? -1 : x > y;
}

static int
read_forwards(struct log_reader *reader, struct log_request *request, struct log_rows *rows)
{
    const struct log_range *range = &request->ask.range;
    int64_t until =
        range->until <= 0 || range->until > request->head ? request->head : range->until;
    int64_t last = range->since, walked = 0;
    struct seen seen = {0};
    bool full = false;
    sqlite3_stmt *row;
    int error;

    request->until = until;
    request->from = until + 1;
    if (range->since >= until)
        return SQLITE_OK;
    error =
        log_db_query(&reader->db, FORWARDS, &row, "ii", log_row_key(range->room, range->since + 1),
                     log_row_key(range->room, until));

    for (; error == SQLITE_ROW; error = sqlite3_step(row)) {
        int failed;

        if (sqlite3_column_int(row, COLUMN_KIND) > LOG_TOPIC)
            failed = add_changed(reader, rows, range, row, &seen, &full);
        else if (has_room(rows, range, row))
            failed = log_rows_add(rows, row);
        else
            failed = (full = true, SQLITE_OK);
        if (failed != SQLITE_OK || full) {
            error = failed == SQLITE_OK ? SQLITE_ROW : failed;
            break;
        }
        last = log_row_seq(sqlite3_column_int64(row, COLUMN_KEY));
        if (++walked == NUMBERS_MAX)
            break;
    }
    if (row != NULL)
        sqlite3_reset(row);
    free(seen.numbers);
    request->from = range->since + 1;
    request->until = error == SQLITE_DONE ? until : last;
    if (seen.count > 0)
        qsort(request->rows, request->row_count, sizeof(*request->rows), compare_rows);
    return error == SQLITE_DONE || error == SQLITE_ROW ? SQLITE_OK : error;
}

/* ---- Backwards ---- */

static void
reverse(struct log_row *rows, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct log_row row = rows[i];

        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

static int
read_backwards(struct log_reader *reader, struct log_request *request, struct log_rows *rows)
{
    const struct log_range *range = &request->ask.range;
    int64_t before = range->before > request->head + 1 ? request->head + 1 : range->before;
    int64_t last = before, walked = 0;
    sqlite3_stmt *row;
    int error =
        log_db_query(&reader->db, BACKWARDS, &row, "ii", log_row_key(range->room, request->first),
                     log_row_key(range->room, before - 1));

    for (; error == SQLITE_ROW; error = sqlite3_step(row)) {
        int failed = SQLITE_OK;

        if (sqlite3_column_int(row, COLUMN_KIND) <= LOG_TOPIC) {
            if (!has_room(rows, range, row))
                break;
            failed = log_rows_add(rows, row);
        }
        if (failed != SQLITE_OK) {
            error = failed;
            break;
        }
        last = log_row_seq(sqlite3_column_int64(row, COLUMN_KEY));
        if (++walked == NUMBERS_MAX)
            break;
    }
    if (row != NULL)
        sqlite3_reset(row);
    reverse(request->rows, request->row_count);
    request->until = before - 1;
    request->from = last;
    return error == SQLITE_DONE || error == SQLITE_ROW ? SQLITE_OK : error;
}

/* ---- Requests ---- */

static int
read_range(struct log_reader *reader, struct log_request *request)
{
    const struct log_range *range = &request->ask.range;
    struct log_rows rows = {.request = request,
                            .db = &reader->db,
                            .reactions = REACTIONS,
                            .account = range->account,
                            .limit = range->limit};
    struct numbers numbers;
    int error = read_numbers(reader, range->room, &numbers);

    if (error == SQLITE_OK && numbers.head < 0)
        refuse_room(request);
    if (error != SQLITE_OK || numbers.head < 0)
        return error;
    request->head = numbers.head;
    request->first = numbers.first;
    if (range->before > 0)
        return read_backwards(reader, request, &rows);
    return read_forwards(reader, request, &rows);
}

/* `before`: how many there were before it, not up to it. */
static int
read_nth(struct log_reader *reader, int64_t key, bool before, int64_t *nth)
{
    sqlite3_stmt *row;
    int error = log_db_query(&reader->db, NTH, &row, "i", key);

    if (error == SQLITE_ROW) {
        *nth = sqlite3_column_int64(row, 0) - (before ? sqlite3_column_int64(row, 1) : 0);
        sqlite3_reset(row);
        error = SQLITE_OK;
    }
    return error == SQLITE_DONE ? SQLITE_OK : error;
}

/* Of numbers that are no longer there, the oldest one that is knows. */
static int
count_said(struct log_reader *reader, struct log_request *request)
{
    int64_t room = request->ask.range.room, seq = request->ask.range.until;
    struct numbers numbers;
    int error = read_numbers(reader, room, &numbers);

    request->until = seq;
    if (error == SQLITE_OK && numbers.head < 0)
        refuse_room(request);
    if (error != SQLITE_OK || numbers.head < 0)
        return error;
    request->count = numbers.said;
    if (seq >= numbers.head || numbers.first > numbers.head)
        return SQLITE_OK;
    if (seq >= numbers.first)
        return read_nth(reader, log_row_key(room, seq), false, &request->count);
    return read_nth(reader, log_row_key(room, numbers.first), true, &request->count);
}

/* Anything that the answer has so far goes. */
static void
clear_answer(struct log_request *request)
{
    request->row_count = 0;
    request->rows = NULL;
    request->count = 0;
}

static void
answer(struct log_reader *reader, struct log_request *request)
{
    int error = log_db_begin(&reader->db);

    if (error == SQLITE_OK)
        error = request->type == REQUEST_READ ? read_range(reader, request)
                                              : count_said(reader, request);
    if (error != SQLITE_OK)
        clear_answer(request);
    log_threads_refuse(reader->threads, request, error);
    log_db_rollback(&reader->db);
}

int64_t
log_reader_work(void *context, struct job_queue *jobs)
{
    struct log_reader *reader = context;
    struct job *job;

    while ((job = job_pop(jobs)) != NULL) {
        struct job_queue done = {0};

        answer(reader, (struct log_request *)(void *)job);
        job_push(&done, job);
        outbox_put(reader->threads->outbox, &done);
    }
    return -1;
}

int
log_reader_open(struct log_reader *reader, struct log_threads *threads)
{
    *reader = (struct log_reader){.threads = threads};
    return log_threads_open(threads, &reader->db, false, statements, STATEMENTS);
}

void
log_reader_close(struct log_reader *reader)
{
    log_db_close(&reader->db);
}
