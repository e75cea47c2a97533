/* log_writer.c: many requests, one commit.
 *
 * Everything that is queued becomes one transaction; its answers go out when it is committed. If it
 * fails, it is rolled back with the numbers that were given in it, and each request is refused, or,
 * when one of them may be to blame, tried in a transaction of its own.
 */
#include "log_writer.h"

#include "clock.h"
#include "log_schema.h"
#include "log_scrub.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX  4096 /* requests in one transaction */
#define RESERVE    1000 /* account numbers at a time */
#define KEEP_MS    1000
#define WAL_PAGES  1000 /* after so many they are written to the database */
#define PORT_MAX   65535
#define FIRST_PORT 2015

static const char *const statements[LOG_WRITER_STATEMENTS] = {
    [WRITE_META] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
    [READ_META] = "SELECT value FROM meta WHERE name = ?1",
    [WRITE_ROOM] = "UPDATE room SET head = ?2, first = ?3, said = ?4, at = ?5 WHERE id = ?1",
    [FIND_ROOM] = "SELECT id, port, topic FROM room WHERE name = ?1",
    [ADD_ROOM] = "INSERT INTO room(id, name, port, topic) VALUES(?1, ?2, ?3, ?4)",
    [LAST_PORT] = "SELECT max(port) FROM room",
    [ALL_ROOMS] =
        "SELECT id, name, port, topic, head, first, said, at, topic_seq FROM room ORDER BY port",
    [FIND_KEY] = "SELECT account FROM key WHERE value = ?1 AND kind = ?2",
    [ADD_KEY] = "INSERT INTO key VALUES(?1, ?2, ?3)",
    [ADD_ACCOUNT] = "INSERT INTO account(id) VALUES(?1)",
    [FIND_ACCOUNT] = "SELECT nick FROM account WHERE id = ?1",
    [FIND_SKELETON] = "SELECT id FROM account WHERE skeleton = ?1",
    [WRITE_NICK] = "UPDATE account SET nick = ?2, skeleton = ?3 WHERE id = ?1",
    [FIND_MARKS] = "SELECT room, seq, said FROM mark WHERE account = ?1",
    [WRITE_MARK] = ("INSERT INTO mark VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
                    "seq = excluded.seq, said = excluded.said WHERE excluded.seq > seq"),
    [FIND_NTH] = "SELECT nth, kind <= 1 FROM message WHERE key = ?1",
    [DELETE_WIPES] = "DELETE FROM wipe WHERE id <= ?1",

    [FIND_SAID] = "SELECT room, seq, at FROM said WHERE account = ?1 AND id = ?2",
    [ADD_SAID] = "INSERT INTO said VALUES(?1, ?2, ?3, ?4, ?5)",
    [FIND_MESSAGE] = "SELECT kind, account, flags, target, nick, text FROM message WHERE key = ?1",
    [ADD_MESSAGE] =
        ("INSERT INTO message(key, at, account, kind, flags, nth, target, nick, id, text)"
         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
    [CHANGE_TEXT] = "UPDATE message SET text = ?2, flags = ?3, changed = ?4 WHERE key = ?1",
    [CHANGE_FLAGS] = "UPDATE message SET flags = ?2, changed = ?3 WHERE key = ?1",
    [ADD_WIPE] = "INSERT INTO wipe(key, text) VALUES(?1, ?2)",
    [WRITE_TOPIC] = "UPDATE room SET topic = ?2, topic_seq = ?3 WHERE id = ?1",
    [CLEAR_TOPIC] = "UPDATE room SET topic = '' WHERE id = ?1 AND topic_seq = ?2",
    [HAS_EMOJI] = "SELECT 1 FROM reaction WHERE key = ?1 AND emoji = ?2 LIMIT 1",
    [COUNT_EMOJI] = "SELECT count(DISTINCT emoji) FROM reaction WHERE key = ?1",
    [ADD_REACTION] = "INSERT OR IGNORE INTO reaction VALUES(?1, ?2, ?3, ?4)",
    [DELETE_REACTION] = "DELETE FROM reaction WHERE key = ?1 AND emoji = ?2 AND account = ?3",

    [OLDEST_MESSAGES] =
        "SELECT at, nth, account, id, kind, flags, text FROM message WHERE key = ?1",
    [DELETE_MESSAGE] = "DELETE FROM message WHERE key = ?1",
    [DELETE_REACTIONS] = "DELETE FROM reaction WHERE key = ?1",
    [ADD_FORGET] = "INSERT OR IGNORE INTO forget VALUES(?1, ?2, ?3)",
    [OLDEST_FORGET] = "SELECT at, account, id FROM forget WHERE at < ?1 ORDER BY at LIMIT 1",
    [DELETE_FORGET] = "DELETE FROM forget WHERE at = ?1 AND account = ?2 AND id = ?3",
    [DELETE_SAID] = "DELETE FROM said WHERE account = ?1 AND id = ?2",
};

/* ---- Rooms ---- */

struct log_writer_room *
log_writer_room(struct log_writer *writer, int64_t id)
{
    return id < 1 || (uint64_t)id > writer->room_count ? NULL : &writer->rooms[id - 1];
}

void
log_writer_touch(struct log_writer *writer, int64_t id)
{
    struct log_writer_room *room = &writer->rooms[id - 1];

    if (room->touched)
        return;
    room->touched = true;
    writer->touched[writer->touched_count++] = (size_t)id - 1;
}

/* Room for one more. */
static bool
grow_rooms(struct log_writer *writer, size_t size)
{
    struct log_writer_room *rooms;
    size_t *touched;

    if (size <= writer->room_size)
        return true;
    size = size < 16 ? 16 : size * 2;
    rooms = realloc(writer->rooms, size * sizeof(*rooms));
    if (rooms == NULL)
        return false;
    writer->rooms = rooms;
    touched = realloc(writer->touched, size * sizeof(*touched));
    if (touched == NULL)
        return false;
    writer->touched = touched;
    memset(rooms + writer->room_size, 0, (size - writer->room_size) * sizeof(*rooms));
    writer->room_size = size;
    return true;
}

static void
read_room(sqlite3_stmt *row, struct log_room *room)
{
    const char *name = (const char *)sqlite3_column_text(row, 1);
    const char *topic = (const char *)sqlite3_column_text(row, 3);

    *room = (struct log_room){
        .id = sqlite3_column_int64(row, 0),
        .port = (uint16_t)sqlite3_column_int(row, 2),
        .head = sqlite3_column_int64(row, 4),
        .first = sqlite3_column_int64(row, 5),
        .said = sqlite3_column_int64(row, 6),
        .topic_seq = sqlite3_column_int64(row, 8),
    };
    snprintf(room->name, sizeof(room->name), "%s", name == NULL ? "" : name);
    snprintf(room->topic, sizeof(room->topic), "%s", topic == NULL ? "" : topic);
}

/* Takes a room over into the writer's own list. False: a damaged database, or no memory. */
static bool
learn_room(struct log_writer *writer, const struct log_room *room, int64_t at)
{
    struct log_writer_numbers numbers = {room->head, room->first, room->said, at};

    if (room->id < 1 || room->id > PORT_MAX || !grow_rooms(writer, (size_t)room->id))
        return false;
    if ((size_t)room->id > writer->room_count)
        writer->room_count = (size_t)room->id;
    writer->rooms[room->id - 1].now = writer->rooms[room->id - 1].committed = numbers;
    return true;
}

int
log_writer_rooms(struct log_writer *writer, struct log_room **rooms, size_t *count)
{
    sqlite3_stmt *row;
    int error = log_db_query(&writer->db, ALL_ROOMS, &row, "");

    *rooms = NULL;
    *count = 0;
    for (; error == SQLITE_ROW; error = sqlite3_step(row)) {
        struct log_room room, *more;

        read_room(row, &room);
        more = realloc(*rooms, (*count + 1) * sizeof(**rooms));
        if (more == NULL || !learn_room(writer, &room, sqlite3_column_int64(row, 7))) {
            error = more == NULL ? SQLITE_NOMEM : SQLITE_CORRUPT;
            *rooms = more == NULL ? *rooms : more;
            break;
        }
        *rooms = more;
        more[(*count)++] = room;
    }
    if (row != NULL)
        sqlite3_reset(row);
    writer->rooms_committed = writer->room_count;
    return error == SQLITE_DONE ? SQLITE_OK : error;
}

/* ---- Transactions ---- */

static int
write_rooms(struct log_writer *writer)
{
    int error = SQLITE_OK;

    for (size_t i = 0; i < writer->touched_count && error == SQLITE_OK; i++) {
        size_t index = writer->touched[i];
        const struct log_writer_numbers *now = &writer->rooms[index].now;

        error = log_db_run(&writer->db, WRITE_ROOM, "iiiii", (int64_t)index + 1, now->head,
                           now->first, now->said, now->at);
    }
    return error;
}

static void
forget_touched(struct log_writer *writer, bool committed)
{
    for (size_t i = 0; i < writer->touched_count; i++) {
        struct log_writer_room *room = &writer->rooms[writer->touched[i]];

        if (committed)
            room->committed = room->now;
        else
            room->now = room->committed;
        room->touched = false;
    }
    writer->touched_count = 0;
}

void
log_writer_rollback(struct log_writer *writer)
{
    log_db_rollback(&writer->db);
    forget_touched(writer, false);
    memset(writer->rooms + writer->rooms_committed, 0,
           (writer->room_count - writer->rooms_committed) * sizeof(*writer->rooms));
    writer->room_count = writer->rooms_committed;
    writer->reserved = writer->reserved_committed;
    writer->wiped = writer->wiped_committed;
    writer->appended = writer->duplicates = 0;
    writer->wipes = false;
}

static void
has_committed(struct log_writer *writer)
{
    struct log_threads *threads = writer->threads;
    bool news = writer->appended > 0 || writer->wipes || writer->wiped != writer->wiped_committed;

    forget_touched(writer, true);
    writer->rooms_committed = writer->room_count;
    writer->reserved_committed = writer->reserved;
    writer->wiped_committed = writer->wiped;
    threads->wiped = writer->wiped;
    threads->appended += writer->appended;
    threads->duplicates += writer->duplicates;
    writer->appended = writer->duplicates = 0;
    writer->wipes = false;
    if (news)
        log_threads_news(threads);
}

int
log_writer_commit(struct log_writer *writer)
{
    struct timespec before, after;
    int error = write_rooms(writer);

    clock_gettime(CLOCK_MONOTONIC, &before);
    if (error == SQLITE_OK)
        error = log_db_commit(&writer->db);
    if (error != SQLITE_OK) {
        log_writer_rollback(writer);
        return error;
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    writer->threads->commits++;
    writer->threads->commit_us += (uint64_t)((after.tv_sec - before.tv_sec) * 1000000 +
                                             (after.tv_nsec - before.tv_nsec) / 1000);
    has_committed(writer);
    return SQLITE_OK;
}

/* ---- What can be asked of the writer ---- */

int
log_writer_reserve(struct log_writer *writer, int64_t account)
{
    int64_t reserved = account + RESERVE;
    int error;

    if (account < writer->reserved)
        return SQLITE_OK;
    error = log_db_run(&writer->db, WRITE_META, "ti", "accounts", reserved);
    if (error == SQLITE_OK)
        writer->reserved = reserved;
    return error;
}

static int
add_room(struct log_writer *writer, struct log_request *request, struct log_room *room)
{
    sqlite3_stmt *row;
    int error = log_db_query(&writer->db, LAST_PORT, &row, "");
    int port;

    if (error != SQLITE_ROW)
        return error;
    port = sqlite3_column_int(row, 0) + 1;
    sqlite3_reset(row);
    if (writer->room_count >= request->ask.room.most || port > PORT_MAX) {
        request->code = "full";
        request->text = "there are as many rooms as this server allows";
        return SQLITE_OK;
    }
    room->id = (int64_t)writer->room_count + 1;
    room->port = (uint16_t)(port < FIRST_PORT ? FIRST_PORT : port);
    room->first = 1;
    snprintf(room->topic, sizeof(room->topic), "%s",
             request->ask.room.topic == NULL ? "" : request->ask.room.topic);
    error = log_db_run(&writer->db, ADD_ROOM, "itit", room->id, room->name, (int64_t)room->port,
                       room->topic);
    if (error == SQLITE_OK && !learn_room(writer, room, 0))
        error = SQLITE_NOMEM;
    request->fresh = true;
    return error;
}

static int
open_room(struct log_writer *writer, struct log_request *request)
{
    struct log_room *room = log_request_take(request, sizeof(*room));
    sqlite3_stmt *row;
    const struct log_writer_room *known;
    int error;

    if (room == NULL)
        return SQLITE_NOMEM;
    *room = (struct log_room){0};
    request->room = room;
    snprintf(room->name, sizeof(room->name), "%s", request->ask.room.name);
    error = log_db_query(&writer->db, FIND_ROOM, &row, "t", room->name);
    if (error == SQLITE_DONE)
        return add_room(writer, request, room);
    if (error != SQLITE_ROW)
        return error;
    room->id = sqlite3_column_int64(row, 0);
    room->port = (uint16_t)sqlite3_column_int(row, 1);
    snprintf(room->topic, sizeof(room->topic), "%s", (const char *)sqlite3_column_text(row, 2));
    sqlite3_reset(row);
    known = log_writer_room(writer, room->id);
    if (known == NULL)
        return SQLITE_CORRUPT;
    room->head = known->now.head;
    room->first = known->now.first;
    room->said = known->now.said;
    return SQLITE_OK;
}

static int
wiped(struct log_writer *writer, const struct log_request *request)
{
    int error = log_db_run(&writer->db, DELETE_WIPES, "i", request->ask.number);

    if (error == SQLITE_OK)
        error = log_db_run(&writer->db, WRITE_META, "ti", "wiped", request->ask.number);
    if (error == SQLITE_OK)
        writer->wiped = request->ask.number;
    return error;
}

static int
act(struct log_writer *writer, struct log_request *request)
{
    request->code = request->text = NULL;
    request->duplicate = request->fresh = false;
    switch (request->type) {
    case REQUEST_APPEND:
        return log_append_do(writer, request);
    case REQUEST_IDENTIFY:
        return log_account_identify(writer, request);
    case REQUEST_NAME:
        return log_account_name(writer, request);
    case REQUEST_OPEN_ROOM:
        return open_room(writer, request);
    case REQUEST_RESERVE:
        return log_writer_reserve(writer, request->ask.number);
    default:
        return wiped(writer, request);
    }
}

/* ---- Batches ---- */

/* What asks for no commit of its own. */
static bool
take_quiet(struct log_writer *writer, const struct log_request *request)
{
    struct log_writer_room *room;

    if (request->type == REQUEST_MARK) {
        log_account_mark(writer, request);
        return true;
    }
    if (request->type != REQUEST_KEEP)
        return false;
    room = log_writer_room(writer, request->ask.keep.room);
    if (room != NULL) {
        room->keep_age = request->ask.keep.age;
        room->keep_count = request->ask.keep.count;
        writer->keep_due = 1;
    }
    return true;
}

static bool
is_answered(const struct log_request *request)
{
    return request->type != REQUEST_RESERVE && request->type != REQUEST_WIPED;
}

/* Tell once when the log stops or goes on. `error`: SQLITE_OK when something was written. */
static void
tell_state(struct log_writer *writer, int error, struct job_queue *done)
{
    const char *code = log_db_code(error);
    struct log_request *request;
    int number;

    if (code == writer->state ||
        (code != NULL && writer->state != NULL && strcmp(code, writer->state) == 0))
        return;
    request = log_request_create(REQUEST_STATE, 0);
    if (request == NULL)
        return;
    writer->state = code;
    request->code = code;
    number = log_scrub_errno();
    if (code != NULL)
        request->text =
            log_threads_text(writer->threads, request, code,
                             (error & 0xff) == SQLITE_IOERR && number != 0 ? strerror(number)
                                                                           : sqlite3_errstr(error));
    job_push(done, &request->job);
}

/* One transaction for all that is queued, answers not yet given. */
static int
try_all(struct log_writer *writer, const struct job_queue *jobs)
{
    int error = log_db_begin_write(&writer->db);

    if (error == SQLITE_OK && writer->marks_due != 0)
        error = log_account_write_marks(writer);
    for (struct job *job = jobs->first; job != NULL && error == SQLITE_OK; job = job->next)
        error = act(writer, (struct log_request *)(void *)job);
    if (error != SQLITE_OK) {
        log_writer_rollback(writer);
        return error;
    }
    error = log_writer_commit(writer);
    if (error == SQLITE_OK)
        log_account_drop_marks(writer);
    return error;
}

static int
try_one(struct log_writer *writer, struct log_request *request)
{
    int error = request->type == REQUEST_IDENTIFY ? log_db_begin(&writer->db)
                                                  : log_db_begin_write(&writer->db);

    if (error == SQLITE_OK)
        error = act(writer, request);
    if (error == SQLITE_OK)
        return log_writer_commit(writer);
    log_writer_rollback(writer);
    return error;
}

static void
refuse(struct log_writer *writer, struct log_request *request, int error)
{
    request->entry = request->ask.entry;
    log_threads_refuse(writer->threads, request, error);
    writer->threads->refused++;
}

/* The batch failed for `error`: each by itself, unless it is plain that it would fail as well. */
static void
try_each(struct log_writer *writer, const struct job_queue *jobs, int error, struct job_queue *done)
{
    bool general = log_db_is_general(error);

    tell_state(writer, error, done);
    for (struct job *job = jobs->first; job != NULL; job = job->next) {
        struct log_request *request = (struct log_request *)(void *)job;
        int mine = error;

        /* Who one is can be told while nothing can be written. */
        if (!general || request->type == REQUEST_IDENTIFY)
            mine = try_one(writer, request);
        if (mine != SQLITE_OK)
            refuse(writer, request, mine);
    }
}

static void
give_answers(struct log_writer *writer, struct job_queue *jobs, struct job_queue *done)
{
    struct job *job;

    while ((job = job_pop(jobs)) != NULL) {
        struct log_request *request = (struct log_request *)(void *)job;

        if (is_answered(request)) {
            job_push(done, job);
        } else {
            writer->threads->waiting -= request->type == REQUEST_RESERVE;
            log_request_destroy(request);
        }
    }
    outbox_put(writer->threads->outbox, done);
}

static void
write_batch(struct log_writer *writer, struct job_queue *jobs)
{
    struct job_queue done = {0};
    int before = sqlite3_total_changes(writer->db.handle);
    int error = try_all(writer, jobs);

    if (error == SQLITE_OK) {
        if (sqlite3_total_changes(writer->db.handle) != before)
            tell_state(writer, SQLITE_OK, &done);
    } else {
        try_each(writer, jobs, error, &done);
        /* Markers may be what cannot be written; they are tried again, later. */
        if (writer->marks_due != 0)
            writer->marks_due = clock_ms() + LOG_ACCOUNT_MARKS_MS;
    }
    give_answers(writer, jobs, &done);
}

/* Moves what fits in one transaction. */
static void
next_batch(struct log_writer *writer, struct job_queue *from, struct job_queue *batch)
{
    struct job *job;

    while (batch->count < BATCH_MAX && (job = job_pop(from)) != NULL) {
        struct log_request *request = (struct log_request *)(void *)job;

        if (take_quiet(writer, request)) {
            writer->threads->waiting--;
            log_request_destroy(request);
        } else {
            job_push(batch, job);
        }
    }
}

/* ---- The thread ---- */

static int
count_pages(void *writer, sqlite3 *handle, const char *database, int pages)
{
    (void)handle, (void)database;
    ((struct log_writer *)writer)->wal_pages = pages;
    return SQLITE_OK;
}

static void
keep(struct log_writer *writer)
{
    struct job_queue done = {0};
    bool more = false;

    if (writer->keep_due == 0 || clock_ms() < writer->keep_due)
        return;
    log_keep_do(writer, &done, &more);
    outbox_put(writer->threads->outbox, &done);
    if (!log_keep_is_on(writer))
        writer->keep_due = 0;
    else
        writer->keep_due = more ? 1 : clock_ms() + KEEP_MS;
}

static int64_t
next_call(const struct log_writer *writer)
{
    int64_t due = INT64_MAX, now = clock_ms();

    if (writer->marks_due != 0)
        due = writer->marks_due;
    if (writer->keep_due != 0 && writer->keep_due < due)
        due = writer->keep_due;
    if (due == INT64_MAX)
        return -1;
    return due > now ? due - now : 0;
}

int64_t
log_writer_work(void *context, struct job_queue *jobs)
{
    struct log_writer *writer = context;

    do {
        struct job_queue batch = {0};

        next_batch(writer, jobs, &batch);
        if (batch.first != NULL || (writer->marks_due != 0 && clock_ms() >= writer->marks_due))
            write_batch(writer, &batch);
        /* Behind the answers, not before them. */
        if (writer->wal_pages >= WAL_PAGES) {
            writer->wal_pages = 0;
            (void)log_db_checkpoint(&writer->db, false, 0);
        }
    } while (jobs->first != NULL);
    if (!worker_stopping(writer->threads->writer))
        keep(writer);
    return next_call(writer);
}

/* ---- Beginning and end ---- */

static int
read_meta(struct log_writer *writer, const char *key, int64_t *number, char *text, size_t size)
{
    sqlite3_stmt *row;
    int error = log_db_query(&writer->db, READ_META, &row, "t", key);

    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_CORRUPT : error;
    if (number != NULL)
        *number = sqlite3_column_int64(row, 0);
    else
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_reset(row);
    return SQLITE_OK;
}

static int
read_all_meta(struct log_writer *writer)
{
    struct log_threads *threads = writer->threads;
    int error = read_meta(writer, "id", NULL, threads->id, sizeof(threads->id));

    if (error == SQLITE_OK)
        error = read_meta(writer, "accounts", &writer->reserved, NULL, 0);
    if (error == SQLITE_OK)
        error = read_meta(writer, "wiped", &writer->wiped, NULL, 0);
    threads->next_account = writer->reserved;
    threads->wiped = writer->wiped;
    writer->wiped_committed = writer->wiped;
    return error;
}

int
log_writer_open(struct log_writer *writer, struct log_threads *threads, int64_t *found)
{
    int error;

    *writer = (struct log_writer){.threads = threads};
    *found = 0;
    error = log_threads_open(threads, &writer->db, true, statements, LOG_WRITER_STATEMENTS);
    if (error == SQLITE_OK)
        error = log_schema_migrate(&writer->db, found);
    if (error == SQLITE_OK)
        error = read_all_meta(writer);
    if (error == SQLITE_OK)
        error = log_db_begin(&writer->db);
    if (error != SQLITE_OK)
        return error;
    error = log_writer_reserve(writer, writer->reserved);
    if (error == SQLITE_OK)
        error = log_db_commit(&writer->db);
    writer->reserved_committed = writer->reserved;
    sqlite3_wal_hook(writer->db.handle, count_pages, writer);
    return error;
}

/* Read markers that still wait; and what was reserved and not used is given back, so that numbers
 * stay small. */
static void
write_last(struct log_writer *writer)
{
    int error = log_db_begin(&writer->db);

    if (error == SQLITE_OK)
        error = log_account_write_marks(writer);
    if (error == SQLITE_OK)
        error = log_db_run(&writer->db, WRITE_META, "ti", "accounts",
                           (int64_t)writer->threads->next_account);
    if (error == SQLITE_OK)
        (void)log_db_commit(&writer->db);
    else
        log_db_rollback(&writer->db);
}

void
log_writer_close(struct log_writer *writer)
{
    if (writer->db.handle != NULL && writer->reserved_committed > 0)
        write_last(writer);
    log_account_drop_marks(writer);
    hash_free(&writer->marks);
    log_db_close(&writer->db);
    free(writer->rooms);
    free(writer->touched);
}
