/* store.c: what a client keeps on disk, in SQLite. */
#include "store.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION 0x6c617a79 /* "lazy" */
#define VERSION     1
#define PRUNE_EVERY 1000 /* messages written until old ones are looked for */

static const char schema[] =
    "PRAGMA application_id = 1818327673;"
    "PRAGMA user_version = 1;"
    "CREATE TABLE server (host TEXT PRIMARY KEY COLLATE NOCASE, secret TEXT NOT NULL,"
    " account INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE room (id INTEGER PRIMARY KEY, host TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL, port INTEGER NOT NULL DEFAULT 0, log TEXT,"
    " seen INTEGER NOT NULL DEFAULT 0, UNIQUE (host, name));"
    "CREATE TABLE message (room INTEGER NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL,"
    " PRIMARY KEY (room, seq)) WITHOUT ROWID;"
    "CREATE TABLE unsent (n INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL,"
    " id TEXT NOT NULL, json TEXT NOT NULL, UNIQUE (room, id));";

enum statement {
    BEGIN,
    COMMIT,
    SECRET,
    SET_SECRET,
    ADD_ROOM,
    ROOM,
    SET_SEEN,
    SET_PORT,
    FORGET_MESSAGES,
    FORGET_ROOM,
    MESSAGE,
    PRUNE,
    READ,
    LATEST,
    UNSENT_ADD,
    UNSENT_REMOVE,
    UNSENT_EACH,
    STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [SECRET] = "SELECT secret, account FROM server WHERE host = ?1",
    [SET_SECRET] = "REPLACE INTO server (host, secret, account) VALUES (?1, ?2, ?3)",
    [ADD_ROOM] = "INSERT OR IGNORE INTO room (host, name) VALUES (?1, ?2)",
    [ROOM] = "SELECT id, log, seen, port FROM room WHERE host = ?1 AND name = ?2",
    [SET_SEEN] = "UPDATE room SET log = ?2, seen = ?3 WHERE id = ?1",
    [SET_PORT] = "UPDATE room SET port = ?2 WHERE id = ?1",
    [FORGET_MESSAGES] = "DELETE FROM message WHERE room = ?1",
    [FORGET_ROOM] = "UPDATE room SET log = NULL, seen = 0 WHERE id = ?1",
    [MESSAGE] = "REPLACE INTO message (room, seq, json) VALUES (?1, ?2, ?3)",
    [PRUNE] = ("DELETE FROM message WHERE room = ?1 AND seq <= (SELECT seq FROM message WHERE"
               " room = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)"),
    [READ] = "SELECT json FROM message WHERE room = ?1 AND seq = ?2",
    [LATEST] = ("SELECT json FROM (SELECT seq, json FROM message WHERE room = ?1 AND seq < ?2"
                " ORDER BY seq DESC LIMIT ?3) ORDER BY seq"),
    [UNSENT_ADD] = "INSERT OR IGNORE INTO unsent (room, id, json) VALUES (?1, ?2, ?3)",
    [UNSENT_REMOVE] = "DELETE FROM unsent WHERE room = ?1 AND id = ?2",
    [UNSENT_EACH] = "SELECT id, json FROM unsent WHERE room = ?1 ORDER BY n",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int lock;
    bool began; /* a transaction */
    int failed; /* enum lazychat_error: what ended it */
    unsigned int written;
    char text[200];
};

/* ---- SQLite ---- */

static int
error_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return LAZYCHAT_OK;
    case SQLITE_NOMEM:
        return LAZYCHAT_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return LAZYCHAT_IN_USE;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
        return LAZYCHAT_INVALID;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return LAZYCHAT_DENIED;
    default:
        return LAZYCHAT_SYSTEM;
    }
}

/* Keeps the first failure and its reason. */
static int
check(struct store *store, int code)
{
    int error = error_of(code);

    if (error != LAZYCHAT_OK && store->failed == LAZYCHAT_OK) {
        store->failed = error;
        snprintf(store->text, sizeof(store->text), "cannot keep the chat on disk: %s",
                 sqlite3_errmsg(store->db));
    }
    return error;
}

static int
bind_number(sqlite3_stmt *statement, int at, int64_t number)
{
    return sqlite3_bind_int64(statement, at, number);
}

/* The text must stay until the statement is reset. */
static int
bind_text(sqlite3_stmt *statement, int at, const char *text, size_t length)
{
    return length > INT_MAX ? SQLITE_TOOBIG
                            : sqlite3_bind_text(statement, at, text, (int)length, SQLITE_STATIC);
}

/* The statement with nothing bound, or NULL: the store has failed. */
static sqlite3_stmt *
ready(struct store *store, enum statement which)
{
    if (store->failed != LAZYCHAT_OK)
        return NULL;
    if (store->statements[which] == NULL &&
        check(store, sqlite3_prepare_v3(store->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                        &store->statements[which], NULL)) != LAZYCHAT_OK)
        return NULL;
    return store->statements[which];
}

/* SQLITE_ROW, SQLITE_DONE or a failure. */
static int
step(struct store *store, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    check(store, code);
    return code;
}

static void
reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* One that gives no rows. */
static int
finish(struct store *store, sqlite3_stmt *statement)
{
    step(store, statement);
    reset(statement);
    return store->failed;
}

/* As `ready`, in this turn's transaction. */
static sqlite3_stmt *
ready_to_write(struct store *store, enum statement which)
{
    sqlite3_stmt *begin;

    if (!store->began) {
        begin = ready(store, BEGIN);
        if (begin == NULL || finish(store, begin) != LAZYCHAT_OK)
            return NULL;
        store->began = true;
    }
    return ready(store, which);
}

int
store_commit(struct store *store)
{
    sqlite3_stmt *commit;

    if (!store->began)
        return store->failed;
    store->began = false;
    commit = ready(store, COMMIT);
    if (commit != NULL)
        finish(store, commit);
    if (store->failed != LAZYCHAT_OK && sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return store->failed;
}

const char *
store_text(const struct store *store)
{
    return store->text;
}

/* ---- Open and close ---- */

/* mkdir -p */
static int
make_directory(const char *directory)
{
    char path[PATH_MAX];
    size_t length = strlen(directory);

    if (length == 0 || length >= sizeof(path))
        return LAZYCHAT_INVALID;
    memcpy(path, directory, length + 1);
    for (char *slash = path + 1; *slash != '\0'; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_from_errno(errno);
    return LAZYCHAT_OK;
}

static int
open_file(const char *directory, const char *name, char path[PATH_MAX], int *fd)
{
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);

    if (length < 0 || length >= PATH_MAX)
        return LAZYCHAT_INVALID;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return *fd >= 0 ? LAZYCHAT_OK : error_from_errno(errno);
}

/* SQLite takes the mode of a file that is there for those that it makes beside it. */
static int
open_files(struct store *store, const char *directory)
{
    char path[PATH_MAX];
    int file;
    int error = open_file(directory, "lock", path, &store->lock);

    if (error != LAZYCHAT_OK)
        return error;
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? LAZYCHAT_IN_USE : error_from_errno(errno);
    error = open_file(directory, "lazychat.db", path, &file);
    if (error != LAZYCHAT_OK)
        return error;
    close(file);
    return error_of(
        sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
}

static int
execute(struct store *store, const char *text)
{
    return check(store, sqlite3_exec(store->db, text, NULL, NULL, NULL));
}

static int64_t
pragma(struct store *store, const char *text)
{
    sqlite3_stmt *statement;
    int64_t number = -1;

    if (check(store, sqlite3_prepare_v2(store->db, text, -1, &statement, NULL)) != LAZYCHAT_OK)
        return number;
    if (step(store, statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static int
prepare(struct store *store)
{
    int64_t application, version;
    int error = execute(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;"
                               "PRAGMA journal_size_limit = 4194304");

    if (error != LAZYCHAT_OK)
        return error;
    application = pragma(store, "PRAGMA application_id");
    version = pragma(store, "PRAGMA user_version");
    if (store->failed != LAZYCHAT_OK)
        return store->failed;
    if (application == APPLICATION)
        return version == VERSION ? LAZYCHAT_OK : LAZYCHAT_UNSUPPORTED;
    if (application != 0 || pragma(store, "SELECT count(*) FROM sqlite_master") != 0)
        return LAZYCHAT_INVALID;
    error = execute(store, "BEGIN");
    if (error == LAZYCHAT_OK)
        error = execute(store, schema);
    return error == LAZYCHAT_OK ? execute(store, "COMMIT") : error;
}

int
store_open(struct store **result, const char *directory)
{
    struct store *store = calloc(1, sizeof(*store));
    int error;

    if (store == NULL)
        return LAZYCHAT_NO_MEMORY;
    store->lock = -1;
    error = make_directory(directory);
    if (error == LAZYCHAT_OK)
        error = open_files(store, directory);
    if (error == LAZYCHAT_OK)
        error = prepare(store);
    if (error != LAZYCHAT_OK) {
        store_close(store);
        return error;
    }
    *result = store;
    return LAZYCHAT_OK;
}

void
store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->db != NULL)
        store_commit(store);
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    if (store->lock >= 0) {
        flock(store->lock, LOCK_UN); /* a child that has not called exec yet may have it too */
        close(store->lock);
    }
    free(store);
}

/* ---- Servers and rooms ---- */

int
store_secret(struct store *store, const char *host, char secret[33], int64_t *account, bool *found)
{
    sqlite3_stmt *statement = ready(store, SECRET);
    const char *text;

    *found = false;
    if (statement == NULL)
        return store->failed;
    bind_text(statement, 1, host, strlen(host));
    if (step(store, statement) == SQLITE_ROW) {
        text = (const char *)sqlite3_column_text(statement, 0);
        *found = text != NULL && strlen(text) == 32;
        if (*found)
            memcpy(secret, text, 33);
        *account = *found ? sqlite3_column_int64(statement, 1) : 0;
    }
    reset(statement);
    return store->failed;
}

int
store_set_secret(struct store *store, const char *host, const char *secret, int64_t account)
{
    sqlite3_stmt *statement = ready_to_write(store, SET_SECRET);

    if (statement == NULL)
        return store->failed;
    bind_text(statement, 1, host, strlen(host));
    bind_text(statement, 2, secret, strlen(secret));
    bind_number(statement, 3, account);
    return finish(store, statement);
}

static int
add_room(struct store *store, const char *host, const char *name)
{
    sqlite3_stmt *statement = ready_to_write(store, ADD_ROOM);

    if (statement == NULL)
        return store->failed;
    bind_text(statement, 1, host, strlen(host));
    bind_text(statement, 2, name, strlen(name));
    return finish(store, statement);
}

int
store_room(struct store *store, const char *host, const char *name, struct store_room *room)
{
    sqlite3_stmt *statement;
    const char *log;

    memset(room, 0, sizeof(*room));
    if (add_room(store, host, name) != LAZYCHAT_OK)
        return store->failed;
    statement = ready(store, ROOM);
    if (statement == NULL)
        return store->failed;
    bind_text(statement, 1, host, strlen(host));
    bind_text(statement, 2, name, strlen(name));
    if (step(store, statement) == SQLITE_ROW) {
        room->row = sqlite3_column_int64(statement, 0);
        log = (const char *)sqlite3_column_text(statement, 1);
        room->known = log != NULL && strlen(log) < sizeof(room->log);
        if (room->known)
            memcpy(room->log, log, strlen(log) + 1);
        room->seen = sqlite3_column_int64(statement, 2);
        room->port = (uint16_t)sqlite3_column_int(statement, 3);
    }
    reset(statement);
    return store->failed;
}

int
store_set_seen(struct store *store, int64_t row, const char *log, int64_t seen)
{
    sqlite3_stmt *statement = ready_to_write(store, SET_SEEN);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_text(statement, 2, log, strlen(log));
    bind_number(statement, 3, seen);
    return finish(store, statement);
}

int
store_set_port(struct store *store, int64_t row, uint16_t port)
{
    sqlite3_stmt *statement = ready_to_write(store, SET_PORT);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_number(statement, 2, port);
    return finish(store, statement);
}

int
store_forget(struct store *store, int64_t row)
{
    static const enum statement both[] = {FORGET_MESSAGES, FORGET_ROOM};

    for (size_t i = 0; i < 2; i++) {
        sqlite3_stmt *statement = ready_to_write(store, both[i]);

        if (statement == NULL)
            return store->failed;
        bind_number(statement, 1, row);
        finish(store, statement);
    }
    return store->failed;
}

/* ---- Messages ---- */

static int
prune(struct store *store, int64_t row)
{
    sqlite3_stmt *statement = ready_to_write(store, PRUNE);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_number(statement, 2, STORE_MESSAGES_MAX);
    return finish(store, statement);
}

int
store_message(struct store *store, int64_t row, int64_t seq, const char *json, size_t length)
{
    sqlite3_stmt *statement = ready_to_write(store, MESSAGE);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_number(statement, 2, seq);
    check(store, bind_text(statement, 3, json, length));
    finish(store, statement);
    return ++store->written % PRUNE_EVERY == 0 ? prune(store, row) : store->failed;
}

char *
store_read(struct store *store, int64_t row, int64_t seq)
{
    sqlite3_stmt *statement = ready(store, READ);
    char *json = NULL;

    if (statement == NULL)
        return NULL;
    bind_number(statement, 1, row);
    bind_number(statement, 2, seq);
    if (step(store, statement) == SQLITE_ROW)
        json = strdup((const char *)sqlite3_column_text(statement, 0));
    reset(statement);
    return json;
}

int
store_latest(struct store *store, int64_t row, int64_t before, unsigned int limit,
             bool (*each)(void *user, const char *json, size_t length), void *user)
{
    sqlite3_stmt *statement = ready(store, LATEST);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_number(statement, 2, before);
    bind_number(statement, 3, limit);
    while (step(store, statement) == SQLITE_ROW) {
        const char *json = (const char *)sqlite3_column_text(statement, 0);

        if (!each(user, json, (size_t)sqlite3_column_bytes(statement, 0)))
            break;
    }
    reset(statement);
    return store->failed;
}

/* ---- Unsent ---- */

int
store_unsent_add(struct store *store, int64_t row, const char *id, const void *bytes, size_t length)
{
    sqlite3_stmt *statement = ready_to_write(store, UNSENT_ADD);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_text(statement, 2, id, strlen(id));
    check(store, bind_text(statement, 3, bytes, length));
    return finish(store, statement);
}

int
store_unsent_remove(struct store *store, int64_t row, const char *id)
{
    sqlite3_stmt *statement = ready_to_write(store, UNSENT_REMOVE);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    bind_text(statement, 2, id, strlen(id));
    return finish(store, statement);
}

int
store_unsent_each(struct store *store, int64_t row,
                  bool (*each)(void *user, const char *id, const char *bytes, size_t length),
                  void *user)
{
    sqlite3_stmt *statement = ready(store, UNSENT_EACH);

    if (statement == NULL)
        return store->failed;
    bind_number(statement, 1, row);
    while (step(store, statement) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(statement, 0);
        const char *bytes = (const char *)sqlite3_column_text(statement, 1);

        if (!each(user, id, bytes, (size_t)sqlite3_column_bytes(statement, 1)))
            break;
    }
    reset(statement);
    return store->failed;
}
