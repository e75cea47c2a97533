/* log_account.c: who has which keys, which name, and has read how far. */
#include "log_writer.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_MAX 100000

/* ---- Accounts ---- */

static int
make_account(struct log_writer *writer, const struct log_request *request, int64_t *account)
{
    int error;

    *account = atomic_fetch_add(&writer->threads->next_account, 1);
    error = log_writer_reserve(writer, *account);
    if (error == SQLITE_OK)
        error = log_db_run(&writer->db, ADD_ACCOUNT, "i", *account);
    if (error == SQLITE_OK)
        error = log_db_run(&writer->db, ADD_KEY, "bii", (const void *)request->ask.key.bytes,
                           request->ask.key.length, (int64_t)request->ask.key.kind, *account);
    return error;
}

static int
find_nick(struct log_writer *writer, struct log_request *request)
{
    sqlite3_stmt *row;
    bool failed = false;
    int error = log_db_query(&writer->db, FIND_ACCOUNT, &row, "i", request->account);

    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_CORRUPT : error;
    request->nick = log_request_copy(request, (const char *)sqlite3_column_text(row, 0), &failed);
    sqlite3_reset(row);
    return failed ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- Read markers: kept in memory for a while, so that they cost no commits of their own ---- */

struct mark {
    struct job job; /* in mark_list */
    struct hash_node node;
    int64_t account, room, seq;
};

static struct mark *
find_mark(const struct log_writer *writer, int64_t account, int64_t room)
{
    struct hash_node *node = hash_first(&writer->marks, hash_mix((uint64_t)account));

    for (; node != NULL; node = hash_next(node)) {
        struct mark *mark = hash_entry(node, struct mark, node);

        if (mark->account == account && mark->room == room)
            return mark;
    }
    return NULL;
}

void
log_account_mark(struct log_writer *writer, const struct log_request *request)
{
    int64_t account = request->ask.mark.account, room = request->ask.mark.room;
    struct mark *mark = find_mark(writer, account, room);

    if (log_writer_room(writer, room) == NULL || request->ask.mark.seq < 1)
        return;
    if (mark == NULL) {
        mark = writer->mark_list.count < MARKS_MAX ? calloc(1, sizeof(*mark)) : NULL;
        if (mark == NULL)
            return;
        mark->account = account;
        mark->room = room;
        if (hash_insert(&writer->marks, &mark->node, hash_mix((uint64_t)account)) != LAZYCHAT_OK) {
            free(mark);
            return;
        }
        job_push(&writer->mark_list, &mark->job);
    }
    if (mark->seq < request->ask.mark.seq)
        mark->seq = request->ask.mark.seq;
    if (writer->marks_due == 0)
        writer->marks_due = clock_ms() + LOG_ACCOUNT_MARKS_MS;
}

/* How many `say` there were up to a number of the room. */
static int
find_said(struct log_writer *writer, int64_t id, int64_t seq, int64_t *said)
{
    const struct log_writer_room *room = log_writer_room(writer, id);
    sqlite3_stmt *row;
    int error;

    *said = room->now.said;
    if (seq >= room->now.head)
        return SQLITE_OK;
    error = log_db_query(&writer->db, FIND_NTH, &row, "i", log_row_key(id, seq));
    if (error == SQLITE_DONE) {
        /* Older than what is kept: as if it were just before that. */
        error = log_db_query(&writer->db, FIND_NTH, &row, "i", log_row_key(id, room->now.first));
        if (error == SQLITE_ROW)
            *said = sqlite3_column_int64(row, 0) - sqlite3_column_int64(row, 1);
    } else if (error == SQLITE_ROW) {
        *said = sqlite3_column_int64(row, 0);
    }
    if (row != NULL)
        sqlite3_reset(row);
    return error == SQLITE_ROW || error == SQLITE_DONE ? SQLITE_OK : error;
}

int
log_account_write_marks(struct log_writer *writer)
{
    int error = SQLITE_OK;

    for (struct job *job = writer->mark_list.first; job != NULL && error == SQLITE_OK;
         job = job->next) {
        struct mark *mark = (struct mark *)(void *)job;
        const struct log_writer_room *room = log_writer_room(writer, mark->room);
        int64_t said;
        sqlite3_stmt *row;

        if (mark->seq > room->now.head)
            mark->seq = room->now.head;
        error = log_db_query(&writer->db, FIND_ACCOUNT, &row, "i", mark->account);
        if (error == SQLITE_ROW) {
            sqlite3_reset(row);
            error = find_said(writer, mark->room, mark->seq, &said);
            if (error == SQLITE_OK)
                error = log_db_run(&writer->db, WRITE_MARK, "iiii", mark->account, mark->room,
                                   mark->seq, said);
        } else if (error == SQLITE_DONE) {
            error = SQLITE_OK; /* a guest's */
        }
    }
    return error;
}

void
log_account_drop_marks(struct log_writer *writer)
{
    struct job *job;

    while ((job = job_pop(&writer->mark_list)) != NULL) {
        struct mark *mark = (struct mark *)(void *)job;

        hash_remove(&writer->marks, &mark->node);
        free(mark);
    }
    writer->marks_due = 0;
}

/* Adds or corrects one. */
static bool
put_mark(struct log_request *request, size_t *size, const struct log_mark *mark)
{
    for (size_t i = 0; i < request->mark_count; i++)
        if (request->marks[i].room == mark->room) {
            request->marks[i] = *mark;
            return true;
        }
    if (request->mark_count == *size) {
        struct log_mark *marks;

        *size = *size == 0 ? 8 : *size * 2;
        marks = log_request_take(request, *size * sizeof(*marks));
        if (marks == NULL)
            return false;
        if (request->mark_count > 0)
            memcpy(marks, request->marks, request->mark_count * sizeof(*marks));
        request->marks = marks;
    }
    request->marks[request->mark_count++] = *mark;
    return true;
}

static int
put_waiting_marks(struct log_writer *writer, struct log_request *request, size_t *size)
{
    struct hash_node *node = hash_first(&writer->marks, hash_mix((uint64_t)request->account));
    int error = SQLITE_OK;

    for (; node != NULL && error == SQLITE_OK; node = hash_next(node)) {
        const struct mark *waiting = hash_entry(node, struct mark, node);
        const struct log_writer_room *room = log_writer_room(writer, waiting->room);
        struct log_mark mark = {.room = waiting->room, .seq = waiting->seq};
        bool older = false;

        if (waiting->account != request->account)
            continue;
        for (size_t i = 0; i < request->mark_count; i++)
            older =
                older || (request->marks[i].room == mark.room && request->marks[i].seq >= mark.seq);
        if (older)
            continue;
        if (mark.seq > room->now.head)
            mark.seq = room->now.head;
        error = find_said(writer, mark.room, mark.seq, &mark.said);
        if (error == SQLITE_OK && !put_mark(request, size, &mark))
            error = SQLITE_NOMEM;
    }
    return error;
}

static int
find_marks(struct log_writer *writer, struct log_request *request)
{
    size_t size = 0;
    sqlite3_stmt *row;
    int error = log_db_query(&writer->db, FIND_MARKS, &row, "i", request->account);

    request->mark_count = 0;
    for (; error == SQLITE_ROW; error = sqlite3_step(row)) {
        struct log_mark mark = {sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                                sqlite3_column_int64(row, 2)};

        if (!put_mark(request, &size, &mark)) {
            error = SQLITE_NOMEM;
            break;
        }
    }
    if (row != NULL)
        sqlite3_reset(row);
    return error == SQLITE_DONE ? put_waiting_marks(writer, request, &size) : error;
}

/* ---- Requests ---- */

int
log_account_identify(struct log_writer *writer, struct log_request *request)
{
    sqlite3_stmt *row;
    int error =
        log_db_query(&writer->db, FIND_KEY, &row, "bi", (const void *)request->ask.key.bytes,
                     request->ask.key.length, (int64_t)request->ask.key.kind);

    if (error == SQLITE_DONE) {
        request->fresh = true;
        return make_account(writer, request, &request->account);
    }
    if (error != SQLITE_ROW)
        return error;
    request->account = sqlite3_column_int64(row, 0);
    sqlite3_reset(row);
    error = find_nick(writer, request);
    return error == SQLITE_OK ? find_marks(writer, request) : error;
}

int
log_account_name(struct log_writer *writer, struct log_request *request)
{
    int64_t account = request->ask.name.account;
    sqlite3_stmt *row;
    int error = log_db_query(&writer->db, FIND_SKELETON, &row, "t", request->ask.name.skeleton);
    bool taken;

    if (error != SQLITE_ROW && error != SQLITE_DONE)
        return error;
    taken = row != NULL && sqlite3_column_int64(row, 0) != account;
    if (row != NULL)
        sqlite3_reset(row);
    request->account = account;
    request->nick = request->ask.name.nick;
    if (taken) {
        request->code = "nick-taken";
        request->text = "somebody else has this name, or one that looks the same";
        return SQLITE_OK;
    }
    error = log_db_run(&writer->db, WRITE_NICK, "itt", account, request->ask.name.nick,
                       request->ask.name.skeleton);
    if (error == SQLITE_OK && sqlite3_changes(writer->db.handle) == 0) {
        request->code = "not-joined";
        request->text = "a guest has no name of its own: join with a secret first";
    }
    return error;
}
