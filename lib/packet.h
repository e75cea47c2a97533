/* packet.h: SCTP packets as bytes (RFC 9260, section 3): the common header, and chunks behind it.
 *
 * Owns what links and batches must know of the format; what chunks mean is the stack's. No state.
 */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HEADER       12 /* ports, verification tag, checksum */
#define PACKET_CHUNK_HEADER 4  /* type, flags, length */
#define PACKET_MIN          (PACKET_HEADER + PACKET_CHUNK_HEADER)

enum packet_chunk { /* RFC 9260, section 3.2; RFC 6525; RFC 5061; RFC 8260 */
                    PACKET_DATA = 0,
                    PACKET_INIT = 1,
                    PACKET_INIT_ACK = 2,
                    PACKET_SACK = 3,
                    PACKET_HEARTBEAT = 4,
                    PACKET_HEARTBEAT_ACK = 5,
                    PACKET_ABORT = 6,
                    PACKET_SHUTDOWN_ACK = 8,
                    PACKET_ERROR = 9,
                    PACKET_COOKIE_ECHO = 10,
                    PACKET_COOKIE_ACK = 11,
                    PACKET_SHUTDOWN_COMPLETE = 14,
                    PACKET_I_DATA = 64,
                    PACKET_ASCONF_ACK = 128,
                    PACKET_RE_CONFIG = 130,
                    PACKET_ASCONF = 193,
};

/* Both ports as they stand in the packet, as one number to compare; and the tag likewise. */
uint32_t packet_ports(const uint8_t *packet);
uint32_t packet_tag(const uint8_t *packet);

/* Of the first chunk; the packet is at least PACKET_MIN long. */
uint8_t packet_first_chunk(const uint8_t *packet);

/* The length that a chunk says it has; parameters and error causes say it in the same place. */
size_t packet_chunk_length(const uint8_t *chunk);

/* Whether every chunk, and every parameter and error cause in it, has a length that can be: at
 * least that of its own header, and not beyond what holds it. */
bool packet_well_formed(const uint8_t *packet, size_t length);

/* Whether it carries DATA. The packet is well-formed: our own stack made it. */
bool packet_carries_data(const uint8_t *packet, size_t length);

/* Chunks are padded to 4 bytes. */
size_t packet_padded(size_t length);

#endif
