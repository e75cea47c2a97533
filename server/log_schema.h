/* log_schema.h: the tables of DIR/log.db, their version, and how older ones become this one.
 *
 * A released step is never changed: a new one is added behind it.
 */
#ifndef LOG_SCHEMA_H
#define LOG_SCHEMA_H

#include "log_db.h"

/* The version that log_schema_migrate makes. A database that is empty has version 0. */
int log_schema_version(void);

/* SQL that makes version `version` out of the one before it; from 1 on. For tests too. */
const char *log_schema_step(int version);

/* SQLITE_OK; SQLITE_MISMATCH: the database is of a newer version, *found, or (*found = -1) no log
 * at all; or another error. Then nothing has changed. */
int log_schema_migrate(struct log_db *db, int64_t *found);

#endif
