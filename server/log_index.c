/* log_index.c: the search index: which words are in which message.
 *
 * It holds no texts, only words, in pieces of some ten thousand messages: FTS5 tables, one after
 * the other. Pieces, because to make one word vanish for good FTS5 (3.40) has to write the whole
 * table anew, and because the beginning of a frequent word is looked up in a table as a whole.
 * Which numbers of a room are in which piece, a `span` tells.
 *
 * A contentless FTS5 table can forget a text only if it is told exactly the text that it was told
 * before. So the state of the index is always the log's at one moment: all wipes up to `wiped` done
 * and none after it, and of each room the messages up to `indexed` as they were then. One round
 * reads one state of the log: first all wipes, and only if none is left, new messages. What a round
 * did and these two numbers are one transaction.
 */
#include "log_search.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1    /* of the tables and of what counts as a word */
#define SLICE   1000 /* messages or wipes in a round */
#define PAGES   64   /* of the index, in a slice of merging */

enum statement {
    READ_STATE,
    WRITE_WIPED,
    ALL_INDEXED,
    WRITE_INDEXED,
    LAST_PIECE,
    ADD_PIECE,
    WRITE_ROWS,
    LOSE_ROWS,
    SOIL_PIECE,
    CLEAN_PIECE,
    DIRTY_PIECE,
    DROP_PIECE,
    DROP_SPANS,
    WRITE_SPAN,
    FIND_SPAN,
    SPANS,
    STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    [READ_STATE] = "SELECT log, wiped FROM state",
    [WRITE_WIPED] = "UPDATE state SET wiped = ?1",
    [ALL_INDEXED] = "SELECT room, seq FROM indexed",
    [WRITE_INDEXED] = "INSERT OR REPLACE INTO indexed VALUES(?1, ?2)",
    [LAST_PIECE] = "SELECT id, rows FROM piece ORDER BY id DESC LIMIT 1",
    [ADD_PIECE] = "INSERT INTO piece VALUES(?1, 0, 0)",
    [WRITE_ROWS] = "UPDATE piece SET rows = ?2 WHERE id = ?1",
    [LOSE_ROWS] = "UPDATE piece SET rows = rows - ?2, dirty = 1 WHERE id = ?1",
    [SOIL_PIECE] = "UPDATE piece SET dirty = 1 WHERE id = ?1",
    [CLEAN_PIECE] = "UPDATE piece SET dirty = 0 WHERE id = ?1",
    [DIRTY_PIECE] = "SELECT id, rows FROM piece WHERE dirty = 1 ORDER BY id LIMIT 1",
    [DROP_PIECE] = "DELETE FROM piece WHERE id = ?1",
    [DROP_SPANS] = "DELETE FROM span WHERE piece = ?1",
    [WRITE_SPAN] = ("INSERT INTO span VALUES(?1, ?2, ?3, ?4) "
                    "ON CONFLICT DO UPDATE SET last = excluded.last"),
    [FIND_SPAN] = "SELECT piece FROM span WHERE room = ?1 AND first <= ?2 AND last >= ?2",
    [SPANS] = "SELECT piece FROM span WHERE room = ?1 AND first < ?2 ORDER BY piece DESC",
};

static const char schema[] =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), log TEXT, wiped INTEGER);"
    "CREATE TABLE indexed(room INTEGER PRIMARY KEY, seq INTEGER NOT NULL);"
    "CREATE TABLE piece(id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, dirty INTEGER NOT NULL);"
    "CREATE TABLE span(room INTEGER NOT NULL, piece INTEGER NOT NULL, first INTEGER NOT NULL,"
    "  last INTEGER NOT NULL, PRIMARY KEY(room, piece)) WITHOUT ROWID;"
    "CREATE INDEX dirty ON piece(id) WHERE dirty = 1;";

static const char new_piece[] =
    "CREATE VIRTUAL TABLE piece_%lld USING fts5(text, content = '', "
    "columnsize = 0, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2')";
static const char add_text[] = "INSERT INTO piece_%lld(rowid, text) VALUES(?1, ?2)";
static const char delete_text[] =
    "INSERT INTO piece_%lld(piece_%lld, rowid, text) VALUES('delete', ?1, ?2)";
static const char merge_piece[] = "INSERT INTO piece_%lld(piece_%lld, rank) VALUES('merge', ?1)";
static const char drop_piece[] = "DROP TABLE piece_%lld";
static const char find_text[] = "SELECT rowid FROM piece_%lld WHERE piece_%lld MATCH ?2 "
                                "AND rowid > ?1 AND rowid < ?3 ORDER BY rowid DESC";

/* One of the above, for a piece. *statement is to be finalized, also after an error. */
static int
prepare(struct log_search *search, const char *sql, int64_t piece, sqlite3_stmt **statement)
{
    char *text = sqlite3_mprintf(sql, (long long)piece, (long long)piece);
    int error = SQLITE_NOMEM;

    *statement = NULL;
    if (text != NULL)
        error = sqlite3_prepare_v2(search->index.handle, text, -1, statement, NULL);
    sqlite3_free(text);
    return error;
}

/* Runs one that gives no rows, with a key or number and a text (NULL: without). */
static int
run(struct log_search *search, const char *sql, int64_t piece, int64_t number, const char *text)
{
    sqlite3_stmt *statement;
    int error = prepare(search, sql, piece, &statement);

    if (error == SQLITE_OK && sqlite3_bind_parameter_count(statement) > 0)
        error = sqlite3_bind_int64(statement, 1, number);
    if (error == SQLITE_OK && text != NULL)
        error = sqlite3_bind_text(statement, 2, text, -1, NULL);
    if (error == SQLITE_OK)
        error = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return error == SQLITE_DONE || error == SQLITE_ROW ? SQLITE_OK : error;
}

/* The same with the text spaced. */
static int
run_spaced(struct log_search *search, const char *sql, int64_t piece, int64_t key, const char *text)
{
    char *spaced = log_query_spaced(text);
    int error = spaced == NULL ? SQLITE_NOMEM : run(search, sql, piece, key, spaced);

    free(spaced);
    return error;
}

/* ---- What is indexed ---- */

static int64_t
indexed(const struct log_search *search, int64_t room)
{
    return room < 0 || (uint64_t)room >= search->indexed_size ? 0 : search->indexed[room];
}

static bool
set_indexed(struct log_search *search, int64_t room, int64_t seq)
{
    if ((uint64_t)room >= search->indexed_size) {
        size_t size = (size_t)room * 2 + 16;
        int64_t *more = realloc(search->indexed, size * sizeof(*more));

        if (more == NULL)
            return false;
        memset(more + search->indexed_size, 0, (size - search->indexed_size) * sizeof(*more));
        search->indexed = more;
        search->indexed_size = size;
    }
    search->indexed[room] = seq;
    return true;
}

/* What the database says, after opening it or after a transaction that failed. */
static int
load(struct log_search *search)
{
    sqlite3_stmt *row;
    int error = log_db_query(&search->index, READ_STATE, &row, "");

    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_CORRUPT : error;
    search->wiped = sqlite3_column_int64(row, 1);
    error = strcmp((const char *)sqlite3_column_text(row, 0), search->threads->id) == 0
                ? SQLITE_OK
                : SQLITE_MISMATCH;
    sqlite3_reset(row);
    if (error != SQLITE_OK)
        return error;
    if (search->indexed_size > 0)
        memset(search->indexed, 0, search->indexed_size * sizeof(*search->indexed));
    error = log_db_query(&search->index, ALL_INDEXED, &row, "");
    for (; error == SQLITE_ROW; error = sqlite3_step(row)) {
        int64_t room = sqlite3_column_int64(row, 0);

        if (room < 1 || room > UINT16_MAX ||
            !set_indexed(search, room, sqlite3_column_int64(row, 1))) {
            error = SQLITE_CORRUPT;
            break;
        }
    }
    if (row != NULL)
        sqlite3_reset(row);
    if (error != SQLITE_DONE)
        return error;
    search->piece = (struct log_index_piece){0};
    error = log_db_query(&search->index, LAST_PIECE, &row, "");
    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    search->piece = (struct log_index_piece){.id = sqlite3_column_int64(row, 0),
                                             .rows = sqlite3_column_int64(row, 1)};
    sqlite3_reset(row);
    return SQLITE_OK;
}

/* ---- Opening ---- */

static int
create(struct log_search *search)
{
    char *state = sqlite3_mprintf("INSERT INTO state VALUES(1, %Q, %lld); PRAGMA user_version = %d",
                                  search->threads->id, (long long)search->threads->wiped, VERSION);
    int error = state == NULL ? SQLITE_NOMEM : log_db_begin(&search->index);

    if (error == SQLITE_OK)
        error = log_db_execute(&search->index, schema);
    if (error == SQLITE_OK)
        error = log_db_execute(&search->index, state);
    if (error == SQLITE_OK)
        error = log_db_commit(&search->index);
    sqlite3_free(state);
    return error;
}

/* Is it ahead of the log, or has it missed something? Both come of a power cut. */
static int
compare_with_log(struct log_search *search)
{
    bool fits = search->wiped >= search->threads->wiped;
    int64_t wipes = 0;
    sqlite3_stmt *row;
    int error =
        log_db_number(&search->log, "SELECT seq FROM sqlite_sequence WHERE name = 'wipe'", &wipes);

    if (error != SQLITE_OK)
        return error;
    if (wipes < search->threads->wiped)
        wipes = search->threads->wiped;
    fits = fits && search->wiped <= wipes;
    error = log_db_query(&search->log, SEARCH_ROOMS, &row, "");
    for (; error == SQLITE_ROW; error = sqlite3_step(row))
        fits =
            fits && indexed(search, sqlite3_column_int64(row, 0)) <= sqlite3_column_int64(row, 1);
    if (error != SQLITE_DONE)
        return error;
    return fits ? SQLITE_OK : SQLITE_MISMATCH;
}

static int
try_to_open(struct log_search *search)
{
    const struct log_threads *threads = search->threads;
    const struct log_db_config config = {
        .path = threads->search_path,
        .vfs = threads->vfs,
        /* What a power cut takes from the index, the log still has. */
        .durability = threads->durability == LOG_NONE ? LOG_NONE : LOG_NORMAL,
        .create = true,
        .sql = statements,
        .count = STATEMENTS,
    };
    int64_t version = 0;
    int error = log_db_open(&search->index, &config);

    if (error == SQLITE_OK)
        error = log_db_execute(&search->index, "PRAGMA wal_autocheckpoint = 1000");
    if (error == SQLITE_OK)
        error = log_db_number(&search->index, "PRAGMA user_version", &version);
    if (error == SQLITE_OK && version == 0)
        error = create(search);
    else if (error == SQLITE_OK && version != VERSION)
        error = SQLITE_MISMATCH;
    if (error == SQLITE_OK)
        error = load(search);
    if (error == SQLITE_OK)
        error = compare_with_log(search);
    return error;
}

static bool
is_useless(int error)
{
    error &= 0xff;
    /* ERROR: version 0 and yet tables in it, or a version without. */
    return error == SQLITE_CORRUPT || error == SQLITE_NOTADB || error == SQLITE_MISMATCH ||
           error == SQLITE_ERROR;
}

int
log_index_open(struct log_search *search)
{
    int error = try_to_open(search);

    if (error != SQLITE_OK && is_useless(error)) {
        log_index_discard(search);
        error = try_to_open(search);
    }
    if (error != SQLITE_OK)
        log_db_close(&search->index);
    return error;
}

void
log_index_discard(struct log_search *search)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    sqlite3_vfs *vfs = sqlite3_vfs_find(search->threads->vfs);

    log_db_close(&search->index);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        char *path = sqlite3_mprintf("%s%s", search->threads->search_path, ends[i]);

        if (path != NULL && search->threads->durability != LOG_NONE)
            vfs->xDelete(vfs, path, 0);
        sqlite3_free(path);
    }
}

/* ---- Wipes ---- */

/* The text of the message after this wipe: what the next wipe says was there, or what is. */
static int
find_next_text(struct log_search *search, int64_t wipe, int64_t key, char **text)
{
    sqlite3_stmt *row;
    int error = log_db_query(&search->log, SEARCH_NEXT_WIPE, &row, "ii", key, wipe);

    *text = NULL;
    if (error == SQLITE_DONE)
        error = log_db_query(&search->log, SEARCH_TEXT, &row, "i", key);
    if (error == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_TEXT) {
        *text = strdup((const char *)sqlite3_column_text(row, 0));
        error = *text == NULL ? SQLITE_NOMEM : SQLITE_ROW;
    }
    if (row != NULL)
        sqlite3_reset(row);
    return error == SQLITE_ROW || error == SQLITE_DONE ? SQLITE_OK : error;
}

static int
replace(struct log_search *search, int64_t piece, int64_t wipe, int64_t key, const char *old)
{
    int64_t lost;
    char *text;
    int error = find_next_text(search, wipe, key, &text);

    if (error == SQLITE_OK)
        error = run_spaced(search, delete_text, piece, key, old);
    if (error == SQLITE_OK && text != NULL)
        error = run_spaced(search, add_text, piece, key, text);
    lost = text == NULL;
    free(text);
    if (error == SQLITE_OK)
        error = log_db_run(&search->index, LOSE_ROWS, "ii", piece, lost);
    if (error == SQLITE_OK && piece == search->piece.id)
        search->piece.rows -= lost;
    return error;
}

static int
wipe(struct log_search *search, int64_t number, int64_t key, const char *old)
{
    int64_t room = log_row_room(key), seq = log_row_seq(key), piece = 0;
    sqlite3_stmt *row;
    int error;

    if (old == NULL || seq > indexed(search, room))
        return SQLITE_OK; /* it was never in */
    error = log_db_query(&search->index, FIND_SPAN, &row, "ii", room, seq);
    if (error == SQLITE_ROW) {
        piece = sqlite3_column_int64(row, 0);
        sqlite3_reset(row);
    }
    if (error == SQLITE_DONE || piece == 0)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    return replace(search, piece, number, key, old);
}

static int
do_wipes(struct log_search *search, int *left)
{
    int64_t before = search->wiped;
    sqlite3_stmt *row;
    int error = log_db_query(&search->log, SEARCH_WIPES, &row, "i", search->wiped);

    for (; error == SQLITE_ROW && *left > 0; (*left)--) {
        int failed = wipe(search, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                          (const char *)sqlite3_column_text(row, 2));

        search->wiped = sqlite3_column_int64(row, 0);
        error = failed == SQLITE_OK ? sqlite3_step(row) : failed;
    }
    if (row != NULL)
        sqlite3_reset(row);
    if (error != SQLITE_DONE && error != SQLITE_ROW)
        return error;
    if (search->wiped == before)
        return SQLITE_OK;
    return log_db_run(&search->index, WRITE_WIPED, "i", search->wiped);
}

/* ---- New messages ---- */

static int
start_piece(struct log_search *search)
{
    int64_t id = search->piece.id + 1;
    int error = SQLITE_OK;

    if (search->piece.id > 0) /* nothing more comes to the old one: make it compact */
        error = log_db_run(&search->index, SOIL_PIECE, "i", search->piece.id);
    if (error == SQLITE_OK)
        error = run(search, new_piece, id, 0, NULL);
    if (error == SQLITE_OK)
        error = log_db_run(&search->index, ADD_PIECE, "i", id);
    search->piece = (struct log_index_piece){.id = id};
    return error;
}

/* Adds messages that `row` walks over to the current piece until it is full; *last: the number of
 * the last one. SQLITE_ROW: there are more. */
static int
fill_piece(struct log_search *search, sqlite3_stmt *row, int64_t *first, int64_t *last, int *left)
{
    sqlite3_stmt *add;
    int error = prepare(search, add_text, search->piece.id, &add);

    *first = log_row_seq(sqlite3_column_int64(row, 0));
    if (error == SQLITE_OK)
        error = SQLITE_ROW;
    while (error == SQLITE_ROW && search->piece.rows < (int64_t)search->threads->piece) {
        const char *text = (const char *)sqlite3_column_text(row, 2);
        char *spaced;

        *last = log_row_seq(sqlite3_column_int64(row, 0));
        if (text != NULL && sqlite3_column_int(row, 1) < LOG_TOPIC) {
            spaced = log_query_spaced(text);
            error = spaced == NULL ? SQLITE_NOMEM : SQLITE_OK;
            sqlite3_bind_int64(add, 1, sqlite3_column_int64(row, 0));
            sqlite3_bind_text(add, 2, spaced, -1, free);
            if (error == SQLITE_OK)
                error = sqlite3_step(add);
            error = error == SQLITE_DONE ? sqlite3_reset(add) : error;
            search->piece.rows++;
        } else {
            error = SQLITE_OK;
        }
        (*left)--;
        if (error == SQLITE_OK)
            error = sqlite3_step(row);
    }
    sqlite3_finalize(add);
    return error;
}

static int
add_room(struct log_search *search, int64_t room, int64_t head, int *left)
{
    int64_t first = 0, last = indexed(search, room);
    sqlite3_stmt *row;
    int error = log_db_query(&search->log, SEARCH_TEXTS, &row, "iii", log_row_key(room, last),
                             log_row_key(room, head), (int64_t)*left);

    while (error == SQLITE_ROW) {
        int failed = SQLITE_OK;

        if (search->piece.id == 0 || search->piece.rows >= (int64_t)search->threads->piece)
            failed = start_piece(search);
        error = failed == SQLITE_OK ? fill_piece(search, row, &first, &last, left) : failed;
        if (error == SQLITE_ROW || error == SQLITE_DONE) {
            failed =
                log_db_run(&search->index, WRITE_SPAN, "iiii", room, search->piece.id, first, last);
            if (failed == SQLITE_OK)
                failed = log_db_run(&search->index, WRITE_ROWS, "ii", search->piece.id,
                                    search->piece.rows);
        }
        error = failed == SQLITE_OK ? error : failed;
    }
    if (row != NULL)
        sqlite3_reset(row);
    if (error != SQLITE_DONE)
        return error;
    if (*left > 0)
        last = head;
    if (!set_indexed(search, room, last))
        return SQLITE_NOMEM;
    return log_db_run(&search->index, WRITE_INDEXED, "ii", room, last);
}

static int
add_messages(struct log_search *search, int *left)
{
    sqlite3_stmt *row;
    int error = log_db_query(&search->log, SEARCH_ROOMS, &row, "");

    for (; error == SQLITE_ROW && *left > 0;
         error = error == SQLITE_OK ? sqlite3_step(row) : error) {
        int64_t room = sqlite3_column_int64(row, 0), head = sqlite3_column_int64(row, 1);

        error = SQLITE_OK;
        if (head > indexed(search, room))
            error = add_room(search, room, head, left);
    }
    if (row != NULL)
        sqlite3_reset(row);
    return error == SQLITE_DONE || error == SQLITE_ROW ? SQLITE_OK : error;
}

int
log_index_round(struct log_search *search, bool *more)
{
    int left = SLICE;
    int error = log_db_begin(&search->log);

    *more = false;
    if (error == SQLITE_OK)
        error = log_db_begin(&search->index);
    if (error == SQLITE_OK)
        error = do_wipes(search, &left);
    if (error == SQLITE_OK && left > 0)
        error = add_messages(search, &left);
    if (error == SQLITE_OK)
        error = log_db_commit(&search->index);
    log_db_rollback(&search->log);
    *more = left <= 0;
    if (error == SQLITE_OK)
        return SQLITE_OK;
    log_db_rollback(&search->index);
    if (is_useless(error) || load(search) != SQLITE_OK)
        log_index_discard(search);
    return error;
}

/* ---- Vanishing ---- */

/* Nothing is left to merge: it is clean; if nothing is left in it at all, it goes. */
static int
finish_piece(struct log_search *search, int64_t piece, int64_t rows)
{
    int error = log_db_run(&search->index, CLEAN_PIECE, "i", piece);

    if (error != SQLITE_OK || rows > 0 || piece == search->piece.id)
        return error;
    error = run(search, drop_piece, piece, 0, NULL);
    if (error == SQLITE_OK)
        error = log_db_run(&search->index, DROP_PIECE, "i", piece);
    if (error == SQLITE_OK)
        error = log_db_run(&search->index, DROP_SPANS, "i", piece);
    return error;
}

static int
merge_a_little(struct log_search *search, bool *more)
{
    int64_t piece, rows;
    sqlite3_stmt *row;
    int before = sqlite3_total_changes(search->index.handle);
    int error = log_db_query(&search->index, DIRTY_PIECE, &row, "");

    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    piece = sqlite3_column_int64(row, 0);
    rows = sqlite3_column_int64(row, 1);
    sqlite3_reset(row);
    *more = true;
    error = run(search, merge_piece, piece, -PAGES, NULL);
    /* One change is the command itself. */
    if (error == SQLITE_OK && sqlite3_total_changes(search->index.handle) - before < 2)
        error = finish_piece(search, piece, rows);
    return error;
}

bool
log_index_is_dirty(struct log_search *search)
{
    sqlite3_stmt *row;

    if (log_db_query(&search->index, DIRTY_PIECE, &row, "") != SQLITE_ROW)
        return false;
    sqlite3_reset(row);
    return true;
}

int
log_index_merge(struct log_search *search, bool *more)
{
    int error = log_db_begin(&search->index);

    *more = false;
    if (error == SQLITE_OK)
        error = merge_a_little(search, more);
    if (error == SQLITE_OK)
        return log_db_commit(&search->index);
    log_db_rollback(&search->index);
    if (is_useless(error))
        log_index_discard(search);
    return error;
}

/* ---- Finding ---- */

static int
find_in_piece(struct log_search *search, int64_t piece, const char *query, int64_t room,
              int64_t before, log_index_found *found, void *context, bool *go_on)
{
    sqlite3_stmt *statement;
    int error = prepare(search, find_text, piece, &statement);

    if (error == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, log_row_key(room, 0));
        sqlite3_bind_text(statement, 2, query, -1, NULL);
        sqlite3_bind_int64(statement, 3, log_row_key(room, before));
        do {
            error = sqlite3_step(statement);
        } while (error == SQLITE_ROW &&
                 (*go_on = found(context, sqlite3_column_int64(statement, 0))));
    }
    sqlite3_finalize(statement);
    return error == SQLITE_ROW || error == SQLITE_DONE ? SQLITE_OK : error;
}

int
log_index_find(struct log_search *search, int64_t room, const char *query, int64_t before,
               log_index_found *found, void *context)
{
    bool go_on = true;
    sqlite3_stmt *row;
    int error = log_db_query(&search->index, SPANS, &row, "ii", room, before);

    for (; error == SQLITE_ROW && go_on; error = error == SQLITE_OK ? sqlite3_step(row) : error)
        error = find_in_piece(search, sqlite3_column_int64(row, 0), query, room, before, found,
                              context, &go_on);
    if (row != NULL)
        sqlite3_reset(row);
    if (error == SQLITE_ROW || error == SQLITE_DONE)
        return SQLITE_OK;
    if (is_useless(error))
        log_index_discard(search);
    return error;
}
