/* logger.c: writes the event log. */
#include "logger.h"

#include "escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {"error", "warn", "info", "debug"};
static enum logger_level most = LOGGER_INFO;

void
logger_set_level(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            most = (enum logger_level)i;
}

bool
logger_wants(enum logger_level level)
{
    return level <= most;
}

void
logger_write(enum logger_level level, const char *event, const char *format, ...)
{
    char line[1024];
    struct timespec now;
    struct tm utc;
    size_t used;
    int length;
    va_list arguments;

    if (!logger_wants(level))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    length = snprintf(line + used, sizeof(line) - used, ".%03ldZ %s %s ", now.tv_nsec / 1000000,
                      names[level], event);
    used += length > 0 ? (size_t)length : 0;
    va_start(arguments, format);
    length = vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
    va_end(arguments);
    used += length > 0 ? (size_t)length : 0;
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used] = '\n';
    fwrite(line, 1, used + 1, stderr); /* stderr has no buffer: one line, one write */
}

const char *
logger_quote(char out[LOGGER_QUOTE_MAX], const void *bytes, size_t length)
{
    size_t room = LOGGER_QUOTE_MAX - sizeof("\"\"...");
    size_t done = 0, used = 0;

    out[used++] = '"';
    while (done < length && used < room) {
        const char *from = (const char *)bytes + done;
        size_t part = 0;

        while (part < length - done && from[part] != '"' && from[part] != '\\')
            part++;
        if (part == 0 && used + 2 <= room) { /* a quote of theirs does not end ours */
            out[used++] = '\\';
            out[used++] = *from;
            done++;
            continue;
        }
        part = escape(out + used, room - used + 1, from, part);
        if (part == 0)
            break;
        done += part;
        used += strlen(out + used);
    }
    snprintf(out + used, LOGGER_QUOTE_MAX - used, done < length ? "\"..." : "\"");
    return out;
}
