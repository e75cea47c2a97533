/* endpoint.h: one room's SCTP endpoint, the heart of lazychat.
 *
 * An endpoint is one SCTP port with all its associations, over one transport: the kernel's SCTP
 * (endpoint_kernel.h) or the user-space stack (endpoint_user.h). What is said here holds for both,
 * and tests/unit/test_endpoint.c runs one table of tests against both.
 *
 * Owns: the facts of each association (made when it comes up, dropped when it goes down), the
 * reassembly of messages, the backlog for those that are behind, the two minutes that an
 * unreachable peer is kept. Must not know what the messages mean, nor what carries the packets.
 *
 * One thread: an endpoint and everything of its transport are used from one thread only.
 * Times are milliseconds of any clock that does not jump; the caller passes them in.
 *
 * A turn: endpoint_tick, endpoint_recv until there is no more, whatever that makes one say, and
 * endpoint_flush. With many endpoints, most of them quiet, give them an agenda and let a turn be:
 * endpoint_recv of each that endpoint_next gives, whatever that makes one say on any of them, and
 * endpoint_finish.
 *
 * The contract:
 *  - endpoint_recv gives whole messages and events, one a call, until there are no more.
 *  - endpoint_send never blocks: sent, or LAZYCHAT_WOULD_BLOCK, and then exactly one DRAINED event
 *    comes when there is room again (or DOWN).
 *  - endpoint_sendall is SCTP_SENDALL done right: to every association that is up, the one that
 *    spoke too. It never blocks and no peer costs another a message. A peer without room falls
 *    behind: what it is due waits in the endpoint's backlog, one copy for all, bounded; what the
 *    backlog has to drop before the peer catches up, that peer skips, and DRAINED tells how many.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "address.h"
#include "agenda.h"
#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENDPOINT_MESSAGE_MAX                                                                       \
    65536                        /* bytes in one message, both ways; a longer one is discarded     \
                                  */
#define ENDPOINT_STREAMS       3 /* each way: conversation, history, ephemeral */
#define ENDPOINT_BACKLOG_BYTES (4u << 20)
#define ENDPOINT_NO_DEADLINE   INT64_MAX

/* Timing, as RFC 9260 section 16 names it; milliseconds. */
struct endpoint_profile {
    const char *name;
    uint32_t rto_initial, rto_min, rto_max;
    uint32_t heartbeat_interval;
    uint16_t path_max_retrans; /* kernel: failures in a row after which a path is unreachable */
    uint32_t silence; /* user space: nothing for so long, though an answer is due, says it */
    uint32_t sack_delay;
    uint32_t keep; /* how long an association without a reachable path waits for its peer */
};

/* "default" or "lan"; NULL for another name. */
const struct endpoint_profile *endpoint_profile_find(const char *name);

enum endpoint_event_type {
    ENDPOINT_MESSAGE,  /* data, length, stream, ppid, unordered */
    ENDPOINT_OVERSIZE, /* a message over ENDPOINT_MESSAGE_MAX was discarded; length: of what came */
    ENDPOINT_UP,       /* address; an association that endpoint_connect began, or a peer's */
    ENDPOINT_DOWN,     /* reason; the id is void from here on. Follows UP or a connect, once */
    ENDPOINT_RESTARTED, /* the peer lost its state and came back: same id, what was in flight is
                           gone */
    ENDPOINT_PATH,      /* address, reachable: one path of an association changed */
    ENDPOINT_DRAINED,   /* skipped: there is room again after WOULD_BLOCK or falling behind */
};

enum endpoint_reason {
    ENDPOINT_CLOSED,      /* SHUTDOWN, from either side */
    ENDPOINT_ABORTED,     /* the peer's ABORT */
    ENDPOINT_UNREACHABLE, /* silent for longer than the profile keeps it */
    ENDPOINT_REFUSED,     /* a connect that did not come up */
};

const char *endpoint_reason_text(enum endpoint_reason reason);

/* Only what the comment of the type names is set. */
struct endpoint_event {
    enum endpoint_event_type type;
    uint32_t assoc;
    const uint8_t *data; /* valid until the next call with this endpoint */
    size_t length;
    uint32_t ppid; /* host byte order */
    uint16_t stream;
    bool unordered;
    bool reachable;
    enum endpoint_reason reason;
    uint64_t skipped;
    struct address address;
};

/* For endpoint_send and endpoint_sendall. */
struct endpoint_message {
    const void *data;
    size_t length;   /* 1 to ENDPOINT_MESSAGE_MAX: SCTP has no empty user message */
    uint32_t ppid;   /* host byte order */
    uint16_t stream; /* under ENDPOINT_STREAMS; 0 where the peer offered fewer */
    bool unordered;
    bool ephemeral; /* not retransmitted, and not kept for those that are behind */
};

struct endpoint_config {
    uint16_t port; /* SCTP port; 0: any (for a client) */
    bool listen;   /* take associations that others begin */
    const struct endpoint_profile *profile;
    size_t backlog_bytes;  /* 0: ENDPOINT_BACKLOG_BYTES */
    struct agenda *agenda; /* where it enters itself; NULL: nowhere. It outlives the endpoint */
    void *owner;           /* for endpoint_owner */
};

struct endpoint_stats {
    uint64_t messages_in, messages_out; /* out: one for each association that took it */
    uint64_t skipped;                   /* deliveries that a peer behind lost */
    uint64_t behind;                    /* associations behind now */
    size_t backlog_bytes;               /* kept for them */
    const char *sendall;                /* how it is done now: "SCTP_SENDALL" or "loop" */
};

struct endpoint;

/* What the config said. */
void *endpoint_owner(const struct endpoint *endpoint);

/* Begin a turn: tells the time and applies what depends on it. Returns endpoint_deadline. */
int64_t endpoint_tick(struct endpoint *endpoint, int64_t now);

/* When to call endpoint_tick again at the latest, as things are now: what is received or said may
 * change it. ENDPOINT_NO_DEADLINE without associations. */
int64_t endpoint_deadline(const struct endpoint *endpoint);

/* 1 and an event, 0 when there is none now, or an error of the transport. */
int endpoint_recv(struct endpoint *endpoint, struct endpoint_event *event);

/* LAZYCHAT_OK, LAZYCHAT_WOULD_BLOCK, LAZYCHAT_GONE, LAZYCHAT_TOO_LARGE, LAZYCHAT_INVALID. */
int endpoint_send(struct endpoint *endpoint, uint32_t assoc,
                  const struct endpoint_message *message);

/* Say it to all, by endpoint_flush at the latest; the bytes are copied. LAZYCHAT_OK also when
 * nobody is there or some are behind; LAZYCHAT_TOO_LARGE, LAZYCHAT_INVALID, LAZYCHAT_NO_MEMORY
 * otherwise, and then nobody gets it. */
int endpoint_sendall(struct endpoint *endpoint, const struct endpoint_message *message);

/* End a turn: hand all that it said to the transport, each peer's together, so that it shares
 * packets. */
void endpoint_flush(struct endpoint *endpoint);

/* Begin a turn of one out of many: the next one of the agenda that has something to do, after
 * endpoint_tick; NULL: no more. One that is not read to the end comes again in the next turn. */
struct endpoint *endpoint_next(struct agenda *agenda, int64_t now);

/* The descriptor of this endpoint can be read (or there is another reason to call endpoint_recv):
 * endpoint_next will give it. Those of user space know by themselves. */
void endpoint_wake(struct endpoint *endpoint);

/* End the turn of all of them: endpoint_flush of those that said something. Returns the earliest
 * deadline: INT64_MIN when one was not read to the end, or ENDPOINT_NO_DEADLINE. */
int64_t endpoint_finish(struct agenda *agenda);

/* Begin an association with SCTP port `port` at the addresses (user space: one, with its UDP port).
 * UP or DOWN follows. */
int endpoint_connect(struct endpoint *endpoint, const struct address *addresses, size_t count,
                     uint16_t port, uint32_t *assoc);

/* SHUTDOWN once everything said is delivered; DOWN follows. */
int endpoint_shutdown(struct endpoint *endpoint, uint32_t assoc);

/* ABORT now. The id is void at once and no DOWN follows. */
void endpoint_abort(struct endpoint *endpoint, uint32_t assoc);

/* All of them: begin SHUTDOWN with each, or ABORT those that are left. */
void endpoint_shutdown_all(struct endpoint *endpoint);
void endpoint_abort_all(struct endpoint *endpoint);

/* Associations that are up. */
size_t endpoint_associations(const struct endpoint *endpoint);

/* Where an association's peer is; false when there is no such association. */
bool endpoint_peer(const struct endpoint *endpoint, uint32_t assoc, struct address *address);

/* Whether any path of an association that is up is reachable, as PATH events have told. */
bool endpoint_reachable(const struct endpoint *endpoint, uint32_t assoc);

void endpoint_stats(const struct endpoint *endpoint, struct endpoint_stats *stats);

/* What to poll for reading, or -1 where the transport has one for all its endpoints. */
int endpoint_fd(const struct endpoint *endpoint);

/* Aborts what is still up and frees everything. NULL is fine. */
void endpoint_close(struct endpoint *endpoint);

#endif
