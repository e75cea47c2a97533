/* test_batch.c: which packets are put together, and that nothing is lost or reordered by it. */
#include "batch.h"

#include "lazychat.h"
#include "packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SENT_MAX 4096

/* A link that keeps what it is given. */
static struct {
    uint32_t peer;
    uint16_t length;
    uint8_t bytes[LINK_PACKET_MAX];
} sent[SENT_MAX];
static size_t sent_count;
static unsigned int flushes;

static void
keep(struct link *link, struct peer *peer, struct link_packet *first)
{
    (void)link;
    for (; first != NULL; first = first->next) {
        sent[sent_count].peer = peer->number;
        sent[sent_count].length = first->length;
        memcpy(sent[sent_count++].bytes, first->bytes, first->length);
    }
}

static void
flush(struct link *link)
{
    (void)link;
    flushes++;
}

static const struct link_ops ops = {NULL, keep, flush, NULL};
static struct link the_link = {.ops = &ops};
static struct batch batch;

static int
begin(void **state)
{
    (void)state;
    sent_count = flushes = 0;
    memset(&the_link.stats, 0, sizeof(the_link.stats));
    return batch_init(&batch);
}

static int
end(void **state)
{
    (void)state;
    batch_free(&batch);
    return 0;
}

/* A packet with one chunk: a type, a fill, a length of the whole that is a multiple of 4. */
static void
add(struct peer *peer, uint8_t tag, uint8_t type, uint8_t fill, size_t length)
{
    uint8_t packet[LINK_PACKET_MAX + 100];

    memset(packet, 0, PACKET_HEADER);
    packet[7] = tag;
    memset(packet + PACKET_HEADER, fill, length - PACKET_HEADER);
    packet[12] = type;
    packet[13] = 0;
    packet[14] = (uint8_t)((length - PACKET_HEADER) >> 8);
    packet[15] = (uint8_t)(length - PACKET_HEADER);
    batch_add(&batch, peer, packet, length, 1);
}

static void
test_data_shares_packets(void **state)
{
    struct peer peer = {.number = 1, .link = &the_link};
    size_t seen = 0;

    (void)state;
    for (uint8_t i = 0; i < 30; i++)
        add(&peer, 9, 0, i, 12 + 116);
    batch_send(&batch);
    assert_int_equal(sent_count, 3); /* ten chunks of 116 bytes in each */
    for (size_t p = 0; p < 3; p++) {
        assert_int_equal(sent[p].length, 12 + 10 * 116);
        for (size_t at = 12; at < sent[p].length; at += 116)
            assert_int_equal(sent[p].bytes[at + 100], seen++);
    }
    assert_int_equal(flushes, 1);
}

static void
test_control_stays_before_data(void **state)
{
    struct peer peer = {.number = 1, .link = &the_link};

    (void)state;
    add(&peer, 9, 3, 1, 28); /* SACK */
    add(&peer, 9, 0, 2, 28); /* DATA: behind it */
    add(&peer, 9, 3, 3, 28); /* SACK: must not follow DATA */
    add(&peer, 9, 3, 4, 28); /* SACK: may follow a SACK */
    batch_send(&batch);
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[0].length, 44);
    assert_int_equal(sent[1].length, 44);
}

static void
test_what_stands_alone(void **state)
{
    static const uint8_t alone[] = {1, 2, 6, 7, 8, 9, 14, 192}; /* INIT … SHUTDOWN COMPLETE */
    struct peer peer = {.number = 1, .link = &the_link};

    (void)state;
    for (size_t i = 0; i < sizeof(alone); i++) {
        add(&peer, 9, 0, 0, 28);
        add(&peer, 9, alone[i], 0, 28); /* not behind DATA */
        add(&peer, 9, 0, 0, 28);        /* and nothing behind it */
    }
    batch_send(&batch);
    assert_int_equal(sent_count, 1 + 2 * sizeof(alone)); /* DATA meets DATA in between */
}

static void
test_cookies_come_first(void **state)
{
    struct peer peer = {.number = 1, .link = &the_link};

    (void)state;
    add(&peer, 9, 3, 0, 28);
    add(&peer, 9, 10, 0, 28); /* COOKIE ECHO: first in its packet */
    add(&peer, 9, 0, 0, 28);  /* DATA may ride with it (RFC 9260, section 5.1) */
    batch_send(&batch);
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[1].length, 44);
    assert_int_equal(sent[1].bytes[12], 10);
}

static void
test_associations_do_not_mix(void **state)
{
    struct peer one = {.number = 1, .link = &the_link}, two = {.number = 2, .link = &the_link};

    (void)state;
    add(&one, 9, 0, 1, 28);
    add(&two, 9, 0, 2, 28);
    add(&one, 8, 0, 3, 28); /* another association with the same peer */
    add(&one, 8, 0, 4, 28);
    add(&two, 9, 0, 5, 28);
    batch_send(&batch);
    assert_int_equal(sent_count, 3);
    assert_int_equal(sent[0].peer, 1);
    assert_int_equal(sent[1].peer, 1);
    assert_int_equal(sent[2].peer, 2);
    assert_int_equal(sent[1].length, 44);
    assert_int_equal(sent[2].length, 44);
}

/* The stack's own packet of several chunks is taken apart to fill the one before. */
static void
test_packets_are_filled(void **state)
{
    struct peer peer = {.number = 1, .link = &the_link};
    uint8_t packet[12 + 6 * 116] = {0};

    (void)state;
    packet[7] = 9;
    for (uint8_t i = 0; i < 6; i++) {
        packet[12 + i * 116 + 3] = 116;
        packet[12 + i * 116 + 100] = i;
    }
    for (int i = 0; i < 5; i++)
        batch_add(&batch, &peer, packet, sizeof(packet), 1);
    batch_send(&batch);
    assert_int_equal(sent_count, 3);
    for (size_t i = 0; i < 30; i++)
        assert_int_equal(sent[i / 10].bytes[12 + i % 10 * 116 + 100], i % 6);
}

/* More than fits: nothing is lost, and what the stack must not send is counted. */
static void
test_full(void **state)
{
    struct peer peer = {.number = 1, .link = &the_link};

    (void)state;
    for (size_t i = 0; i < BATCH_PACKETS + 10; i++)
        add(&peer, 9, 0, (uint8_t)i, LINK_PACKET_MAX);
    add(&peer, 9, 0, 0, LINK_PACKET_MAX + 4);
    batch_send(&batch);
    assert_int_equal(sent_count, BATCH_PACKETS + 10);
    for (size_t i = 0; i < sent_count; i++)
        assert_int_equal(sent[i].bytes[100], (uint8_t)i);
    assert_int_equal(flushes, 2);
    assert_int_equal(the_link.stats.dropped_out, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data_shares_packets, begin, end),
        cmocka_unit_test_setup_teardown(test_control_stays_before_data, begin, end),
        cmocka_unit_test_setup_teardown(test_what_stands_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_cookies_come_first, begin, end),
        cmocka_unit_test_setup_teardown(test_associations_do_not_mix, begin, end),
        cmocka_unit_test_setup_teardown(test_packets_are_filled, begin, end),
        cmocka_unit_test_setup_teardown(test_full, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
