/* log_keep.c: drops what is no longer kept, from each room's oldest message on, a little at a time.
 *
 * What a message leaves behind goes too: its reactions, its text in the search index (by the table
 * `wipe`), and its id, but that not before a week is over: somebody may still say it again.
 */
#include "log_writer.h"

#define SLICE     200 /* rows in one transaction */
#define FORGET_MS (INT64_C(7) * 86400 * 1000)

static int
drop_id(struct log_writer *writer, int64_t at, int64_t account, const char *id, int64_t now)
{
    if (id == NULL)
        return SQLITE_OK;
    if (at < now - FORGET_MS)
        return log_db_run(&writer->db, DELETE_SAID, "it", account, id);
    return log_db_run(&writer->db, ADD_FORGET, "iit", at, account, id);
}

/* `row` is the message with that key. */
static int
drop_row(struct log_writer *writer, int64_t key, sqlite3_stmt *row, int64_t now)
{
    enum log_kind kind = (enum log_kind)sqlite3_column_int(row, 4);
    const char *text = (const char *)sqlite3_column_text(row, 6);
    int error = drop_id(writer, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 2),
                        (const char *)sqlite3_column_text(row, 3), now);

    if (error == SQLITE_OK && text != NULL && kind <= LOG_TOPIC)
        error = log_append_wipe(writer, key, kind == LOG_TOPIC ? NULL : text);
    if (error == SQLITE_OK && (sqlite3_column_int(row, 5) & LOG_HAS_REACTIONS) != 0)
        error = log_db_run(&writer->db, DELETE_REACTIONS, "i", key);
    return error;
}

/* The room's oldest message, if it is no longer kept. Sets *dropped. */
static int
drop_oldest(struct log_writer *writer, int64_t id, int64_t now, bool *dropped)
{
    struct log_writer_room *room = log_writer_room(writer, id);
    int64_t key = log_row_key(id, room->now.first);
    sqlite3_stmt *row;
    int error;

    *dropped = false;
    if (room->now.first > room->now.head)
        return SQLITE_OK;
    error = log_db_query(&writer->db, OLDEST_MESSAGES, &row, "i", key);
    if (error == SQLITE_ROW) {
        int64_t at = sqlite3_column_int64(row, 0), nth = sqlite3_column_int64(row, 1);

        *dropped = (room->keep_age > 0 && at <= now - room->keep_age) ||
                   (room->keep_count > 0 && nth <= room->now.said - room->keep_count);
        error = *dropped ? drop_row(writer, key, row, now) : SQLITE_OK;
        sqlite3_reset(row);
    } else if (error == SQLITE_DONE) {
        *dropped = true; /* a number that is not there */
        error = SQLITE_OK;
    }
    if (error == SQLITE_OK && *dropped) {
        log_writer_touch(writer, id);
        room->now.first++;
        error = log_db_run(&writer->db, DELETE_MESSAGE, "i", key);
    }
    return error;
}

static int
drop_rows(struct log_writer *writer, int64_t now, int *left)
{
    int error = SQLITE_OK;

    for (size_t i = 0; i<writer->room_count && * left> 0 && error == SQLITE_OK; i++) {
        const struct log_writer_room *room = &writer->rooms[i];
        bool dropped = room->keep_age > 0 || room->keep_count > 0;

        for (; dropped && *left > 0 && error == SQLITE_OK; *left -= dropped)
            error = drop_oldest(writer, (int64_t)i + 1, now, &dropped);
    }
    return error;
}

static int
forget_ids(struct log_writer *writer, int64_t now, int *left)
{
    int error = SQLITE_ROW;

    for (; *left > 0 && error == SQLITE_ROW; (*left)--) {
        sqlite3_stmt *row;

        error = log_db_query(&writer->db, OLDEST_FORGET, &row, "i", now - FORGET_MS);
        if (error == SQLITE_ROW) {
            int64_t at = sqlite3_column_int64(row, 0), account = sqlite3_column_int64(row, 1);
            const char *id = (const char *)sqlite3_column_text(row, 2);
            int failed = log_db_run(&writer->db, DELETE_SAID, "it", account, id);

            if (failed == SQLITE_OK)
                failed = log_db_run(&writer->db, DELETE_FORGET, "iit", at, account, id);
            sqlite3_reset(row);
            error = failed == SQLITE_OK ? SQLITE_ROW : failed;
        }
    }
    return error == SQLITE_ROW || error == SQLITE_DONE ? SQLITE_OK : error;
}

static void
tell_first(struct job_queue *done, int64_t id, int64_t first)
{
    struct log_request *request = log_request_create(REQUEST_FIRST, 0);
    struct log_room *room = request == NULL ? NULL : log_request_take(request, sizeof(*room));

    if (room == NULL) {
        log_request_destroy(request);
        return; /* the next one says more */
    }
    *room = (struct log_room){.id = id, .first = first};
    request->room = room;
    job_push(done, &request->job);
}

static void
tell_all(struct log_writer *writer, struct job_queue *done)
{
    for (size_t i = 0; i < writer->touched_count; i++) {
        size_t index = writer->touched[i];

        tell_first(done, (int64_t)index + 1, writer->rooms[index].now.first);
    }
}

void
log_keep_do(struct log_writer *writer, struct job_queue *done, bool *more)
{
    int before = sqlite3_total_changes(writer->db.handle), left = SLICE;
    int64_t now = log_threads_now(writer->threads);
    int error = log_db_begin(&writer->db);
    struct job *job;

    *more = false;
    if (error == SQLITE_OK)
        error = drop_rows(writer, now, &left);
    if (error == SQLITE_OK)
        error = forget_ids(writer, now, &left);
    if (error != SQLITE_OK || sqlite3_total_changes(writer->db.handle) == before) {
        log_writer_rollback(writer);
        return;
    }
    tell_all(writer, done);
    if (log_writer_commit(writer) == SQLITE_OK)
        *more = left <= 0;
    else
        while ((job = job_pop(done)) != NULL)
            log_request_destroy((struct log_request *)(void *)job);
}

bool
log_keep_is_on(const struct log_writer *writer)
{
    for (size_t i = 0; i < writer->room_count; i++)
        if (writer->rooms[i].keep_age > 0 || writer->rooms[i].keep_count > 0)
            return true;
    return false;
}
