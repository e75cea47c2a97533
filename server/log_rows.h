/* log_rows.h: messages as they are now, from the database into a request's answer.
 *
 * Owns how a row is read. Must not know which rows are wanted. For one thread and one connection.
 */
#ifndef LOG_ROWS_H
#define LOG_ROWS_H

#include "log_threads.h"

/* The columns of a message in the order that log_rows_add expects. */
#define LOG_ROWS_COLUMNS "key, at, account, kind, flags, target, changed, nick, id, text, nth"
#define LOG_ROWS_REACTIONS                                                                         \
    "SELECT emoji, count(*), max(account = ?2) FROM reaction WHERE key = ?1 "                      \
    "GROUP BY emoji ORDER BY min(seq)"

struct log_rows {
    struct log_request *request; /* who gets them */
    struct log_db *db;
    size_t reactions; /* the number of LOG_ROWS_REACTIONS among the connection's statements */
    int64_t account;  /* whose reactions are `mine` */
    size_t limit;     /* the most rows there will be */
    size_t size;
    size_t bytes; /* of text so far */
};

/* Adds the row that the statement stands on. SQLITE_OK or an error. */
int log_rows_add(struct log_rows *rows, sqlite3_stmt *row);

#endif
