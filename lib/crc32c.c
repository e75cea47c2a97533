/* crc32c.c: CRC32c by instruction or by table. */
#include "crc32c.h"

#include <endian.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u /* Castagnoli, reflected */

/* table[k][b]: the effect of byte b followed by k zero bytes; eight bytes a step ("slicing by 8").
 */
static uint32_t table[8][256];

static void
table_fill(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
}

static uint64_t
load64(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

static uint32_t
update_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word = load64(p) ^ crc;

        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= table[7 - k][(word >> (8 * k)) & 0xff];
    }
    for (; n > 0; p++, n--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
update_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t wide = crc;

    for (; n >= 8; p += 8, n -= 8)
        wide = _mm_crc32_u64(wide, load64(p));
    crc = (uint32_t)wide;
    for (; n > 0; p++, n--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

static const char *
hardware_name(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? "sse4.2" : NULL;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

__attribute__((target("+crc"))) static uint32_t
update_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8)
        crc = __crc32cd(crc, load64(p));
    for (; n > 0; p++, n--)
        crc = __crc32cb(crc, *p);
    return crc;
}

static const char *
hardware_name(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0 ? "armv8" : NULL;
}
#else
#define update_hardware update_portable

static const char *
hardware_name(void)
{
    return NULL;
}
#endif

static uint32_t (*update)(uint32_t crc, const uint8_t *p, size_t n) = update_portable;
static const char *implementation = "portable";

/* Before main, so that neither callers nor threads need to think of it. */
__attribute__((constructor)) static void
choose(void)
{
    const char *name = hardware_name();

    table_fill();
    if (name != NULL) {
        update = update_hardware;
        implementation = name;
    }
}

uint32_t
crc32c(const void *bytes, size_t length)
{
    return ~update(~0u, bytes, length);
}

uint32_t
crc32c_portable(const void *bytes, size_t length)
{
    return ~update_portable(~0u, bytes, length);
}

const char *
crc32c_implementation(void)
{
    return implementation;
}

#define CHECKSUM_OFFSET 8
#define CHECKSUM_LENGTH 4

static uint32_t
packet_crc(const uint8_t *packet, size_t length)
{
    static const uint8_t zero[CHECKSUM_LENGTH];
    uint32_t crc = update(~0u, packet, CHECKSUM_OFFSET);

    crc = update(crc, zero, CHECKSUM_LENGTH);
    packet += CHECKSUM_OFFSET + CHECKSUM_LENGTH;
    return ~update(crc, packet, length - CHECKSUM_OFFSET - CHECKSUM_LENGTH);
}

void
crc32c_seal(uint8_t *packet, size_t length)
{
    uint32_t crc = htole32(packet_crc(packet, length));

    memcpy(packet + CHECKSUM_OFFSET, &crc, sizeof(crc));
}

bool
crc32c_check(const uint8_t *packet, size_t length)
{
    uint32_t sent;

    memcpy(&sent, packet + CHECKSUM_OFFSET, sizeof(sent));
    return le32toh(sent) == packet_crc(packet, length);
}
