/* backlog.c: a ring of messages, the oldest dropped for the newest. */
#include "backlog.h"

#include "endpoint.h"

#include <stdlib.h>
#include <string.h>

/* What one kept message costs beside its bytes: its place in the ring and malloc's header. */
#define OVERHEAD (sizeof(struct endpoint_message) + 16)

void
backlog_init(struct backlog *backlog, size_t max)
{
    memset(backlog, 0, sizeof(*backlog));
    backlog->max = max;
}

static struct endpoint_message *
place(const struct backlog *backlog, uint64_t number)
{
    return &backlog->ring[number & (backlog->size - 1)];
}

static void
drop_oldest(struct backlog *backlog)
{
    struct endpoint_message *oldest = place(backlog, backlog->first++);

    backlog->bytes -= oldest->length + OVERHEAD;
    free((void *)oldest->data);
}

static int
grow(struct backlog *backlog)
{
    size_t size = backlog->size == 0 ? 64 : backlog->size * 2;
    struct endpoint_message *ring = calloc(size, sizeof(*ring));

    if (ring == NULL)
        return LAZYCHAT_NO_MEMORY;
    for (uint64_t n = backlog->first; n < backlog->end; n++)
        ring[n & (size - 1)] = *place(backlog, n);
    free(backlog->ring);
    backlog->ring = ring;
    backlog->size = size;
    return LAZYCHAT_OK;
}

int
backlog_append(struct backlog *backlog, const struct endpoint_message *message)
{
    size_t cost = message->length + OVERHEAD;
    void *copy = malloc(message->length);

    while (backlog->first < backlog->end && backlog->bytes + cost > backlog->max)
        drop_oldest(backlog);
    if (copy == NULL ||
        (backlog->end - backlog->first == backlog->size && grow(backlog) != LAZYCHAT_OK)) {
        free(copy);
        while (backlog->first < backlog->end)
            drop_oldest(backlog);
        backlog->first = ++backlog->end;
        return LAZYCHAT_NO_MEMORY;
    }
    memcpy(copy, message->data, message->length);
    *place(backlog, backlog->end) = *message;
    place(backlog, backlog->end)->data = copy;
    backlog->end++;
    backlog->bytes += cost;
    return LAZYCHAT_OK;
}

const struct endpoint_message *
backlog_get(const struct backlog *backlog, uint64_t number)
{
    return place(backlog, number);
}

void
backlog_clear(struct backlog *backlog)
{
    while (backlog->first < backlog->end)
        drop_oldest(backlog);
    free(backlog->ring);
    backlog->ring = NULL;
    backlog->size = 0;
}

void
backlog_free(struct backlog *backlog)
{
    backlog_clear(backlog);
}
