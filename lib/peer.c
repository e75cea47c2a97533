/* peer.c: the table of peers and of their flows. */
#include "peer.h"

#include "lazychat.h"

#include <stdlib.h>
#include <string.h>

void
peers_init(struct peers *peers, uint64_t seed)
{
    memset(peers, 0, sizeof(*peers));
    peers->seed = seed;
}

struct peer *
peer_by_number(const struct peers *peers, uint32_t number)
{
    return number < peers->size ? peers->all[number] : NULL;
}

static uint64_t
address_value(const struct peers *peers, const struct link *link, const struct address *remote)
{
    return hash_mix(address_hash(remote) ^ peers->seed ^ (uintptr_t)link);
}

struct peer *
peer_by_address(const struct peers *peers, const struct link *link, const struct address *remote)
{
    struct hash_node *node = hash_first(&peers->by_address, address_value(peers, link, remote));

    for (; node != NULL; node = hash_next(node)) {
        struct peer *peer = hash_entry(node, struct peer, by_address);

        if (peer->link == link && address_equal(&peer->remote, remote))
            return peer;
    }
    return NULL;
}

static uint64_t
flow_value(const struct peers *peers, uint32_t ports, uint32_t tag)
{
    return hash_mix(((uint64_t)ports << 32 | tag) ^ peers->seed);
}

struct peer *
peer_by_flow(const struct peers *peers, uint32_t ports, uint32_t tag)
{
    struct hash_node *node = hash_first(&peers->by_tag, flow_value(peers, ports, tag));

    for (; node != NULL; node = hash_next(node)) {
        struct flow *flow = hash_entry(node, struct flow, by_tag);

        if (flow->ports == ports && flow->tag == tag)
            return flow->peer;
    }
    return NULL;
}

/* ---- The list of those whom nobody holds ---- */

static void
idle_append(struct peers *peers, struct peer *peer, int64_t now)
{
    peer->idle_since = now;
    peer->idle_prev = peers->idle_last;
    peer->idle_next = NULL;
    if (peers->idle_last != NULL)
        peers->idle_last->idle_next = peer;
    else
        peers->idle_first = peer;
    peers->idle_last = peer;
    peers->idle_count++;
}

static void
idle_remove(struct peers *peers, struct peer *peer)
{
    if (peer->idle_prev != NULL)
        peer->idle_prev->idle_next = peer->idle_next;
    else
        peers->idle_first = peer->idle_next;
    if (peer->idle_next != NULL)
        peer->idle_next->idle_prev = peer->idle_prev;
    else
        peers->idle_last = peer->idle_prev;
    peers->idle_count--;
}

static void
flow_free(struct peers *peers, struct flow *flow)
{
    if (flow->confirmed)
        hash_remove(&peers->by_tag, &flow->by_tag);
    free(flow);
}

static void
peer_remove(struct peers *peers, struct peer *peer)
{
    while (peer->flows != NULL) {
        struct flow *flow = peer->flows;

        peer->flows = flow->next;
        flow_free(peers, flow);
    }
    if (peer->holds == 0)
        idle_remove(peers, peer);
    hash_remove(&peers->by_address, &peer->by_address);
    peers->all[peer->number] = NULL;
    peers->free_numbers[peers->free_count++] = peer->number;
    free(peer);
}

/* Room for one number more; the free list always has room for all of them. */
static int
grow(struct peers *peers)
{
    uint32_t size = peers->size == 0 ? 64 : peers->size * 2;
    struct peer **all = realloc(peers->all, size * sizeof(struct peer *));
    uint32_t *numbers;

    if (all == NULL)
        return LAZYCHAT_NO_MEMORY;
    peers->all = all;
    numbers = realloc(peers->free_numbers, size * sizeof(uint32_t));
    if (numbers == NULL)
        return LAZYCHAT_NO_MEMORY;
    peers->free_numbers = numbers;
    for (uint32_t number = size; number-- > peers->size;) {
        peers->all[number] = NULL;
        peers->free_numbers[peers->free_count++] = number;
    }
    peers->size = size;
    return LAZYCHAT_OK;
}

struct peer *
peer_add(struct peers *peers, struct link *link, const struct address *remote, int64_t now)
{
    struct peer *peer;

    /* The oldest goes, unless this turn still has packets for it. */
    if (peers->idle_count >= PEER_IDLE_MAX && peers->idle_first->first == NULL)
        peer_remove(peers, peers->idle_first);
    if (peers->free_count == 0 && grow(peers) != LAZYCHAT_OK)
        return NULL;
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return NULL;
    if (hash_insert(&peers->by_address, &peer->by_address, address_value(peers, link, remote)) !=
        LAZYCHAT_OK) {
        free(peer);
        return NULL;
    }
    peer->link = link;
    peer->remote = *remote;
    peer->number = peers->free_numbers[--peers->free_count];
    peers->all[peer->number] = peer;
    idle_append(peers, peer, now);
    return peer;
}

void
peer_hold(struct peers *peers, struct peer *peer)
{
    if (peer->holds++ == 0)
        idle_remove(peers, peer);
}

void
peer_release(struct peers *peers, struct peer *peer, int64_t now)
{
    if (--peer->holds == 0)
        idle_append(peers, peer, now);
}

void
peer_move(struct peers *peers, struct peer *peer, const struct address *remote)
{
    hash_remove(&peers->by_address, &peer->by_address);
    peer->remote = *remote;
    /* It has as many nodes as before, so there is no need to grow and it cannot fail. */
    hash_insert(&peers->by_address, &peer->by_address,
                address_value(peers, peer->link, &peer->remote));
}

/* ---- Flows ---- */

static struct flow *
flow_find(const struct peer *peer, uint32_t ports)
{
    struct flow *flow = peer->flows;

    while (flow != NULL && flow->ports != ports)
        flow = flow->next;
    return flow;
}

/* Flows that were never confirmed are strangers' claims: a few are kept. */
#define FLOWS_UNCONFIRMED_MAX 8

static void
flow_forget_unconfirmed(struct peers *peers, struct peer *peer)
{
    struct flow **at = &peer->flows;

    while (*at != NULL) {
        struct flow *flow = *at;

        if (flow->confirmed) {
            at = &flow->next;
            continue;
        }
        *at = flow->next;
        flow_free(peers, flow);
    }
}

void
peer_flow_seen(struct peer *peer, uint32_t ports, uint32_t tag)
{
    struct flow *flow = flow_find(peer, ports);
    int unconfirmed = 0;

    if (flow == NULL) {
        for (flow = peer->flows; flow != NULL; flow = flow->next)
            unconfirmed += flow->confirmed ? 0 : 1;
        if (unconfirmed >= FLOWS_UNCONFIRMED_MAX)
            flow_forget_unconfirmed(NULL, peer);
        flow = calloc(1, sizeof(*flow));
        if (flow == NULL)
            return; /* then a change of its port will not be followed */
        flow->peer = peer;
        flow->ports = ports;
        flow->next = peer->flows;
        peer->flows = flow;
    }
    flow->seen = tag;
}

void
peer_flow_up(struct peers *peers, struct peer *peer, uint32_t ports)
{
    struct flow *flow = flow_find(peer, ports);

    if (flow == NULL)
        return;
    if (flow->confirmed)
        hash_remove(&peers->by_tag, &flow->by_tag);
    flow->tag = flow->seen;
    flow->confirmed = hash_insert(&peers->by_tag, &flow->by_tag,
                                  flow_value(peers, ports, flow->tag)) == LAZYCHAT_OK;
}

void
peer_flow_down(struct peers *peers, struct peer *peer, uint32_t ports)
{
    struct flow **at = &peer->flows;

    while (*at != NULL && (*at)->ports != ports)
        at = &(*at)->next;
    if (*at != NULL) {
        struct flow *flow = *at;

        *at = flow->next;
        flow_free(peers, flow);
    }
}

int64_t
peers_expire(struct peers *peers, int64_t now)
{
    while (peers->idle_first != NULL && peers->idle_first->idle_since + PEER_GRACE_MS <= now &&
           peers->idle_first->first == NULL)
        peer_remove(peers, peers->idle_first);
    return peers->idle_first != NULL ? peers->idle_first->idle_since + PEER_GRACE_MS : INT64_MAX;
}

void
peers_free(struct peers *peers)
{
    for (uint32_t number = 0; number < peers->size; number++)
        if (peers->all[number] != NULL)
            peer_remove(peers, peers->all[number]);
    free(peers->all);
    free(peers->free_numbers);
    hash_free(&peers->by_address);
    hash_free(&peers->by_tag);
}
