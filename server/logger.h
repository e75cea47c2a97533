/* logger.h: the daemon's event log: one line an event, `TIME LEVEL EVENT key=value…`, on stderr.
 *
 * Owns the level and the form of a line. The key=value part is the caller's; bytes of peers go
 * through logger_quote.
 */
#ifndef LOGGER_H
#define LOGGER_H

#include <stdbool.h>
#include <stddef.h>

enum logger_level { LOGGER_ERROR, LOGGER_WARN, LOGGER_INFO, LOGGER_DEBUG };

#define LOGGER_LEVELS "error|warn|info|debug"

/* `name` is one of LOGGER_LEVELS; lines of lesser importance are not written. */
void logger_set_level(const char *name);
bool logger_wants(enum logger_level level);

/* 2026-11-23T16:20:00.123Z info up room=classic assoc=1 …  */
__attribute__((format(printf, 3, 4))) void logger_write(enum logger_level level, const char *event,
                                                        const char *format, ...);

#define LOGGER_QUOTE_MAX 256

/* "…" with a stranger's bytes made safe; three dots at the end when they do not all fit. Returns
 * `out`. */
const char *logger_quote(char out[LOGGER_QUOTE_MAX], const void *bytes, size_t length);

#endif
