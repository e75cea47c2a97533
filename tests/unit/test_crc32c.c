/* test_crc32c.c: known sums, and the instruction against the tables. */
#include "crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4. */
static void
test_known(void **state)
{
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
    for (size_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
}

static void
test_same_both_ways(void **state)
{
    uint8_t bytes[300];

    (void)state;
    print_message("# crc32c by %s\n", crc32c_implementation());
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + i / 7);
    for (size_t from = 0; from < 9; from++)
        for (size_t length = 0; length < sizeof(bytes) - from; length++)
            assert_int_equal(crc32c(bytes + from, length), crc32c_portable(bytes + from, length));
}

static void
test_packet(void **state)
{
    uint8_t packet[64];

    (void)state;
    memset(packet, 0x5a, sizeof(packet));
    crc32c_seal(packet, sizeof(packet));
    assert_true(crc32c_check(packet, sizeof(packet)));
    for (size_t bit = 0; bit < sizeof(packet) * 8; bit++) { /* a flipped bit is always seen */
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(crc32c_check(packet, sizeof(packet)));
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_same_both_ways),
        cmocka_unit_test(test_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
