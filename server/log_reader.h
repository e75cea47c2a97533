/* log_reader.h: history and counts, on a thread of its own, so that a long answer never keeps a
 * commit waiting.
 *
 * Owns a reading connection. Must not know what changes the log.
 */
#ifndef LOG_READER_H
#define LOG_READER_H

#include "log_threads.h"

struct log_reader {
    struct log_threads *threads;
    struct log_db db;
};

/* SQLITE_OK or SQLite's code. */
int log_reader_open(struct log_reader *reader, struct log_threads *threads);
void log_reader_close(struct log_reader *reader);

/* A worker_function; context: the reader. */
int64_t log_reader_work(void *reader, struct job_queue *jobs);

#endif
