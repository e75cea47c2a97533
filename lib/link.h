/* link.h: what carries SCTP packets beneath endpoint_user: UDP now, DTLS later.
 *
 * A link is one open port and everything that comes and goes through it. It checks and writes the
 * SCTP checksum, finds the peer that a packet is from, and hands good packets on. Must not know
 * what is above: it gets a function to deliver to.
 */
#ifndef LINK_H
#define LINK_H

#include "peer.h"

#include <stddef.h>

/* Whole SCTP packets that we send are at most so long. With IPv6 and UDP headers that is 1,280
 * bytes, the MTU that every IPv6 path has (RFC 8200, section 5), so nothing is ever fragmented and
 * no path MTU need be found out. A multiple of 4. */
#define LINK_PACKET_MAX 1232

/* A packet of this turn, complete but for its checksum. */
struct link_packet {
    struct link_packet *next; /* for the same peer */
    uint16_t length;
    bool data; /* it carries DATA, which control chunks must not follow */
    bool full; /* nothing may be added */
    uint8_t bytes[LINK_PACKET_MAX];
};

struct link_ops {
    /* Deliver what has come, up to some bound. */
    void (*receive)(struct link *link, int64_t now);
    /* Take all that a turn has for a peer, in order. The packets stay until flush has returned. */
    void (*send)(struct link *link, struct peer *peer, struct link_packet *first);
    void (*flush)(struct link *link);
    void (*close)(struct link *link); /* frees it */
};

/* A link of any kind begins with this. */
struct link {
    const struct link_ops *ops;
    const char *name;     /* "udp" */
    struct address local; /* where it is bound */
    int fd;               /* to poll for reading; -1: none */
    struct peers *peers;
    void (*deliver)(void *user, struct peer *peer, const uint8_t *packet, size_t length);
    void *user;
    struct link *next;
    struct {
        uint64_t packets_in, packets_out, sends, dropped_in, dropped_out, moved;
    } stats;
};

#endif
