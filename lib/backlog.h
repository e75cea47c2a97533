/* backlog.h: the latest messages of an endpoint, kept once for all: those of this turn, and what
 * those who are behind are due.
 *
 * A bounded queue of numbered messages. Each association that is behind remembers the number it is
 * due next; none costs memory of its own. When a new message does not fit, the oldest go, and a
 * reader whose number is older than `first` has skipped the difference.
 * Owns copies of the messages, in one piece of memory that is used round and round: a message for
 * itself would be a hole in the heap when it goes. Knows nothing of associations.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_KEEP 262144 /* what one in use keeps while it is empty */

struct endpoint_message;

struct backlog {
    struct endpoint_message *ring; /* a power of two of them; their data lie in `memory` */
    size_t ring_size;
    uint64_t first, end; /* numbers kept: first to end - 1 */
    uint8_t *memory;
    size_t size, at; /* of the memory, and where the next message goes */
    size_t max;      /* that size may grow to, or one message more than that */
    size_t bytes;    /* in messages kept */
};

void backlog_init(struct backlog *backlog, size_t max);

/* Keep a copy as number backlog->end. LAZYCHAT_OK, or LAZYCHAT_NO_MEMORY and nothing has changed.
 */
int backlog_append(struct backlog *backlog, const struct endpoint_message *message);

/* The message of that number; `number` is at least first and under end. Valid until the next
 * append or clear. */
const struct endpoint_message *backlog_get(const struct backlog *backlog, uint64_t number);

/* Nobody is due anything any more: drop all, and give the memory back if it is more than `keep`
 * bytes. Numbers go on. */
void backlog_clear(struct backlog *backlog, size_t keep);

void backlog_free(struct backlog *backlog);

#endif
