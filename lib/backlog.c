/* backlog.c: a ring of messages over a ring of bytes, the oldest dropped for the newest. */
#include "backlog.h"

#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

#define RING_MIN   64
#define MEMORY_MIN 16384

void
backlog_init(struct backlog *backlog, size_t max)
{
    memset(backlog, 0, sizeof(*backlog));
    backlog->max = max;
}

static struct endpoint_message *
place(const struct backlog *backlog, uint64_t number)
{
    return &backlog->ring[number & (backlog->ring_size - 1)];
}

static void
drop_oldest(struct backlog *backlog)
{
    backlog->bytes -= place(backlog, backlog->first++)->length;
    if (backlog->first == backlog->end)
        backlog->at = 0;
}

static int
grow_ring(struct backlog *backlog)
{
    size_t size = backlog->ring_size == 0 ? RING_MIN : backlog->ring_size * 2;
    struct endpoint_message *ring = calloc(size, sizeof(*ring));

    if (ring == NULL)
        return LAZYCHAT_NO_MEMORY;
    for (uint64_t n = backlog->first; n < backlog->end; n++)
        ring[n & (size - 1)] = *place(backlog, n);
    free(backlog->ring);
    backlog->ring = ring;
    backlog->ring_size = size;
    return LAZYCHAT_OK;
}

/* Twice the memory, the messages in order at its begin. */
static int
grow_memory(struct backlog *backlog, size_t size)
{
    uint8_t *memory = malloc(size);
    size_t at = 0;

    if (memory == NULL)
        return LAZYCHAT_NO_MEMORY;
    for (uint64_t n = backlog->first; n < backlog->end; n++) {
        struct endpoint_message *message = place(backlog, n);

        memcpy(memory + at, message->data, message->length);
        message->data = memory + at;
        at += message->length;
    }
    free(backlog->memory);
    backlog->memory = memory;
    backlog->size = size;
    backlog->at = at;
    return LAZYCHAT_OK;
}

/* Is there room in one piece, behind the newest or, round the corner, before the oldest? Then `at`
 * is there. It never comes to stand where the oldest begins: that would look as if all were free.
 */
static bool
find_room(struct backlog *backlog, size_t length)
{
    size_t oldest;

    if (backlog->first == backlog->end) {
        backlog->at = 0;
        return length <= backlog->size;
    }
    oldest = (size_t)((const uint8_t *)place(backlog, backlog->first)->data - backlog->memory);
    if (backlog->at <= oldest)
        return length < oldest - backlog->at;
    if (length <= backlog->size - backlog->at)
        return true;
    if (length >= oldest)
        return false;
    backlog->at = 0;
    return true;
}

/* Room for so many bytes: what is free, or by growing, or what the oldest leave. */
static int
make_room(struct backlog *backlog, size_t length)
{
    while (!find_room(backlog, length)) {
        size_t size = backlog->size < MEMORY_MIN ? MEMORY_MIN : backlog->size * 2;

        if (size > backlog->max)
            size = backlog->max;
        if (backlog->first == backlog->end && size < length)
            size = length; /* larger than all that may be kept: it is kept alone */
        if (size > backlog->size) {
            if (grow_memory(backlog, size) != LAZYCHAT_OK)
                return LAZYCHAT_NO_MEMORY;
        } else {
            drop_oldest(backlog);
        }
    }
    return LAZYCHAT_OK;
}

int
backlog_append(struct backlog *backlog, const struct endpoint_message *message)
{
    struct endpoint_message *kept;

    if (backlog->end - backlog->first == backlog->ring_size && grow_ring(backlog) != LAZYCHAT_OK)
        return LAZYCHAT_NO_MEMORY;
    if (make_room(backlog, message->length) != LAZYCHAT_OK)
        return LAZYCHAT_NO_MEMORY;
    kept = place(backlog, backlog->end++);
    *kept = *message;
    kept->data = memcpy(backlog->memory + backlog->at, message->data, message->length);
    backlog->at += message->length;
    backlog->bytes += message->length;
    return LAZYCHAT_OK;
}

const struct endpoint_message *
backlog_get(const struct backlog *backlog, uint64_t number)
{
    return place(backlog, number);
}

void
backlog_clear(struct backlog *backlog, size_t keep)
{
    backlog->first = backlog->end;
    backlog->at = 0;
    backlog->bytes = 0;
    if (backlog->size > keep) {
        free(backlog->memory);
        free(backlog->ring);
        backlog->memory = NULL;
        backlog->ring = NULL;
        backlog->size = backlog->ring_size = 0;
    }
}

void
backlog_free(struct backlog *backlog)
{
    free(backlog->memory);
    free(backlog->ring);
}
