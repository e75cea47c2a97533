/* packet.c: reads the format of SCTP packets. */
#include "packet.h"

#include <string.h>

static uint32_t
load32(const uint8_t *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return number;
}

uint32_t
packet_ports(const uint8_t *packet)
{
    return load32(packet);
}

uint32_t
packet_tag(const uint8_t *packet)
{
    return load32(packet + 4);
}

uint8_t
packet_first_chunk(const uint8_t *packet)
{
    return packet[PACKET_HEADER];
}

size_t
packet_padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

size_t
packet_chunk_length(const uint8_t *bytes)
{
    return (size_t)bytes[2] << 8 | bytes[3];
}

/* Where a chunk's parameters or error causes begin; 0: it has none. */
static size_t
parameters_at(uint8_t type)
{
    switch (type) {
    case PACKET_INIT:
    case PACKET_INIT_ACK:
        return 20;
    case PACKET_ABORT:
    case PACKET_ERROR:
    case PACKET_RE_CONFIG:
        return 4;
    case PACKET_ASCONF:
    case PACKET_ASCONF_ACK:
        return 8;
    default:
        return 0;
    }
}

/* A list of things with a header of 4 bytes, each padded, the last perhaps not. */
static bool
list_well_formed(const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t one = length >= PACKET_CHUNK_HEADER ? packet_chunk_length(bytes) : 0;

        if (one < PACKET_CHUNK_HEADER || one > length)
            return false;
        one = packet_padded(one);
        if (one >= length)
            return true;
        bytes += one;
        length -= one;
    }
    return true;
}

bool
packet_well_formed(const uint8_t *packet, size_t length)
{
    if (length < PACKET_MIN || !list_well_formed(packet + PACKET_HEADER, length - PACKET_HEADER))
        return false;
    for (size_t at = PACKET_HEADER; at < length;) {
        size_t chunk = packet_chunk_length(packet + at);
        size_t from = parameters_at(packet[at]);

        if (from != 0 && chunk >= from && !list_well_formed(packet + at + from, chunk - from))
            return false;
        at += packet_padded(chunk);
    }
    return true;
}

bool
packet_carries_data(const uint8_t *packet, size_t length)
{
    for (size_t at = PACKET_HEADER; at + PACKET_CHUNK_HEADER <= length;) {
        if (packet[at] == PACKET_DATA || packet[at] == PACKET_I_DATA)
            return true;
        at += packet_padded(packet_chunk_length(packet + at));
    }
    return false;
}
