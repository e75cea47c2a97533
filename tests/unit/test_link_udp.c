/* test_link_udp.c: RFC 6951 by real sockets: ports that change, and answers from the address asked.
 */
#include "crc32c.h"
#include "endpoint_user.h"
#include "link_udp.h"
#include "net.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A NAT between one client and the server:
 *
 *     client  <-->  inside  [relay]  outside  <-->  server
 *
 * `outside` can be closed and opened again with another port, as a NAT does that forgot. */
static struct {
    int inside, outside;
    struct address inside_address, client, server;
    uint8_t last[2048]; /* the latest packet to the server */
    size_t last_length;
} relay;

static struct net net;

static int
udp_socket(const char *host, struct address *bound)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct address address;
    socklen_t length = sizeof(address);

    assert_int_equal(address_parse(&address, host, 0), 0);
    assert_int_equal(bind(fd, &address.any, sizeof(address.in)), 0);
    assert_int_equal(getsockname(fd, &address.any, &length), 0);
    if (bound != NULL)
        *bound = address;
    return fd;
}

static void
relay_turn(void)
{
    uint8_t bytes[65536];
    struct address from;
    socklen_t size = sizeof(from);
    ssize_t length;

    while ((length = recvfrom(relay.inside, bytes, sizeof(bytes), 0, &from.any, &size)) > 0) {
        relay.client = from;
        relay.last_length = (size_t)length < sizeof(relay.last) ? (size_t)length : 0;
        memcpy(relay.last, bytes, relay.last_length);
        sendto(relay.outside, bytes, (size_t)length, 0, &relay.server.any,
               address_length(&relay.server));
    }
    while ((length = recv(relay.outside, bytes, sizeof(bytes), 0)) > 0)
        sendto(relay.inside, bytes, (size_t)length, 0, &relay.client.any,
               address_length(&relay.client));
}

#define relay_until(condition)                                                                     \
    do {                                                                                           \
        int64_t relay_deadline = fake_now() + NET_DEADLINE_MS;                                     \
        while (!(condition)) {                                                                     \
            net_turn(&net, 1);                                                                     \
            relay_turn();                                                                          \
            if (fake_now() > relay_deadline)                                                       \
                fail_msg("not in time: %s", #condition);                                           \
        }                                                                                          \
    } while (0)

static int
begin(void **state)
{
    (void)state;
    net_open(&net, NET_USER, AF_INET, "lan");
    net.relay = true;
    relay.server = net.server_address;
    relay.inside = udp_socket("127.0.0.1", &relay.inside_address);
    relay.outside = udp_socket("127.0.0.1", NULL);
    net_join(&net, 1, true); /* one that no NAT is before */
    net.server_address = relay.inside_address;
    net_connect(&net, 1, true);
    relay_until(net.clients[1].ups == 1 && net.server.ups == 2);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    net_close(&net);
    close(relay.inside);
    close(relay.outside);
    return 0;
}

static void
say(struct node *node, const char *text)
{
    struct endpoint_message message = {.data = text, .length = strlen(text)};

    assert_int_equal(endpoint_send(node->endpoint, node->assoc, &message), 0);
}

static uint64_t
moved(void)
{
    return userland_links(net.userland)->stats.moved; /* the server's is the first */
}

static void
test_port_is_followed(void **state)
{
    (void)state;
    say(&net.clients[1], "before");
    relay_until(net_all_have(&net, 1));
    for (unsigned int round = 2; round < 12; round += 2) {
        close(relay.outside);
        relay.outside = udp_socket("127.0.0.1", NULL);
        say(&net.clients[1], "from the new port");
        relay_until(net_all_have(&net, round));
        say(&net.clients[0], "and to it");
        relay_until(net_all_have(&net, round + 1));
    }
    assert_int_equal(moved(), 5);
    assert_int_equal(net.server.ups, 2);
    assert_int_equal(net.server.downs + net.server.restarts, 0);
    assert_int_equal(net.clients[1].downs, 0);
}

/* Another program of the peer's host that does not know the tag, or of another host that does,
 * moves nobody. */
static void
test_strangers_move_nobody(void **state)
{
    int other_port = udp_socket("127.0.0.1", NULL), other_host = udp_socket("127.0.0.2", NULL);
    uint8_t packet[2048];
    uint64_t dropped = userland_links(net.userland)->stats.dropped_in;

    (void)state;
    say(&net.clients[1], "one");
    relay_until(net_all_have(&net, 1));
    memcpy(packet, relay.last, relay.last_length);
    packet[4] ^= 1; /* the tag */
    crc32c_seal(packet, relay.last_length);
    assert_true(sendto(other_port, packet, relay.last_length, 0, &relay.server.any,
                       address_length(&relay.server)) > 0);
    memcpy(packet, relay.last, relay.last_length);
    packet[8] ^= 1; /* the checksum */
    assert_true(sendto(other_port, packet, relay.last_length, 0, &relay.server.any,
                       address_length(&relay.server)) > 0);
    assert_true(sendto(other_host, relay.last, relay.last_length, 0, &relay.server.any,
                       address_length(&relay.server)) > 0);
    relay_until(userland_links(net.userland)->stats.dropped_in == dropped + 3);
    assert_int_equal(moved(), 0);
    say(&net.clients[0], "two");
    relay_until(net_all_have(&net, 2));
    close(other_port);
    close(other_host);
}

/* A packet of an association that the server has lost is answered by ABORT with the T bit, its tag,
 * and nothing more (RFC 9260, section 8.4). Not so ABORT itself, or what proves nothing. */
static void
test_out_of_the_blue(void **state)
{
    static const uint8_t silent[] = {1, 6, 14}; /* INIT with a tag, ABORT, SHUTDOWN COMPLETE */
    uint8_t packet[28] = {0x13, 0x88, 0x07, 0xdd, 1, 2, 3, 4, 0, 0, 0, 0, 3, 0, 0, 16};
    int stranger = udp_socket("127.0.0.1", NULL);
    uint8_t answer[100];
    ssize_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(silent); i++) {
        packet[12] = silent[i];
        crc32c_seal(packet, sizeof(packet));
        sendto(stranger, packet, sizeof(packet), 0, &relay.server.any, sizeof(relay.server.in));
    }
    packet[12] = 3; /* SACK */
    crc32c_seal(packet, sizeof(packet));
    sendto(stranger, packet, sizeof(packet), 0, &relay.server.any, sizeof(relay.server.in));
    relay_until((length = recv(stranger, answer, sizeof(answer), 0)) > 0);
    assert_int_equal(length, 16);
    assert_true(crc32c_check(answer, 16));
    assert_memory_equal(answer, ((const uint8_t[]){0x07, 0xdd, 0x13, 0x88, 1, 2, 3, 4}), 8);
    assert_memory_equal(answer + 12, ((const uint8_t[]){6, 1, 0, 4}), 4);
    net_turn(&net, 10);
    assert_int_equal(recv(stranger, answer, sizeof(answer), 0), -1);
    close(stranger);
}

static struct link *
add_link(struct userland *userland, const char *where)
{
    struct address address;
    struct link *link;

    assert_int_equal(address_parse(&address, where, 0), 0);
    assert_int_equal(link_udp_open(&link, &address), 0);
    assert_int_equal(userland_add_link(userland, link), 0);
    return link;
}

/* A client takes answers from the address that it asked alone, so being up proves it. */
static void
test_answers_from_the_address_asked(void **state)
{
    static const struct {
        const char *server, *client, *asked;
    } rows[] = {
        {"0.0.0.0", "127.0.0.1", "127.0.0.2"},
        {"0.0.0.0", "127.0.0.1", "127.0.0.1"},
        {"::", "127.0.0.1", "127.0.0.3"},
        {"::", "::1", "::1"},
    };
    const struct endpoint_profile *profile = endpoint_profile_find("lan");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint_config server = {.port = 2013, .listen = true, .profile = profile};
        struct endpoint_config client = {.profile = profile};
        struct node *node;
        struct link *link;

        memset(&net, 0, sizeof(net));
        net.kind = NET_USER;
        net.clients = calloc(1, sizeof(*net.clients));
        net.count = 1;
        node = &net.clients[0];
        assert_int_equal(userland_create(&net.userland), 0);
        link = add_link(net.userland, rows[i].server);
        add_link(net.userland, rows[i].client);
        assert_int_equal(address_parse(&net.server_address, rows[i].asked, 0), 0);
        address_set_port(&net.server_address, address_port(&link->local));
        assert_int_equal(endpoint_user_open(&net.server.endpoint, net.userland, &server), 0);
        assert_int_equal(endpoint_user_open(&node->endpoint, net.userland, &client), 0);
        assert_int_equal(
            endpoint_connect(node->endpoint, &net.server_address, 1, 2013, &node->assoc), 0);
        net_until(&net, node->ups == 1 && net.server.ups == 1);
        if (rows[i].client[0] == '1') /* shown as IPv4, though the socket is of IPv6 */
            assert_int_equal(net.server.address.any.sa_family, AF_INET);
        net_close(&net);
    }
}

/* A client is bound to no address: whichever of its own it was last reached at, the route says from
 * where it sends. An INIT is what makes it answer here. */
static void
test_client_source_is_the_routes(void **state)
{
    uint8_t init[32] = {0x13, 0x88, 0x07, 0xdd, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20,
                        1,    2,    3,    4,    0, 1, 0, 0, 0, 3, 0, 3, 9, 9, 9, 9};
    int stranger = udp_socket("127.0.0.1", NULL);
    struct address client, from;
    socklen_t size = sizeof(from);
    uint8_t answer[2048];
    struct link *link;

    (void)state;
    assert_int_equal(link_udp_open_client(&link, AF_INET), 0);
    assert_int_equal(userland_add_link(net.userland, link), 0);
    assert_int_equal(address_parse(&client, "127.0.0.5", address_port(&link->local)), 0);
    crc32c_seal(init, sizeof(init));
    assert_true(sendto(stranger, init, sizeof(init), 0, &client.any, sizeof(client.in)) > 0);
    relay_until(recvfrom(stranger, answer, sizeof(answer), 0, &from.any, &size) > 0);
    assert_int_equal(from.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(address_port(&from), address_port(&link->local));
    close(stranger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_port_is_followed, begin, end),
        cmocka_unit_test_setup_teardown(test_strangers_move_nobody, begin, end),
        cmocka_unit_test_setup_teardown(test_out_of_the_blue, begin, end),
        cmocka_unit_test(test_answers_from_the_address_asked),
        cmocka_unit_test_setup_teardown(test_client_source_is_the_routes, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
