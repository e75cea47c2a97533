/* endpoint_driver.h: what a transport gives endpoint.c so that it can keep the contract.
 *
 * Private to lib/endpoint*.c. A driver moves bytes and reports raw events; it knows nothing of
 * backlogs, reassembly or the time a silent peer is kept: those are written once, in endpoint.c.
 */
#ifndef ENDPOINT_DRIVER_H
#define ENDPOINT_DRIVER_H

#include "endpoint.h"

#include "backlog.h"
#include "hash.h"

/* The same events as the contract's, with three differences: a MESSAGE may be a piece of one
 * (`more`: others follow; the pieces of one association come in order and never mix two messages),
 * OVERSIZE does not occur, and DRAINED only says that send may be tried again. */
struct endpoint_raw {
    struct endpoint_event event;
    bool more;     /* MESSAGE: not the last piece */
    bool discard;  /* MESSAGE: the rest of a partial message will never come; no data */
    bool stranded; /* PATH: no path of the association is reachable now */
};

struct endpoint_driver {
    /* 1 and an event, 0 or an error. The data stay valid until the next call. */
    int (*recv)(struct endpoint *endpoint, struct endpoint_raw *raw);
    /* As endpoint_send. `more`: another follows at once, so this one may wait to share a packet
     * with it, but not for ever if the other is refused. After WOULD_BLOCK the driver reports one
     * DRAINED, however often it was asked meanwhile. */
    int (*send)(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message,
                bool more);
    /* One call for all, when nobody is behind: LAZYCHAT_OK, or LAZYCHAT_UNSUPPORTED when it would
     * not keep the contract now and the loop must do it. NULL: never. */
    int (*sendall)(struct endpoint *endpoint, const struct endpoint_message *message);
    int (*connect)(struct endpoint *endpoint, const struct address *addresses, size_t count,
                   uint16_t port, uint32_t *assoc);
    int (*shutdown)(struct endpoint *endpoint, uint32_t assoc);
    void (*abort)(struct endpoint *endpoint, uint32_t assoc);
    /* What depends on time, and when there is something again; none without associations. */
    void (*tick)(struct endpoint *endpoint, int64_t now);
    int64_t (*deadline)(const struct endpoint *endpoint);
    /* Frees the driver's own part, and then the memory of the endpoint itself. */
    void (*close)(struct endpoint *endpoint);
};

/* Facts of one association, from connect or UP to DOWN. */
struct association {
    struct hash_node by_id;
    uint32_t id;
    size_t index; /* in endpoint.associations */
    struct address address;
    bool up;
    bool behind; /* no room: everything for it waits in the backlog, from `next` on */
    uint64_t next;
    uint64_t skipped; /* of what it was due, dropped by the backlog since it fell behind */
    int64_t lost_at;  /* when to give it up; ENDPOINT_NO_DEADLINE while a path is reachable */
    uint8_t *partial; /* a message of which pieces are missing; NULL: none */
    size_t partial_length, partial_size;
    bool oversize; /* discarding the rest of a message that is too long */
};

/* A driver's endpoint begins with this. */
struct endpoint {
    const struct endpoint_driver *driver;
    const struct endpoint_profile *profile;
    struct agenda_entry entry;
    void *owner;
    int fd;
    int64_t now;
    bool unread; /* endpoint_recv may have more */
    struct hash by_id;
    struct association **associations;
    size_t count, capacity, up;
    struct backlog backlog; /* this turn's, and what those behind are due */
    uint64_t flushed;       /* all that is older was handed to those who are not behind */
    size_t pending;         /* bytes of what was not */
    uint8_t *whole;         /* the reassembled message last given out */
    int64_t next_lost;      /* the earliest lost_at */
    struct endpoint_stats stats;
};

/* Set the base up; frees nothing of the driver's on failure. */
int endpoint_init(struct endpoint *endpoint, const struct endpoint_driver *driver,
                  const struct endpoint_config *config);

/* NULL when there is none of that id. */
struct association *endpoint_find(const struct endpoint *endpoint, uint32_t id);

#endif
