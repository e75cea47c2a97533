/* batch.c: bundle and batch what one turn has to send. */
#include "batch.h"

#include "lazychat.h"
#include "packet.h"

#include <stdlib.h>
#include <string.h>

int
batch_init(struct batch *batch)
{
    memset(batch, 0, sizeof(*batch));
    batch->packets = malloc(BATCH_PACKETS * sizeof(*batch->packets));
    return batch->packets != NULL ? LAZYCHAT_OK : LAZYCHAT_NO_MEMORY;
}

void
batch_free(struct batch *batch)
{
    free(batch->packets);
}

static bool
is_data(uint8_t type)
{
    return type == PACKET_DATA || type == PACKET_I_DATA;
}

/* May chunks be added behind a packet that begins with this one? Not behind INIT, ABORT, SHUTDOWN
 * and their kin. */
static bool
may_be_followed(uint8_t type)
{
    return is_data(type) || type == PACKET_SACK || type == PACKET_HEARTBEAT ||
           type == PACKET_HEARTBEAT_ACK || type == PACKET_COOKIE_ECHO || type == PACKET_COOKIE_ACK;
}

/* Does a packet that begins with this chunk make sense behind others? COOKIE ECHO and COOKIE ACK
 * must come first. */
static bool
may_follow(uint8_t type)
{
    return is_data(type) || type == PACKET_SACK || type == PACKET_HEARTBEAT ||
           type == PACKET_HEARTBEAT_ACK;
}

/* Add chunks of `packet`, from byte `at` on, to the peer's last packet as long as they fit. Returns
 * where the rest begins, that must have a packet of its own. */
static size_t
bundle(struct link_packet *last, const uint8_t *packet, size_t at, size_t length)
{
    if (last == NULL || last->full || memcmp(last->bytes, packet, 8) != 0) /* ports and tag */
        return at;
    while (at < length && may_follow(packet[at])) {
        size_t chunk = packet_padded(packet_chunk_length(packet + at));
        size_t to = packet_padded(last->length);

        if (chunk > length - at)
            chunk = length - at; /* the last one need not be padded */
        if (to + chunk > LINK_PACKET_MAX || (last->data && !is_data(packet[at])))
            break;
        memset(last->bytes + last->length, 0, to - last->length);
        memcpy(last->bytes + to, packet + at, chunk);
        last->length = (uint16_t)(to + chunk);
        last->data = last->data || is_data(packet[at]);
        at += chunk;
    }
    return at;
}

void
batch_add(struct batch *batch, struct peer *peer, const uint8_t *packet, size_t length, int64_t now)
{
    struct link_packet *new;
    size_t at;
    bool data;

    if (length < PACKET_MIN || length > LINK_PACKET_MAX) {
        peer->link->stats.dropped_out++;
        return;
    }
    data = packet_carries_data(packet, length);
    if (peer->waiting_since == 0 && (data || packet_first_chunk(packet) == PACKET_HEARTBEAT))
        peer->waiting_since = now;
    at = bundle(peer->last, packet, PACKET_HEADER, length);
    if (at == length)
        return;
    if (batch->used == BATCH_PACKETS)
        batch_send(batch);
    new = &batch->packets[batch->used++];
    new->next = NULL;
    new->length = (uint16_t)(PACKET_HEADER + length - at);
    new->full = !may_be_followed(packet[at]);
    new->data = data;
    memcpy(new->bytes, packet, PACKET_HEADER);
    memcpy(new->bytes + PACKET_HEADER, packet + at, length - at);
    if (peer->last != NULL) {
        peer->last->next = new;
        peer->last = new;
        return;
    }
    peer->first = peer->last = new;
    peer->dirty_next = NULL;
    if (batch->dirty_last != NULL)
        batch->dirty_last->dirty_next = peer;
    else
        batch->dirty_first = peer;
    batch->dirty_last = peer;
}

void
batch_send(struct batch *batch)
{
    struct link *link = NULL;

    for (struct peer *peer = batch->dirty_first; peer != NULL; peer = peer->dirty_next) {
        if (link != NULL && link != peer->link)
            link->ops->flush(link);
        link = peer->link;
        link->ops->send(link, peer, peer->first);
        peer->first = peer->last = NULL;
    }
    if (link != NULL)
        link->ops->flush(link);
    batch->dirty_first = batch->dirty_last = NULL;
    batch->used = 0;
}
