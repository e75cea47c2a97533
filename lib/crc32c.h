/* crc32c.h: the checksum of SCTP packets (RFC 9260, section 6.8 and appendix A).
 *
 * Uses the CPU's CRC32 instruction where there is one. No state, no I/O.
 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CRC32c of `length` bytes, as a number whose least significant byte is sent first. */
uint32_t crc32c(const void *bytes, size_t length);

/* The same by tables alone: what runs where the instruction is missing. For tests. */
uint32_t crc32c_portable(const void *bytes, size_t length);

/* Which of them crc32c() uses: "sse4.2", "armv8" or "portable". */
const char *crc32c_implementation(void);

/* SCTP's use of it: over the whole packet, the checksum field (bytes 8 to 11) taken as zero.
 * `length` is at least 12. */
void crc32c_seal(uint8_t *packet, size_t length);
bool crc32c_check(const uint8_t *packet, size_t length);

#endif
