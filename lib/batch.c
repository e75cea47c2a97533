/* batch.c: bundle and batch what one turn has to send. */
#include "batch.h"

#include "lazychat.h"

#include <stdlib.h>
#include <string.h>

enum chunk_type { /* RFC 9260 section 3.2, RFC 8260 */
                  DATA = 0,
                  SACK = 3,
                  HEARTBEAT = 4,
                  HEARTBEAT_ACK = 5,
                  COOKIE_ECHO = 10,
                  COOKIE_ACK = 11,
                  I_DATA = 64,
};

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
    return type == DATA || type == I_DATA;
}

/* May chunks be added behind a packet that begins with this one? Not behind INIT, ABORT, SHUTDOWN
 * and their kin. */
static bool
may_be_followed(uint8_t type)
{
    return is_data(type) || type == SACK || type == HEARTBEAT || type == HEARTBEAT_ACK ||
           type == COOKIE_ECHO || type == COOKIE_ACK;
}

/* Does a packet that begins with this chunk make sense behind others? COOKIE ECHO and COOKIE ACK
 * must come first. */
static bool
may_follow(uint8_t type)
{
    return is_data(type) || type == SACK || type == HEARTBEAT || type == HEARTBEAT_ACK;
}

static size_t
padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

static bool
carries_data(const uint8_t *packet, size_t length)
{
    for (size_t at = SCTP_HEADER; at + 4 <= length;) {
        size_t chunk = (size_t)packet[at + 2] << 8 | packet[at + 3];

        if (is_data(packet[at]))
            return true;
        at += padded(chunk < 4 ? 4 : chunk);
    }
    return false;
}

/* Add the chunks of `packet` to the peer's last packet; false when they must have one of their
 * own. */
static bool
bundle(struct link_packet *last, const uint8_t *packet, size_t length, bool data)
{
    size_t at;

    if (last == NULL || last->full || !may_follow(packet[SCTP_HEADER]))
        return false;
    at = padded(last->length);
    if (at + length - SCTP_HEADER > LINK_PACKET_MAX)
        return false;
    if (memcmp(last->bytes, packet, 8) != 0) /* ports and verification tag */
        return false;
    if (last->data && !is_data(packet[SCTP_HEADER]))
        return false;
    memset(last->bytes + last->length, 0, at - last->length);
    memcpy(last->bytes + at, packet + SCTP_HEADER, length - SCTP_HEADER);
    last->length = (uint16_t)(at + length - SCTP_HEADER);
    last->data = last->data || data;
    return true;
}

void
batch_add(struct batch *batch, struct peer *peer, const uint8_t *packet, size_t length, int64_t now)
{
    struct link_packet *new;
    bool data;

    if (length < SCTP_HEADER + 4 || length > LINK_PACKET_MAX) {
        peer->link->stats.dropped_out++;
        return;
    }
    data = carries_data(packet, length);
    if (peer->waiting_since == 0 && (data || packet[SCTP_HEADER] == HEARTBEAT))
        peer->waiting_since = now;
    if (bundle(peer->last, packet, length, data))
        return;
    if (batch->used == BATCH_PACKETS)
        batch_send(batch);
    new = &batch->packets[batch->used++];
    new->next = NULL;
    new->length = (uint16_t)length;
    new->full = !may_be_followed(packet[SCTP_HEADER]);
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
