/* test_endpoint.c: the contract of endpoint.h, one table of tests for every transport and family.
 */
#include "endpoint_driver.h"
#include "net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct transport {
    enum net_kind kind;
    int family;
};

static struct net net; /* one at a time: the user-space stack is one for the process */

static int
end(void **state)
{
    (void)state;
    net_close(&net);
    return 0;
}

/* Begin a test on the transport of its row; skipped with its reason where there is none. */
static void
begin(void **state)
{
    const struct transport *transport = *state;

    if (!net_available(transport->kind)) {
        print_message("# skip-reason: this kernel has no SCTP; tests/kernel runs it under one\n");
        skip();
    }
    net_open(&net, transport->kind, transport->family, "lan");
}

static int
say(struct node *node, const void *data, size_t length)
{
    struct endpoint_message message = {.data = data, .length = length, .ppid = 7};

    return endpoint_send(node->endpoint, node->assoc, &message);
}

static void
test_up_and_down(void **state)
{
    begin(state);
    net_join(&net, 1, true);
    assert_int_equal(endpoint_associations(net.server.endpoint), 1);
    assert_true(address_same_host(&net.server.address, &net.server_address));
    assert_true(address_same_host(&net.clients[0].address, &net.server_address));
    assert_int_equal(endpoint_shutdown(net.clients[0].endpoint, net.clients[0].assoc), 0);
    net_until(&net, net.server.downs == 1 && net.clients[0].downs == 1);
    assert_int_equal(net.server.reason, ENDPOINT_CLOSED);
    assert_int_equal(net.clients[0].reason, ENDPOINT_CLOSED);
    assert_int_equal(endpoint_associations(net.server.endpoint), 0);
    assert_int_equal(say(&net.clients[0], "x", 1), LAZYCHAT_GONE);
}

static void
test_said_to_all(void **state)
{
    begin(state);
    net.relay = true;
    net_join(&net, 5, true);
    assert_int_equal(say(&net.clients[2], "hello", 5), 0);
    net_until(&net, net_all_have(&net, 1));
    for (size_t i = 0; i < net.count; i++) {
        assert_int_equal(net.clients[i].last_length, 5);
        assert_memory_equal(net.clients[i].last, "hello", 5);
        assert_int_equal(net.clients[i].last_ppid, 7);
        assert_int_equal(net.clients[i].last_stream, 0);
    }
}

static void
test_sizes(void **state)
{
    static uint8_t big[ENDPOINT_MESSAGE_MAX + 1];
    const size_t sizes[] = {1, 2, 3, 1200, 1216, 1217, 5000, 65535, ENDPOINT_MESSAGE_MAX};

    begin(state);
    net.relay = true;
    net_join(&net, 2, true);
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(say(&net.clients[0], big, sizes[i]), 0);
        net_until(&net, net_all_have(&net, i + 1));
        assert_int_equal(net.clients[1].last_length, sizes[i]);
        assert_memory_equal(net.clients[1].last, big, sizes[i]);
    }
    assert_int_equal(say(&net.clients[0], big, sizeof(big)), LAZYCHAT_TOO_LARGE);
    assert_int_equal(say(&net.clients[0], big, 0), LAZYCHAT_INVALID);
}

/* The last words of a turn are heard, though the association ends in it. */
static void
test_last_words(void **state)
{
    struct endpoint_message message = {.data = "good bye", .length = 8};

    begin(state);
    net_join(&net, 3, true);
    assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
    endpoint_shutdown_all(net.server.endpoint);
    net_until(&net, net.server.downs == 3);
    for (size_t i = 0; i < net.count; i++) {
        net_until(&net, net.clients[i].downs == 1);
        assert_int_equal(net.clients[i].messages, 1);
        assert_int_equal(net.clients[i].reason, ENDPOINT_CLOSED);
    }
}

/* A peer that sends more than the limit is told on; what comes behind is as ever. */
static void
test_oversize(void **state)
{
    static uint8_t big[ENDPOINT_MESSAGE_MAX + 20000];
    struct endpoint_message message = {.data = big, .length = sizeof(big)};

    begin(state);
    net.relay = true;
    net_join(&net, 2, true);
    assert_int_equal(net.clients[0].endpoint->driver->send(net.clients[0].endpoint,
                                                           net.clients[0].assoc, &message, false),
                     0);
    net_until(&net, net.server.oversize == 1);
    assert_int_equal(net.server.last_length, sizeof(big));
    assert_int_equal(say(&net.clients[0], "after", 5), 0);
    net_until(&net, net_all_have(&net, 1));
    assert_memory_equal(net.clients[1].last, "after", 5);
}

static void
test_aborts(void **state)
{
    begin(state);
    net.relay = true;
    net_join(&net, 3, true);
    endpoint_abort(net.clients[0].endpoint, net.clients[0].assoc);
    net_until(&net, net.server.downs == 1);
    assert_int_equal(net.server.reason, ENDPOINT_ABORTED);
    net.clients[0].stalled = true;
    assert_int_equal(say(&net.clients[1], "still here", 10), 0);
    net_until(&net, net_all_have(&net, 1));
    endpoint_abort_all(net.server.endpoint);
    net_until(&net, net.clients[1].downs == 1 && net.clients[2].downs == 1);
    assert_int_equal(net.clients[1].reason, ENDPOINT_ABORTED);
    assert_int_equal(net.server.downs, 1);
}

static void
test_refused(void **state)
{
    uint32_t assoc;

    begin(state);
    net_join(&net, 1, true);
    assert_int_equal(
        endpoint_connect(net.clients[0].endpoint, &net.server_address, 1, 4711, &assoc), 0);
    net_until(&net, net.clients[0].downs == 1);
    assert_int_equal(net.clients[0].reason, ENDPOINT_REFUSED);
}

static void
test_port_in_use(void **state)
{
    begin(state);
    assert_int_equal(net_second_server(&net), LAZYCHAT_IN_USE);
}

/* Idea 3: one that does not read, beside many that do. */
static void
test_stalled(void **state)
{
    enum { CLIENTS = 100, WARM = 2000, MESSAGES = WARM + 5000, SIZE = 1024, WINDOW = 20 };
    uint8_t bytes[SIZE];
    struct endpoint_message message = {.data = bytes, .length = SIZE};
    struct endpoint_stats stats;
    struct node *stalled;
    size_t before = 0, after;

    begin(state);
    net_join(&net, CLIENTS, false); /* one UDP socket for all, so that its buffers do not count */
    stalled = &net.clients[0];
    for (unsigned int i = 0; i < MESSAGES; i++) {
        if (i == WARM) { /* what is measured is the stalled one's, not what all need */
            before = net_memory();
            stalled->stalled = true;
        }
        net_number(bytes, SIZE, i);
        assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
        if (i % WINDOW == WINDOW - 1)
            net_until(&net, net_all_have(&net, i + 1));
    }
    net_until(&net, net_all_have(&net, MESSAGES));
    after = net_memory();
    for (size_t i = 1; i < net.count; i++)
        assert_int_equal(net.clients[i].holes, 0);
    print_message("# one stalled of %d: %d messages of %d bytes, memory grew by %ld kB\n", CLIENTS,
                  MESSAGES - WARM, SIZE, ((long)after - (long)before) / 1024);
    if (!net_sanitized()) /* which keeps freed memory for a while */
        assert_true(after < before + (16u << 20));
    assert_int_equal(net.server.downs, 0);

    stalled->stalled = false;
    net_until(&net, (endpoint_stats(net.server.endpoint, &stats), stats.behind == 0));
    net_number(bytes, SIZE, MESSAGES);
    assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
    net_until(&net, stalled->next == MESSAGES + 1);
    endpoint_stats(net.server.endpoint, &stats);
    assert_true(stats.skipped > 0);
    assert_int_equal(stalled->messages + stats.skipped, MESSAGES + 1);
}

static void
test_arrive_at_once(void **state)
{
    begin(state);
    net.relay = true;
    net_join(&net, 1, true);
    net_connect(&net, 1000, false);
    net_until(&net, endpoint_associations(net.server.endpoint) == 1001);
    for (size_t i = 0; i < net.count; i++)
        net_until(&net, net.clients[i].ups == 1);
    assert_int_equal(say(&net.clients[0], "welcome", 7), 0);
    net_until(&net, net_all_have(&net, 1));
}

/* send() does not block either, and says when to go on. */
static void
test_would_block_then_drained(void **state)
{
    static const uint8_t bytes[10000];
    struct endpoint_message message = {.data = bytes, .length = sizeof(bytes)};
    unsigned int sent = 0;
    int result;

    begin(state);
    net_join(&net, 1, true);
    net.clients[0].stalled = true;
    do {
        result = endpoint_send(net.server.endpoint, net.server.assoc, &message);
        sent += result == 0;
        net_turn(&net, 0);
    } while (result == 0 && sent < 10000);
    assert_int_equal(result, LAZYCHAT_WOULD_BLOCK);
    assert_int_equal(net.server.drained, 0);
    net.clients[0].stalled = false;
    net_until(&net, net.server.drained == 1);
    assert_int_equal(net.server.skipped, 0);
    assert_int_equal(endpoint_send(net.server.endpoint, net.server.assoc, &message), 0);
    net_until(&net, net.clients[0].messages == sent + 1);
}

/* Tiny messages fill the stack by their number, not their bytes. */
static void
test_tiny_fill_it_too(void **state)
{
    enum { MESSAGES = 20000 };
    uint8_t bytes[8];
    struct endpoint_message message = {.data = bytes, .length = sizeof(bytes)};
    struct endpoint_stats stats;

    begin(state);
    net_join(&net, 2, true);
    net.clients[0].stalled = true;
    for (unsigned int i = 0; i < MESSAGES; i++) {
        net_number(bytes, sizeof(bytes), i);
        assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
        if (i % 100 == 99)
            net_until(&net, net_all_have(&net, i + 1));
    }
    endpoint_stats(net.server.endpoint, &stats);
    net.clients[0].stalled = false;
    net_until(&net, net.clients[0].messages == MESSAGES);
    assert_int_equal(net.clients[0].holes, 0);
}

/* A peer that went away without a word, and a backlog in use: no use of what is freed. */
static void
test_abort_while_behind(void **state)
{
    static uint8_t bytes[10000];
    struct endpoint_message message = {.data = bytes, .length = sizeof(bytes)};
    struct endpoint_stats stats;

    begin(state);
    net_join(&net, 2, true);
    net.clients[0].stalled = true;
    for (unsigned int i = 0; i < 200; i++) {
        net_number(bytes, sizeof(bytes), i);
        assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
        net_until(&net, net_all_have(&net, i + 1));
    }
    endpoint_abort(net.clients[0].endpoint, net.clients[0].assoc);
    net_until(&net, net.server.downs == 1);
    endpoint_stats(net.server.endpoint, &stats);
    assert_int_equal(stats.behind, 0);
    assert_int_equal(stats.backlog_bytes, 0);
}

static const struct transport transports[] = {
    {NET_USER, AF_INET},
    {NET_USER, AF_INET6},
    {NET_KERNEL, AF_INET},
    {NET_KERNEL, AF_INET6},
};
static const char *const names[] = {"user v4", "user v6", "kernel v4", "kernel v6"};

static const struct {
    const char *name;
    void (*run)(void **state);
} tests[] = {
    {"up and down", test_up_and_down},
    {"said to all", test_said_to_all},
    {"sizes from 1 byte to the largest", test_sizes},
    {"last words", test_last_words},
    {"over the limit", test_oversize},
    {"aborts", test_aborts},
    {"refused", test_refused},
    {"a second server on the port", test_port_in_use},
    {"one stalled among 100", test_stalled},
    {"1,000 arrive at once", test_arrive_at_once},
    {"would block, then drained", test_would_block_then_drained},
    {"tiny messages fill it too", test_tiny_fill_it_too},
    {"abort while behind", test_abort_while_behind},
};

/* `test_endpoint kernel` leaves the user-space rows out: with-sctp runs those under a kernel that
 * has SCTP, and they are tested without it already. */
int
main(int argc, char **argv)
{
    enum { TESTS = sizeof(tests) / sizeof(tests[0]), ROWS = 4 };
    struct CMUnitTest table[TESTS * ROWS];
    char texts[TESTS * ROWS][80];
    size_t count = 0;
    bool kernel_only = argc > 1 && strcmp(argv[1], "kernel") == 0;
    bool user_only = argc > 1 && strcmp(argv[1], "user") == 0;

    for (size_t row = 0; row < ROWS; row++) {
        if ((kernel_only && transports[row].kind != NET_KERNEL) ||
            (user_only && transports[row].kind != NET_USER))
            continue;
        for (size_t test = 0; test < TESTS; test++) {
            snprintf(texts[count], sizeof(texts[count]), "%s: %s", names[row], tests[test].name);
            table[count] = (struct CMUnitTest){texts[count], tests[test].run, NULL, end,
                                               (void *)(uintptr_t)&transports[row]};
            count++;
        }
    }
    return _cmocka_run_group_tests("endpoint", table, count, NULL, NULL);
}
