/* fake_link.h: a network in memory with a clock of its own: packets are lost, doubled, late or
 * reordered by a fixed seed, so that a run can be repeated.
 *
 * Owns the packets under way and the time, which usrsctp sees too (gettimeofday). Each client's
 * peer has a counterpart that the server sees; what is sent to one arrives from the other.
 */
#ifndef FAKE_LINK_H
#define FAKE_LINK_H

#include "link.h"

#include <stdbool.h>

struct fake_config {
    uint64_t seed;
    unsigned int loss, twice;         /* per 1,000 packets */
    unsigned int delay, delay_spread; /* ms: delay to delay + delay_spread */
};

/* From here on the time is 1,000,000 ms and moves with fake_advance alone, until close. */
struct link *fake_link_open(const struct fake_config *config);

/* The time; real time when no fake link is open. */
int64_t fake_now(void);

/* Move on to the next packet's arrival, but by `most` ms at the most. */
void fake_advance(struct link *link, int64_t most);

/* The client's cable is cut: nothing to or from the peer at `address` passes, until it is mended;
 * `after` packets that it sends still do. */
void fake_cut(struct link *link, const struct address *address, unsigned int after);
void fake_mend(struct link *link);

/* What was lost and doubled so far, so that a test can tell that it tested something. */
struct fake_stats {
    unsigned int sent, lost, doubled, overtaken, cut;
};
struct fake_stats fake_stats(const struct link *link);

#endif
