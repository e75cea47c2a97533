/* backlog.h: the latest messages of an endpoint, kept once for all who are behind.
 *
 * A bounded queue of numbered messages. Each association that is behind remembers the number it is
 * due next; none costs memory of its own. When a new message does not fit, the oldest go, and a
 * reader whose number is older than backlog_first() has skipped the difference.
 * Owns copies of the messages. Knows nothing of associations.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stddef.h>
#include <stdint.h>

struct endpoint_message;

struct backlog {
    struct endpoint_message *ring; /* a power of two of them; data are malloc'ed */
    size_t size;
    uint64_t first, end; /* numbers kept: first to end - 1 */
    size_t bytes, max;   /* bytes kept, with what keeping them costs */
};

void backlog_init(struct backlog *backlog, size_t max);

/* Keep a copy as number backlog->end. LAZYCHAT_OK or LAZYCHAT_NO_MEMORY, and then it counts as
 * kept and dropped at once: its number is used up. */
int backlog_append(struct backlog *backlog, const struct endpoint_message *message);

/* The message of that number; `number` is at least first and under end. Valid until the next
 * append or clear. */
const struct endpoint_message *backlog_get(const struct backlog *backlog, uint64_t number);

/* Nobody is behind any more: drop everything. Numbers go on counting. */
void backlog_clear(struct backlog *backlog);

void backlog_free(struct backlog *backlog);

#endif
