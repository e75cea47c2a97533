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

/* Add the chunks of `packet` to the peer's last packet; false when they must have one of their
 * own. */
static bool
bundle(struct link_packet *last, const uint8_t *packet, size_t length, bool data)
{
    size_t at;

    if (last == NULL || last->full || !may_follow(packet_first_chunk(packet)))
        return false;
    at = packet_padded(last->length);
    if (at + length - PACKET_HEADER > LINK_PACKET_MAX)
        return false;
    if (memcmp(last->bytes, packet, 8) != 0) /* ports and verification tag */
        return false;
    if (last->data && !is_data(packet_first_chunk(packet)))
        return false;
    memset(last->bytes + last->length, 0, at - last->length);
    memcpy(last->bytes + at, packet + PACKET_HEADER, length - PACKET_HEADER);
    last->length = (uint16_t)(at + length - PACKET_HEADER);
    last->data = last->data || data;
    return true;
}

void
batch_add(struct batch *batch, struct peer *peer, const uint8_t *packet, size_t length, int64_t now)
{
    struct link_packet *new;
    bool data;

    if (length < PACKET_MIN || length > LINK_PACKET_MAX) {
        peer->link->stats.dropped_out++;
        return;
    }
    data = packet_carries_data(packet, length);
    if (peer->waiting_since == 0 && (data || packet_first_chunk(packet) == PACKET_HEARTBEAT))
        peer->waiting_since = now;
    if (bundle(peer->last, packet, length, data))
        return;
    if (batch->used == BATCH_PACKETS)
        batch_send(batch);
    new = &batch->packets[batch->used++];
    new->next = NULL;
    new->length = (uint16_t)length;
    new->full = !may_be_followed(packet_first_chunk(packet));
    new->data = data;
    memcpy(new->bytes, packet, length);
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
