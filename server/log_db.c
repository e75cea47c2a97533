/* log_db.c: opens and runs by the rules that hold for all of the log's databases. */
#include "log_db.h"

#include "log_scrub.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 5000 /* ms that another process may hold a lock */

static int
set_up(struct log_db *db, const struct log_db_config *config)
{
    /* secure_delete: what is deleted is overwritten. The WAL is written to the file by whoever
     * says so, not in the middle of a commit. */
    static const char *const common = "PRAGMA secure_delete = ON;"
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA foreign_keys = OFF;";
    static const char *const by_durability[] = {
        [LOG_FULL] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
        [LOG_NORMAL] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        [LOG_NONE] = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;",
    };
    int error;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, PATIENCE);
    /* No strange thing in a damaged or foreign schema is run. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    error = log_db_execute(db, common);
    if (error == SQLITE_OK)
        error = log_db_execute(db, by_durability[config->durability]);
    return error;
}

int
log_db_open(struct log_db *db, const struct log_db_config *config)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    int error;

    *db = (struct log_db){.sql = config->sql, .count = config->count, .gate = config->gate};
    db->statements = calloc(config->count + 1, sizeof(sqlite3_stmt *));
    if (db->statements == NULL)
        return SQLITE_NOMEM;
    if (config->create)
        flags |= SQLITE_OPEN_CREATE;
    error = sqlite3_open_v2(config->path, &db->handle, flags, config->vfs);
    if (error != SQLITE_OK)
        return error;
    return set_up(db, config);
}

void
log_db_close(struct log_db *db)
{
    if (db->statements == NULL)
        return;
    log_db_rollback(db);
    for (size_t i = 0; i < db->count; i++)
        sqlite3_finalize(db->statements[i]);
    free(db->statements);
    sqlite3_close(db->handle);
    *db = (struct log_db){0};
}

static int
bind(sqlite3_stmt *statement, const char *types, va_list values)
{
    int error = SQLITE_OK;

    for (int i = 1; *types != '\0' && error == SQLITE_OK; i++, types++) {
        const void *bytes;

        switch (*types) {
        case 'i':
            error = sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
            break;
        case 't':
            error = sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, NULL);
            break;
        default:
            bytes = va_arg(values, const void *);
            error = sqlite3_bind_blob64(statement, i, bytes, va_arg(values, size_t), NULL);
        }
    }
    return error;
}

static int
run(struct log_db *db, size_t which, sqlite3_stmt **row, const char *types, va_list values)
{
    sqlite3_stmt **statement = &db->statements[which];
    int error = SQLITE_OK;

    *row = NULL;
    if (*statement == NULL)
        error = sqlite3_prepare_v3(db->handle, db->sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                   statement, NULL);
    if (error == SQLITE_OK)
        error = bind(*statement, types, values);
    if (error != SQLITE_OK)
        return error;
    error = sqlite3_step(*statement);
    if (error == SQLITE_ROW)
        *row = *statement;
    else
        sqlite3_reset(*statement);
    return error;
}

int
log_db_query(struct log_db *db, size_t which, sqlite3_stmt **row, const char *types, ...)
{
    va_list values;
    int error;

    va_start(values, types);
    error = run(db, which, row, types, values);
    va_end(values);
    return error;
}

int
log_db_run(struct log_db *db, size_t which, const char *types, ...)
{
    sqlite3_stmt *row;
    va_list values;
    int error;

    va_start(values, types);
    error = run(db, which, &row, types, values);
    va_end(values);
    if (row != NULL)
        sqlite3_reset(row);
    return error == SQLITE_DONE || error == SQLITE_ROW ? SQLITE_OK : error;
}

int
log_db_execute(struct log_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

int
log_db_number(struct log_db *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement;
    int error = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    *number = 0;
    if (error != SQLITE_OK)
        return error;
    error = sqlite3_step(statement);
    if (error == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return error == SQLITE_ROW || error == SQLITE_DONE ? SQLITE_OK : error;
}

static void
leave(struct log_db *db)
{
    if (db->inside && db->gate != NULL)
        pthread_mutex_unlock(db->gate);
    db->inside = false;
}

static int
begin(struct log_db *db, const char *sql)
{
    int error;

    if (db->gate != NULL)
        pthread_mutex_lock(db->gate);
    db->inside = true;
    error = log_db_execute(db, sql);
    if (error != SQLITE_OK)
        log_db_rollback(db);
    return error;
}

int
log_db_begin(struct log_db *db)
{
    return begin(db, "BEGIN");
}

int
log_db_begin_write(struct log_db *db)
{
    return begin(db, "BEGIN IMMEDIATE");
}

int
log_db_commit(struct log_db *db)
{
    int error = log_db_execute(db, "COMMIT");

    if (error != SQLITE_OK) {
        log_db_rollback(db);
        return error;
    }
    leave(db);
    return SQLITE_OK;
}

void
log_db_rollback(struct log_db *db)
{
    /* After some errors SQLite has rolled back by itself. */
    if (db->handle != NULL && sqlite3_get_autocommit(db->handle) == 0)
        log_db_execute(db, "ROLLBACK");
    leave(db);
}

static int
checkpoint(struct log_db *db, int how)
{
    return sqlite3_wal_checkpoint_v2(db->handle, NULL, how, NULL, NULL);
}

int
log_db_checkpoint(struct log_db *db, bool truncate, int patience)
{
    /* What takes long while others go on writing, then the rest while they wait. */
    int error = checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);

    if (!truncate || error != SQLITE_OK)
        return error;
    sqlite3_busy_timeout(db->handle, patience);
    error = checkpoint(db, SQLITE_CHECKPOINT_TRUNCATE);
    sqlite3_busy_timeout(db->handle, PATIENCE);
    return error;
}

/* What the system said about a write that failed. */
static const char *
code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return "log-full";
    case EROFS:
    case EACCES:
    case EPERM:
        return "log-read-only";
    default:
        return "log-unavailable";
    }
}

const char *
log_db_code(int error)
{
    switch (error & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return NULL;
    case SQLITE_FULL:
        return "log-full";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "log-read-only";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "log-damaged";
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return code_of_errno(log_scrub_errno());
    default:
        return "log-unavailable";
    }
}

bool
log_db_is_general(int error)
{
    const char *code = log_db_code(error);

    return strcmp(code, "log-full") == 0 || strcmp(code, "log-read-only") == 0 ||
           (error & 0xff) == SQLITE_IOERR || (error & 0xff) == SQLITE_BUSY;
}
