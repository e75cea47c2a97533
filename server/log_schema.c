/* log_schema.c: the tables, step by step.
 *
 * A message's key is its room's number and its own: room << 40 | seq. So a room's messages lie one
 * behind the other, and the primary key is the only index that history needs.
 */
#include "log_schema.h"

#include <stdio.h>

#define STRING(x)  #x
#define NUMBER(x)  STRING(x)
#define LOBBY_PORT 2014
/* "lazy": what `file` and a look at another program's database tell it by. */
#define APPLICATION 0x6c617a79

static const char *const steps[] = {
    /* 1: rooms, accounts, messages. */
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE room(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  port INTEGER NOT NULL UNIQUE, topic TEXT NOT NULL DEFAULT '',"
    "  topic_seq INTEGER NOT NULL DEFAULT 0," /* which message set it */
    "  head INTEGER NOT NULL DEFAULT 0, first INTEGER NOT NULL DEFAULT 1,"
    "  said INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL DEFAULT 0);" /* of the latest */
    "CREATE TABLE account(id INTEGER PRIMARY KEY, nick TEXT, skeleton TEXT UNIQUE);"
    "CREATE TABLE key(value BLOB NOT NULL, kind INTEGER NOT NULL, account INTEGER NOT NULL,"
    "  PRIMARY KEY(value, kind)) WITHOUT ROWID;"
    "CREATE TABLE mark(account INTEGER NOT NULL, room INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "  said INTEGER NOT NULL, PRIMARY KEY(account, room)) WITHOUT ROWID;"
    /* One row for each number. nth: how many `say` there were up to it. target: what a `say`
     * replies to, or what a change is about. changed: the number of the latest change. text: of a
     * reaction its emoji, of an edit nothing: it is where it belongs, in the target. */
    "CREATE TABLE message(key INTEGER PRIMARY KEY, at INTEGER NOT NULL, account INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL, flags INTEGER NOT NULL, nth INTEGER NOT NULL,"
    "  target INTEGER NOT NULL, changed INTEGER NOT NULL DEFAULT 0, nick TEXT, id TEXT, text TEXT);"
    "CREATE TABLE reaction(key INTEGER NOT NULL, emoji TEXT NOT NULL, account INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL, PRIMARY KEY(key, emoji, account)) WITHOUT ROWID;"
    /* Every id that an account used, also of messages that are gone. */
    "CREATE TABLE said(account INTEGER NOT NULL, id TEXT NOT NULL, room INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(account, id)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('id', lower(hex(randomblob(8)))), ('accounts', 1);"
    "INSERT INTO room(id, name, port) VALUES(1, 'lobby', " NUMBER(LOBBY_PORT) ");",

    /* 2: what is gone from the messages and must still go from elsewhere. wipe: texts that the
     * search index may hold, for it can only forget a text that it is told again (NULL: not in
     * it); meta.wiped: up to where it has. forget: when ids of dropped messages may go. */
    "CREATE TABLE wipe(id INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL, text TEXT);"
    "CREATE INDEX wipe_key ON wipe(key, id);"
    "CREATE TABLE forget(at INTEGER NOT NULL, account INTEGER NOT NULL, id TEXT NOT NULL,"
    "  PRIMARY KEY(at, account, id)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('wiped', 0);",
};

#define VERSION ((int)(sizeof(steps) / sizeof(*steps)))

int
log_schema_version(void)
{
    return VERSION;
}

const char *
log_schema_step(int version)
{
    return steps[version - 1];
}

/* Version 0 must be an empty file: not the database of another program. */
static int
check(struct log_db *db, int64_t *found)
{
    int64_t application = 0, tables = 0;
    int error = log_db_number(db, "PRAGMA user_version", found);

    if (error == SQLITE_OK)
        error = log_db_number(db, "PRAGMA application_id", &application);
    if (error == SQLITE_OK)
        error = log_db_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (error != SQLITE_OK)
        return error;
    if (tables > 0 && application != APPLICATION)
        *found = -1;
    return *found < 0 || *found > VERSION ? SQLITE_MISMATCH : SQLITE_OK;
}

static int
step(struct log_db *db, int64_t version)
{
    char pragmas[96];
    int error = log_db_execute(db, steps[version - 1]);

    if (error != SQLITE_OK)
        return error;
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION, (int)version);
    return log_db_execute(db, pragmas);
}

int
log_schema_migrate(struct log_db *db, int64_t *found)
{
    int error = log_db_begin(db);

    if (error == SQLITE_OK)
        error = check(db, found);
    for (int64_t version = *found + 1; error == SQLITE_OK && version <= VERSION; version++)
        error = step(db, version);
    if (error == SQLITE_OK)
        return log_db_commit(db);
    log_db_rollback(db);
    return error;
}
