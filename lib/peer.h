/* peer.h: the far ends that links carry packets to, each known to the stack by a small number.
 *
 * A peer is one transport address as seen through one link. It is made when a packet that may begin
 * an association comes (INIT), or when we connect; it is held while an association is up and kept
 * a little longer for what is still on its way. Numbers are used again.
 *
 * A flow is one association as packets show it: two SCTP ports and the verification tag that the
 * peer must send. By it a peer whose UDP port has changed is known again (RFC 6951, section 5.4).
 *
 * Owns the table. Must not know what the packets carry, nor how a link sends them.
 */
#ifndef PEER_H
#define PEER_H

#include "address.h"
#include "hash.h"

#include <stdbool.h>
#include <stdint.h>

#define PEER_GRACE_MS 30000 /* a peer that nobody holds stays so long */
#define PEER_IDLE_MAX                                                                              \
    4096 /* and there are so many of them: a flood of INITs recycles the oldest                    \
          */
#define PEER_NONE UINT32_MAX

struct link;
struct link_packet;

struct flow {
    struct hash_node by_tag;
    struct flow *next; /* of the same peer */
    struct peer *peer;
    uint32_t ports; /* as in the packet: source port, destination port */
    uint32_t tag;   /* what the peer's packets carry; valid when `confirmed` */
    uint32_t seen;  /* what its latest COOKIE ECHO or COOKIE ACK carried */
    bool confirmed;
};

struct peer {
    struct hash_node by_address;
    uint32_t number;
    unsigned int holds;
    struct link *link;
    struct address remote; /* in the form of the link's socket */
    struct address local;  /* which of our addresses it uses; family 0: the link has just one */
    struct flow *flows;
    int64_t waiting_since; /* an answer is due since then and nothing came; 0: none is due */
    int64_t idle_since;
    struct peer *idle_prev, *idle_next;
    struct link_packet *first, *last; /* what this turn has for it (batch.c) */
    struct peer *dirty_next;
};

struct peers {
    struct peer **all; /* by number; NULL: free */
    uint32_t size;
    uint32_t *free_numbers;
    uint32_t free_count;
    struct hash by_address, by_tag;
    uint64_t seed;                       /* so that strangers cannot choose their bucket */
    struct peer *idle_first, *idle_last; /* held by nobody, oldest first */
    uint32_t idle_count;
};

void peers_init(struct peers *peers, uint64_t seed);
void peers_free(struct peers *peers);

/* NULL when there is none. */
struct peer *peer_by_number(const struct peers *peers, uint32_t number);
struct peer *peer_by_address(const struct peers *peers, const struct link *link,
                             const struct address *remote);
struct peer *peer_by_flow(const struct peers *peers, uint32_t ports, uint32_t tag);

/* A new peer, idle since `now`; NULL when there is no memory. */
struct peer *peer_add(struct peers *peers, struct link *link, const struct address *remote,
                      int64_t now);

/* Held: it stays. Released as often as held: it goes after PEER_GRACE_MS. */
void peer_hold(struct peers *peers, struct peer *peer);
void peer_release(struct peers *peers, struct peer *peer, int64_t now);

/* The peer has another address from now on. */
void peer_move(struct peers *peers, struct peer *peer, const struct address *remote);

/* A COOKIE ECHO or COOKIE ACK of a flow came with this tag; it counts once confirmed. */
void peer_flow_seen(struct peer *peer, uint32_t ports, uint32_t tag);

/* The association of these ports is up (or restarted), so the tag last seen was right; or it is
 * down, and the flow is forgotten. */
void peer_flow_up(struct peers *peers, struct peer *peer, uint32_t ports);
void peer_flow_down(struct peers *peers, struct peer *peer, uint32_t ports);

/* Let go of those idle for too long. Returns when the next one is due, or INT64_MAX. */
int64_t peers_expire(struct peers *peers, int64_t now);

#endif
