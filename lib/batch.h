/* batch.h: the packets of one turn, collected per peer so that they leave together.
 *
 * The stack makes a packet of each message as it is sent. Here those for the same association are
 * put together again as long as they fit (RFC 9260, section 6.10), because what costs is the
 * datagram. Owns the packets' memory; knows nothing of sockets.
 */
#ifndef BATCH_H
#define BATCH_H

#include "link.h"

#define BATCH_PACKETS 1024

struct batch {
    struct link_packet *packets;
    size_t used;
    struct peer *dirty_first, *dirty_last; /* peers that have packets in it */
};

int batch_init(struct batch *batch);
void batch_free(struct batch *batch);

/* Add a packet for a peer, made at the time `now`: one with DATA or HEARTBEAT is due an answer.
 * When there is no room left all of the batch is sent first. A packet longer than LINK_PACKET_MAX
 * is dropped. */
void batch_add(struct batch *batch, struct peer *peer, const uint8_t *packet, size_t length,
               int64_t now);

/* Hand each peer's packets to its link and let the links send. */
void batch_send(struct batch *batch);

#endif
