/* test_lossy.c: the user-space endpoint over a bad network, with a clock of its own. */
#include "endpoint_user.h"
#include "net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct net net;

static int
end(void **state)
{
    (void)state;
    net_close(&net);
    return 0;
}

static void
say_number(struct node *node, uint64_t number, size_t length)
{
    static uint8_t bytes[ENDPOINT_MESSAGE_MAX];
    struct endpoint_message message = {.data = bytes, .length = length};

    net_number(bytes, length, number);
    net_until(&net, endpoint_send(node->endpoint, node->assoc, &message) == 0);
}

/* 10 % lost, 5 % doubled, every packet late by its own 5 to 45 ms: each message once, in order. */
static void
test_every_message_once_in_order(void **state)
{
    enum { CLIENTS = 5, MESSAGES = 2000 };

    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct fake_config config = {seed, 100, 50, 5, 40};
        struct fake_stats stats;

        net_open_fake(&net, &config, "default");
        net.relay = true;
        net_join(&net, CLIENTS, false);
        for (unsigned int i = 0; i < MESSAGES; i++) {
            say_number(&net.clients[0], i, i % 50 == 49 ? 5000 : 100);
            /* As a person's client does: not more than so many ahead of what came back. */
            net_until(&net, net.clients[0].messages + 20 > i);
        }
        net_until(&net, net_all_have(&net, MESSAGES));
        for (size_t i = 0; i < CLIENTS; i++) {
            assert_int_equal(net.clients[i].messages, MESSAGES);
            assert_int_equal(net.clients[i].holes, 0);
            assert_int_equal(net.clients[i].downs, 0);
        }
        stats = fake_stats(net.fake);
        print_message("# seed %d: %u packets, %u lost, %u doubled, %u overtaken\n", (int)seed,
                      stats.sent, stats.lost, stats.doubled, stats.overtaken);
        assert_true(stats.lost > 100 && stats.doubled > 50 && stats.overtaken > 1000);
        net_close(&net);
    }
}

/* Nobody hears from one: the others go on, it is said to be unreachable within 6 s when something
 * is due to it, kept for two minutes, and then given up. */
static void
test_silent_with_data(void **state)
{
    const struct fake_config config = {1, 0, 0, 5, 0};
    struct address address = net_fake_address(0);
    int64_t cut, down;

    (void)state;
    net_open_fake(&net, &config, "default");
    net.relay = true;
    net_join(&net, 3, false);
    fake_cut(net.fake, &address, 0);
    cut = fake_now();
    net.clients[0].stalled = true;
    for (unsigned int i = 0; i < 10; i++) {
        say_number(&net.clients[1], i, 100);
        net_until(&net, net_all_have(&net, i + 1));
    }
    assert_true(fake_now() - cut < 1000);
    net_until(&net, net.server.unreachable == 1);
    print_message("# unreachable after %d ms\n", (int)(fake_now() - cut));
    assert_true(fake_now() - cut < 6000);
    for (down = 0; down == 0; down = net.server.downs > 0 ? fake_now() : 0) {
        net_turn(&net, 50);
        assert_true(fake_now() - cut < 140000);
    }
    print_message("# given up after %d s, %s\n", (int)((down - cut) / 1000),
                  endpoint_reason_text(net.server.reason));
    assert_true(down - cut > 119000);
    assert_int_equal(net.server.reason, ENDPOINT_UNREACHABLE);
    assert_int_equal(endpoint_associations(net.server.endpoint), 2);
}

static void
test_silent_when_idle(void **state)
{
    static const char *const profiles[] = {"default", "lan"};
    static const int64_t most[] = {60000, 6000};
    const struct fake_config config = {1, 0, 0, 5, 0};
    struct address address = net_fake_address(0);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int64_t cut;

        net_open_fake(&net, &config, profiles[i]);
        net_join(&net, 2, false);
        fake_cut(net.fake, &address, 0);
        cut = fake_now();
        while (net.server.unreachable == 0) {
            net_turn(&net, 10);
            assert_true(fake_now() - cut < most[i]);
        }
        print_message("# %s: idle and silent, unreachable after %d ms\n", profiles[i],
                      (int)(fake_now() - cut));
        net_close(&net);
    }
}

/* Silent for a minute, and then back: the same association, everything that was due arrives. */
static void
test_back_after_a_minute(void **state)
{
    const struct fake_config config = {1, 0, 0, 5, 0};
    struct address address = net_fake_address(0);
    int64_t cut;

    (void)state;
    net_open_fake(&net, &config, "default");
    net.relay = true;
    net_join(&net, 3, false);
    fake_cut(net.fake, &address, 0);
    cut = fake_now();
    for (unsigned int i = 0; i < 100; i++)
        say_number(&net.clients[1], i, 1000);
    while (fake_now() < cut + 60000)
        net_turn(&net, 50);
    assert_int_equal(net.clients[0].messages, 0);
    fake_mend(net.fake);
    net_until(&net, net_all_have(&net, 100));
    assert_int_equal(net.clients[0].holes, 0);
    assert_int_equal(net.server.downs, 0);
    assert_int_equal(net.clients[0].downs, 0);
}

/* One dies in the middle of a 64 kB message: nobody gets any of it, and the others go on. */
static void
test_dies_in_the_middle(void **state)
{
    const struct fake_config config = {1, 0, 0, 5, 0};
    struct address address = net_fake_address(0);

    (void)state;
    net_open_fake(&net, &config, "default");
    net.relay = true;
    net_join(&net, 3, false);
    fake_cut(net.fake, &address, 8);
    say_number(&net.clients[0], 7, ENDPOINT_MESSAGE_MAX);
    net.clients[0].stalled = true;
    net_until(&net, fake_stats(net.fake).cut > 0);
    for (unsigned int i = 0; i < 100; i++) {
        say_number(&net.clients[1], i, 100);
        net_until(&net, net_all_have(&net, i + 1));
    }
    assert_int_equal(net.clients[1].holes, 0);
    assert_int_equal(net.clients[2].holes, 0);
    while (net.server.downs == 0)
        net_turn(&net, 50);
    assert_int_equal(net.server.messages, 100);
}

/* A client's machine loses its memory and comes back from the same address and ports. */
static void
test_restart(void **state)
{
    const struct fake_config config = {1, 0, 0, 5, 0};
    struct endpoint_config client = {.port = 5000};
    struct address again;
    unsigned int cut;

    (void)state;
    net_open_fake(&net, &config, "default");
    net.relay = true;
    client.profile = net.profile;
    net_join(&net, 2, false);
    for (int boot = 0; boot < 3; boot++) {
        struct node *node = &net.clients[2];

        net.count = 3;
        again = net_fake_address(2);
        fake_mend(net.fake);
        memset(node, 0, sizeof(*node));
        assert_int_equal(endpoint_user_open(&node->endpoint, net.userland, &client), 0);
        assert_int_equal(endpoint_connect(node->endpoint, &again, 1, 2013, &node->assoc), 0);
        net_until(&net, node->ups == 1);
        assert_int_equal(net.server.restarts, boot);
        net_until(&net, net.server.ups == 3);
        say_number(node, 0, 100);
        net_until(&net, node->messages == 1);
        if (boot == 2)
            break;
        /* In the middle of a message, and its ABORT is lost with everything else. */
        cut = fake_stats(net.fake).cut;
        fake_cut(net.fake, &again, 2);
        say_number(node, 1, ENDPOINT_MESSAGE_MAX);
        net_until(&net, fake_stats(net.fake).cut > cut);
        endpoint_close(node->endpoint);
        userland_flush(net.userland);
        net.count = 2;
        for (int64_t wait = fake_now() + 500; fake_now() < wait;)
            net_turn(&net, 10);
    }
    assert_int_equal(net.server.restarts, 2);
    assert_int_equal(net.server.ups, 3);
    assert_int_equal(net.server.downs, 0);
    assert_int_equal(endpoint_associations(net.server.endpoint), 3);
    say_number(&net.clients[0], 9, 100);
    net_until(&net, net.clients[2].messages == 2 && net.clients[1].messages == 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_message_once_in_order, end),
        cmocka_unit_test_teardown(test_silent_with_data, end),
        cmocka_unit_test_teardown(test_silent_when_idle, end),
        cmocka_unit_test_teardown(test_back_after_a_minute, end),
        cmocka_unit_test_teardown(test_dies_in_the_middle, end),
        cmocka_unit_test_teardown(test_restart, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
