/* outbox.c: a queue of what is not acknowledged. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

int
outbox_add(struct outbox *outbox, const char *id, const void *bytes, size_t length)
{
    struct outbox_item *item;

    if (outbox->count >= OUTBOX_MAX)
        return LAZYCHAT_WOULD_BLOCK;
    if (strlen(id) >= sizeof(item->id))
        return LAZYCHAT_INVALID;
    item = malloc(sizeof(*item) + length);
    if (item == NULL)
        return LAZYCHAT_NO_MEMORY;
    item->next = NULL;
    item->sent = false;
    item->length = length;
    memcpy(item->id, id, strlen(id) + 1);
    memcpy(item->bytes, bytes, length);
    if (outbox->last != NULL)
        outbox->last->next = item;
    else
        outbox->first = item;
    outbox->last = item;
    outbox->count++;
    return LAZYCHAT_OK;
}

struct outbox_item *
outbox_next(struct outbox *outbox)
{
    struct outbox_item *item = outbox->first;

    if (outbox->sent >= OUTBOX_FLIGHT)
        return NULL;
    while (item != NULL && item->sent)
        item = item->next;
    return item;
}

void
outbox_sent(struct outbox *outbox, struct outbox_item *item)
{
    item->sent = true;
    outbox->sent++;
}

bool
outbox_remove(struct outbox *outbox, const char *id)
{
    struct outbox_item *before = NULL;

    for (struct outbox_item *item = outbox->first; item != NULL; before = item, item = item->next) {
        if (strcmp(item->id, id) != 0)
            continue;
        if (before != NULL)
            before->next = item->next;
        else
            outbox->first = item->next;
        if (outbox->last == item)
            outbox->last = before;
        outbox->count--;
        outbox->sent -= item->sent;
        free(item);
        return true;
    }
    return false;
}

void
outbox_again(struct outbox *outbox)
{
    for (struct outbox_item *item = outbox->first; item != NULL; item = item->next)
        item->sent = false;
    outbox->sent = 0;
}

void
outbox_free(struct outbox *outbox)
{
    while (outbox->first != NULL) {
        struct outbox_item *item = outbox->first;

        outbox->first = item->next;
        free(item);
    }
    memset(outbox, 0, sizeof(*outbox));
}
