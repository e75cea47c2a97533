/* log_db.h: one connection to one of the log's databases: its prepared statements, and what an
 * error of SQLite means for the operator.
 *
 * Owns the connection. Must not know what the tables mean. For one thread at a time.
 */
#ifndef LOG_DB_H
#define LOG_DB_H

#include "log.h"

#include <pthread.h>
#include <sqlite3.h>

struct log_db {
    sqlite3 *handle;
    const char *const *sql; /* the statements' texts */
    sqlite3_stmt **statements;
    size_t count;
    /* A database in memory has no snapshots: whoever is in a transaction keeps all others out. */
    pthread_mutex_t *gate;
    bool inside;
};

struct log_db_config {
    const char *path; /* a file, or a file: URI */
    const char *vfs;  /* NULL: SQLite's default */
    enum log_durability durability;
    bool create;
    pthread_mutex_t *gate; /* NULL: none is needed */
    const char *const *sql;
    size_t count;
};

/* SQLITE_OK, or SQLite's code and then log_db_close is still to be called. */
int log_db_open(struct log_db *db, const struct log_db_config *config);
void log_db_close(struct log_db *db); /* of all zero, or closed already, is fine */

/* Statement number `which`, bound and run up to its first row. `types` has a letter for each value:
 * i int64_t, t text or NULL, b const void * and size_t. SQLITE_ROW: there is one, *row until
 * sqlite3_reset(*row); what was bound must stay so long. SQLITE_DONE: none. Else an error. */
int log_db_query(struct log_db *db, size_t which, sqlite3_stmt **row, const char *types, ...);

/* The same for one that gives no rows: SQLITE_OK or an error. */
int log_db_run(struct log_db *db, size_t which, const char *types, ...);

/* Statements without values, several in one text. */
int log_db_execute(struct log_db *db, const char *sql);

/* The first value of a statement made on the spot. */
int log_db_number(struct log_db *db, const char *sql, int64_t *number);

/* A transaction reads one state from its first statement on. Ends are safe without a begin; a
 * failed commit is rolled back. */
int log_db_begin(struct log_db *db);

/* The same for one that reads first and then writes. While the WAL is being emptied this one waits;
 * SQLite lets nobody wait who has read already: the first write would be refused. */
int log_db_begin_write(struct log_db *db);
int log_db_commit(struct log_db *db);
void log_db_rollback(struct log_db *db);

/* Write what is in the WAL to the file. `truncate`: all of it, and the WAL is empty then:
 * SQLITE_BUSY when somebody still reads in it after `patience` ms. */
int log_db_checkpoint(struct log_db *db, bool truncate, int patience);

/* The code of docs/protocol.md for an error that just happened on this thread; NULL for SQLITE_OK,
 * ROW, DONE. */
const char *log_db_code(int error);

/* Does this error concern the disk and all requests alike, not one of them? */
bool log_db_is_general(int error);

#endif
