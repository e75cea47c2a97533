/* outbox.h: what one said in a room and is not acknowledged yet, in the order in which it was said.
 *
 * Owns the messages as bytes and their ids. Must not know how they are sent. No I/O.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_MAX    10000
#define OUTBOX_FLIGHT 16 /* sent and not acknowledged */

struct outbox_item {
    struct outbox_item *next;
    char id[LAZYCHAT_ID_SIZE];
    bool sent;
    size_t length;
    char bytes[];
};

struct outbox {
    struct outbox_item *first, *last;
    size_t count, sent;
};

/* The bytes and the id are copied. LAZYCHAT_WOULD_BLOCK: it is full; LAZYCHAT_NO_MEMORY. */
int outbox_add(struct outbox *outbox, const char *id, const void *bytes, size_t length);

/* What to send next, or NULL: nothing, or enough is in flight. outbox_sent says that it was. */
struct outbox_item *outbox_next(struct outbox *outbox);
void outbox_sent(struct outbox *outbox, struct outbox_item *item);

/* Acknowledged or given up; false: there is none of that id. */
bool outbox_remove(struct outbox *outbox, const char *id);

/* All of it is to be sent again. */
void outbox_again(struct outbox *outbox);

void outbox_free(struct outbox *outbox);

#endif
