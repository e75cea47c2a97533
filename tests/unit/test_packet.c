/* test_packet.c: which packets the stack may see. */
#include "packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An INIT with a parameter of each length that is written to it. */
static bool
init_with(size_t chunk, size_t parameter, size_t length)
{
    uint8_t packet[64] = {0};

    packet[12] = PACKET_INIT;
    packet[15] = (uint8_t)chunk;
    packet[32] = 0x80;
    packet[35] = (uint8_t)parameter;
    return packet_well_formed(packet, length);
}

static void
test_parameters(void **state)
{
    (void)state;
    assert_true(init_with(20, 0, 32)); /* none */
    assert_true(init_with(24, 4, 36));
    assert_true(init_with(28, 8, 40));
    assert_true(init_with(27, 7, 40)); /* padded */
    for (size_t parameter = 0; parameter < 4; parameter++)
        assert_false(init_with(24, parameter, 36));
    assert_false(init_with(24, 5, 36)); /* longer than the chunk */
    assert_false(init_with(22, 4, 36)); /* half a parameter's header */
    assert_false(init_with(28, 4, 40)); /* and behind it one of length 0 */
    assert_true(init_with(4, 0, 16));   /* too short for an INIT: the stack says so itself */
}

static void
test_chunks(void **state)
{
    uint8_t packet[100] = {0};

    (void)state;
    for (size_t length = 0; length < PACKET_MIN; length++)
        assert_false(packet_well_formed(packet, length));
    for (size_t chunk = 0; chunk < 4; chunk++) {
        packet[15] = (uint8_t)chunk;
        assert_false(packet_well_formed(packet, sizeof(packet)));
    }
    packet[15] = 88;
    assert_true(packet_well_formed(packet, sizeof(packet)));
    packet[15] = 89; /* beyond the end */
    assert_false(packet_well_formed(packet, sizeof(packet)));
    packet[15] = 20; /* and behind it one of length 0 */
    assert_false(packet_well_formed(packet, sizeof(packet)));
    assert_true(packet_well_formed(packet, 32));
}

static void
test_carries_data(void **state)
{
    uint8_t packet[60] = {0};

    (void)state;
    packet[12] = PACKET_SACK;
    packet[15] = 16;
    packet[28] = PACKET_SACK;
    packet[31] = 16;
    assert_false(packet_carries_data(packet, 44));
    packet[28] = PACKET_DATA;
    assert_true(packet_carries_data(packet, 44));
    packet[28] = PACKET_I_DATA;
    assert_true(packet_carries_data(packet, 44));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_carries_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
