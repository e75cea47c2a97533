/* fake_link.c: a lossy network in memory. */
#include "fake_link.h"

#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

struct packet {
    struct packet *next;
    int64_t due;
    uint64_t order;
    uint32_t from; /* the peer that it arrives from */
    uint16_t length;
    uint8_t bytes[LINK_PACKET_MAX];
};

struct fake {
    struct link link;
    struct fake_config config;
    uint64_t random;
    struct packet *first; /* by due, then by order */
    uint64_t order;
    uint32_t pair[4096]; /* a peer's counterpart, plus one */
    bool cut;
    uint32_t cut_peer;
    unsigned int cut_after;
    struct fake_stats stats;
};

static int64_t fake_time; /* ms; 0: real time */

int64_t
fake_now(void)
{
    return fake_time != 0 ? fake_time : clock_ms();
}

/* usrsctp measures round trips and the age of cookies by this: ours comes before libc's. */
int
gettimeofday(struct timeval *restrict when, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    when->tv_sec = fake_time != 0 ? fake_time / 1000 : now.tv_sec;
    when->tv_usec = fake_time != 0 ? fake_time % 1000 * 1000 : now.tv_nsec / 1000;
    return 0;
}

/* xorshift64*: small, and the same everywhere. */
static unsigned int
draw(struct fake *fake, unsigned int below)
{
    fake->random ^= fake->random >> 12;
    fake->random ^= fake->random << 25;
    fake->random ^= fake->random >> 27;
    return (unsigned int)((fake->random * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* The peer that the other side sees for this one, made when it is first needed. */
static uint32_t
counterpart(struct fake *fake, const struct peer *peer)
{
    struct address address = peer->remote;
    struct peer *other;

    assert_true(peer->number < 4095);
    if (fake->pair[peer->number] != 0)
        return fake->pair[peer->number] - 1;
    address.in.sin_addr.s_addr = htonl(0x0a000000 + peer->number + 1);
    other = peer_add(fake->link.peers, &fake->link, &address, fake_time);
    assert_non_null(other);
    peer_hold(fake->link.peers, other); /* for the whole of the test */
    fake->pair[peer->number] = other->number + 1;
    fake->pair[other->number] = peer->number + 1;
    return other->number;
}

static void
enqueue(struct fake *fake, uint32_t from, const struct link_packet *packet)
{
    struct packet *new = malloc(sizeof(*new));
    struct packet **at = &fake->first;

    assert_non_null(new);
    new->due = fake_time + fake->config.delay + draw(fake, fake->config.delay_spread + 1);
    new->order = fake->order++;
    new->from = from;
    new->length = packet->length;
    memcpy(new->bytes, packet->bytes, packet->length);
    while (*at != NULL && (*at)->due <= new->due)
        at = &(*at)->next;
    fake->stats.overtaken += *at != NULL;
    new->next = *at;
    *at = new;
}

/* Is this packet stopped by the cut? `peer` is whom it goes to. */
static bool
is_cut(struct fake *fake, const struct peer *peer, uint32_t from)
{
    if (!fake->cut)
        return false;
    if (peer->number == fake->cut_peer) { /* the client's own packets go to this peer */
        if (fake->cut_after == 0)
            return true;
        fake->cut_after--;
        return false;
    }
    return from == fake->cut_peer && fake->cut_after == 0;
}

static void
send_packets(struct link *link, struct peer *peer, struct link_packet *packet)
{
    struct fake *fake = (struct fake *)link;
    uint32_t from = counterpart(fake, peer);

    for (; packet != NULL; packet = packet->next) {
        fake->stats.sent++;
        if (is_cut(fake, peer, from)) {
            fake->stats.cut++;
        } else if (draw(fake, 1000) < fake->config.loss) {
            fake->stats.lost++;
        } else {
            enqueue(fake, from, packet);
            if (draw(fake, 1000) < fake->config.twice) {
                enqueue(fake, from, packet);
                fake->stats.doubled++;
            }
        }
    }
}

static void
flush(struct link *link)
{
    (void)link;
}

static void
receive(struct link *link, int64_t now)
{
    struct fake *fake = (struct fake *)link;

    while (fake->first != NULL && fake->first->due <= now) {
        struct packet *packet = fake->first;
        struct peer *peer = peer_by_number(link->peers, packet->from);

        fake->first = packet->next;
        if (peer != NULL)
            link->deliver(link->user, peer, packet->bytes, packet->length);
        free(packet);
    }
}

void
fake_advance(struct link *link, int64_t most)
{
    struct fake *fake = (struct fake *)link;
    int64_t step = fake->first != NULL ? fake->first->due - fake_time : most;

    step = step < 1 ? 1 : step;
    fake_time += step < most ? step : most;
}

void
fake_cut(struct link *link, const struct address *address, unsigned int after)
{
    struct fake *fake = (struct fake *)link;
    const struct peer *peer = peer_by_address(link->peers, link, address);

    assert_non_null(peer);
    fake->cut = true;
    fake->cut_peer = peer->number;
    fake->cut_after = after;
}

void
fake_mend(struct link *link)
{
    ((struct fake *)link)->cut = false;
}

struct fake_stats
fake_stats(const struct link *link)
{
    return ((const struct fake *)link)->stats;
}

static void
close_link(struct link *link)
{
    struct fake *fake = (struct fake *)link;

    while (fake->first != NULL) {
        struct packet *packet = fake->first;

        fake->first = packet->next;
        free(packet);
    }
    free(fake);
    fake_time = 0;
}

static const struct link_ops ops = {receive, send_packets, flush, close_link};

struct link *
fake_link_open(const struct fake_config *config)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    assert_non_null(fake);
    fake->config = *config;
    fake->random = config->seed * 2 + 1;
    fake->link.ops = &ops;
    fake->link.name = "fake";
    fake->link.fd = -1;
    address_parse(&fake->link.local, "10.255.255.1:1", 0);
    fake_time = 1000000;
    return &fake->link;
}
