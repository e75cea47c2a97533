/* test_endpoint_kernel.c: what is special to the kernel's SCTP, beside the contract of endpoint.h
 * that tests/unit/test_endpoint.c tests. Run it with tests/kernel/with-sctp.
 *
 * It takes a network of its own (a network namespace), so that what it sets there (sndbuf_policy,
 * losses on lo) concerns nobody else:
 *
 *      the test's namespace                     namespace lazychat-b
 *    +----------------------+               +------------------------+
 *    |  server     10.9.1.1 |-veth---- 1 ---| 10.9.1.2               |
 *    |  127.0.0.1           |               |              a client  |
 *    |  clients    10.9.2.1 |-veth---- 2 ---| 10.9.2.2               |
 *    +----------------------+               +------------------------+
 */
#include "../unit/net.h"

#include "endpoint_driver.h"
#include "endpoint_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/sctp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/sock_diag.h>

#include <cmocka.h>

#define PORT       2013
#define MEMORY_MAX ((size_t)16 << 20)

static struct net net;
static bool own_network;

/* A peer that is not ours: a plain one-to-one socket. */
struct peer_options {
    bool no_pr;         /* PR-SCTP off */
    bool single_stream; /* takes one stream */
    int receive_buffer;
    uint16_t port; /* its own; 0: any */
};

static int
end(void **state)
{
    (void)state;
    net_close(&net);
    if (own_network && system("tc qdisc del dev lo root 2>/dev/null; ip link set lo mtu 65536") < 0)
        return -1;
    return 0;
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
need(bool condition, const char *reason)
{
    if (condition)
        return;
    print_message("# skip-reason: %s\n", reason);
    skip();
}

static void
need_kernel(void)
{
    need(endpoint_kernel_available(), "this kernel has no SCTP; use tests/kernel/with-sctp");
}

static void
need_own_network(void)
{
    need_kernel();
    need(own_network, "needs a network namespace of its own: be root");
}

static void
run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void
need_tool(const char *command)
{
    char text[200];

    snprintf(text, sizeof(text), "command -v %s >/dev/null", command);
    need(system(text) == 0, "needs iproute2 (ip and tc)");
}

static void
set_policy(int policy)
{
    FILE *file = fopen("/proc/sys/net/sctp/sndbuf_policy", "w");

    assert_non_null(file);
    fprintf(file, "%d\n", policy);
    assert_int_equal(fclose(file), 0);
}

static struct sockaddr_in
local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
peer_connect(const struct peer_options *options)
{
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    struct sctp_initmsg init = {10, options->single_stream ? 1 : 10, 0, 0};
    struct sctp_assoc_value off = {SCTP_FUTURE_ASSOC, 0};
    struct sockaddr_in from = local(options->port), to = local(PORT);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof(init)), 0);
    if (options->no_pr)
        assert_int_equal(setsockopt(fd, IPPROTO_SCTP, SCTP_PR_SUPPORTED, &off, sizeof(off)), 0);
    if (options->receive_buffer != 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer,
                                    sizeof(options->receive_buffer)),
                         0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        fail_msg("connect: %s", strerror(errno));
    return fd;
}

/* close() with an ABORT */
static void
peer_abort(int fd)
{
    struct linger linger = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

/* What all SCTP sockets of the machine have, in the kernel, and this process. */
static size_t
memory(void)
{
    char line[512];
    size_t pages = 0;
    FILE *file = fopen("/proc/net/protocols", "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "SCTP ", 5) == 0)
            sscanf(line, "SCTP %*s %*s %zu", &pages);
    fclose(file);
    return net_memory() + pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
queued(const struct endpoint *endpoint)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(info);

    assert_int_equal(getsockopt(endpoint_fd(endpoint), SOL_SOCKET, SO_MEMINFO, info, &length), 0);
    return info[SK_MEMINFO_WMEM_QUEUED];
}

static const char *
sendall_is(void)
{
    struct endpoint_stats stats;

    endpoint_stats(net.server.endpoint, &stats);
    return stats.sendall;
}

static void
say_all(uint64_t number, size_t length)
{
    static uint8_t bytes[ENDPOINT_MESSAGE_MAX];
    struct endpoint_message message = {.data = bytes, .length = length};

    net_number(bytes, length, number);
    assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
    endpoint_flush(net.server.endpoint);
}

/* ---- One that does not read ---- */

/* Reads all that is there; the number of the last message, and how many there were. */
static uint64_t
peer_read(int fd, unsigned int *messages)
{
    static uint8_t bytes[ENDPOINT_MESSAGE_MAX];
    uint64_t number = 0;

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
        memcpy(&number, bytes, sizeof(number));
        ++*messages;
    }
    return number;
}

/* 99 clients get everything while the peer does not read; then it reads, and gets what is new. */
static void
stalled(const struct peer_options *options, unsigned int messages, bool privileged)
{
    enum { CLIENTS = 99, SIZE = 1024, WINDOW = 50 };
    struct endpoint_stats stats;
    unsigned int got = 0;
    size_t before, most = 0;
    int64_t began;
    int fd;

    if (!privileged)
        assert_int_equal(seteuid(65534), 0);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    if (!privileged)
        assert_int_equal(seteuid(0), 0);
    net_join(&net, CLIENTS, false);
    fd = peer_connect(options);
    net_until(&net, endpoint_associations(net.server.endpoint) == CLIENTS + 1);
    for (unsigned int i = 0; i < WINDOW; i++)
        say_all(i, SIZE);
    net_until(&net, net_all_have(&net, WINDOW));
    before = memory();
    began = now_ms();
    for (unsigned int i = WINDOW; i < messages; i++) {
        say_all(i, SIZE);
        if (i % WINDOW != WINDOW - 1)
            continue;
        net_until(&net, net_all_have(&net, i + 1));
        most = memory() > most ? memory() : most;
    }
    endpoint_stats(net.server.endpoint, &stats);
    print_message("# %u messages in %ld ms; memory grew by %ld kB, in the send buffer are %zu kB, "
                  "in the backlog %zu kB; others drained %u times\n",
                  messages, (long)(now_ms() - began), ((long)most - (long)before) / 1024,
                  queued(net.server.endpoint) / 1024, stats.backlog_bytes / 1024,
                  net.server.drained);
    for (size_t i = 0; i < net.count; i++)
        assert_int_equal(net.clients[i].holes, 0);
    assert_true(most < before + MEMORY_MAX);
    assert_int_equal(stats.behind, 1);
    assert_string_equal(stats.sendall, "loop");

    net_until(&net, (peer_read(fd, &got), endpoint_stats(net.server.endpoint, &stats),
                     stats.behind == 0));
    net_until(&net, (peer_read(fd, &got), queued(net.server.endpoint) == 0));
    say_all(messages, SIZE);
    if (privileged) /* else a message for 100 does not fit in at once */
        assert_string_equal(sendall_is(), "SCTP_SENDALL");
    net_until(&net, peer_read(fd, &got) == messages);
    net_until(&net, net_all_have(&net, messages + 1));
    endpoint_stats(net.server.endpoint, &stats);
    assert_int_equal(got + 1 + stats.skipped, messages + 1 + 1);
    assert_int_equal(net.server.downs, 0);
    close(fd);
}

static void
test_stalled_shared(void **state)
{
    const struct peer_options options = {.receive_buffer = 65536};

    (void)state;
    need_own_network();
    set_policy(0);
    stalled(&options, 5000, true);
}

static void
test_stalled_per_association(void **state)
{
    const struct peer_options options = {.receive_buffer = 65536};

    (void)state;
    need_own_network();
    set_policy(1);
    stalled(&options, 2000, true);
}

static void
test_stalled_simple_shared(void **state)
{
    const struct peer_options options = {
        .receive_buffer = 65536, .no_pr = true, .single_stream = true};

    (void)state;
    need_own_network();
    set_policy(0);
    stalled(&options, 1000, true);
}

static void
test_stalled_simple_per_association(void **state)
{
    const struct peer_options options = {
        .receive_buffer = 65536, .no_pr = true, .single_stream = true};

    (void)state;
    need_own_network();
    set_policy(1);
    stalled(&options, 1000, true);
}

/* A send buffer of 416 kB is all that one gets who is not root. */
static void
test_stalled_small_buffer(void **state)
{
    const struct peer_options options = {.receive_buffer = 65536};

    (void)state;
    need_own_network();
    set_policy(0);
    stalled(&options, 1500, false);
}

/* Many of them together do not starve the one that reads, who is the last to come. */
static void
many_stalled(bool privileged, unsigned int count, size_t size)
{
    enum { STALLED_MAX = 200, MESSAGES = 500, AGAIN = 20 };
    const struct peer_options options = {.receive_buffer = 4096};
    int fds[STALLED_MAX];
    unsigned int got = 0, got_last = 0;
    size_t before;

    /* A window is announced again when it grew by an MTU. */
    run("ip link set lo mtu 1500");
    if (!privileged)
        assert_int_equal(seteuid(65534), 0);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    if (!privileged)
        assert_int_equal(seteuid(0), 0);
    for (size_t i = 0; i < count; i++)
        fds[i] = peer_connect(&options);
    net_connect(&net, 1, false);
    net_until(&net, endpoint_associations(net.server.endpoint) == count + 1);
    net_until(&net, net.clients[0].ups == 1);
    before = memory();
    for (unsigned int i = 0; i < MESSAGES; i++) {
        say_all(i, size);
        net_until(&net, net_all_have(&net, i + 1));
    }
    print_message("# %u stalled: memory grew by %ld kB, in the send buffer are %zu kB\n", count,
                  ((long)memory() - (long)before) / 1024, queued(net.server.endpoint) / 1024);
    assert_int_equal(net.clients[0].holes, 0);
    /* Who reads again is served again, beside the others. */
    net_until(&net, (peer_read(fds[0], &got), got >= AGAIN));
    net_until(&net, (peer_read(fds[count - 1], &got_last), got_last >= AGAIN));
    /* Beyond sctp_mem, by default 3/32 of the memory, the kernel gives nobody anything. */
    assert_true(queued(net.server.endpoint) <
                (size_t)sysconf(_SC_PHYS_PAGES) / 64 * 3 * (size_t)sysconf(_SC_PAGESIZE));
    for (size_t i = 0; i < count; i++)
        peer_abort(fds[i]);
    net_until(&net, endpoint_associations(net.server.endpoint) == 1);
}

static void
test_many_stalled(void **state)
{
    (void)state;
    need_own_network();
    need_tool("ip");
    set_policy(0);
    many_stalled(true, 200, 8192);
}

static void
test_many_stalled_small_buffer(void **state)
{
    (void)state;
    need_own_network();
    need_tool("ip");
    set_policy(0);
    many_stalled(false, 100, 1024);
}

/* A peer without room, and nothing of its own that would tell when there is some: others have all
 * of the buffer. It is served as soon as they are gone. */
static void
test_full_buffer(void **state)
{
    enum { CLIENTS = 20, SIZE = 60000 };
    unsigned int sent = 1;

    (void)state;
    need_own_network();
    need_tool("tc");
    set_policy(0);
    assert_int_equal(seteuid(65534), 0);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    assert_int_equal(seteuid(0), 0);
    net_join(&net, CLIENTS, false);
    run("tc qdisc add dev lo root netem delay 50ms");
    for (unsigned int i = 0; i < sent; i++)
        say_all(i, SIZE); /* 1.2 MB at once into 0.4 MB */
    net_until(&net, net_all_have(&net, sent));
    run("tc qdisc del dev lo root");
    for (size_t i = 0; i < net.count; i++)
        assert_int_equal(net.clients[i].holes, 0);
    net_until(&net, queued(net.server.endpoint) == 0);
    assert_int_equal(net.server.downs, 0);
}

/* ---- SCTP_SENDALL ---- */

static void
sendall_used(int policy)
{
    set_policy(policy);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, 10, false);
    for (unsigned int i = 0; i < 20; i++) {
        say_all(i, 100);
        assert_string_equal(sendall_is(), "SCTP_SENDALL");
        net_until(&net, net_all_have(&net, i + 1));
    }
    say_all(20, ENDPOINT_MESSAGE_MAX);
    net_until(&net, net_all_have(&net, 21));
    for (size_t i = 0; i < net.count; i++)
        assert_int_equal(net.clients[i].holes, 0);
}

static void
test_sendall_shared(void **state)
{
    (void)state;
    need_own_network();
    sendall_used(0);
}

static void
test_sendall_per_association(void **state)
{
    (void)state;
    need_own_network();
    sendall_used(1);
}

/* As fast as it goes: nobody is left out, whatever way it takes. */
static void
test_burst(void **state)
{
    enum { CLIENTS = 50, MESSAGES = 3000 };
    int64_t began;

    (void)state;
    need_own_network();
    set_policy(0);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, CLIENTS, false);
    began = now_ms();
    for (unsigned int i = 0; i < MESSAGES; i++) {
        say_all(i, 100);
        if (i % 500 == 499)
            net_turn(&net, 0);
    }
    net_until(&net, net_all_have(&net, MESSAGES));
    print_message("# burst of %d to %d in %ld ms, drained %u times\n", MESSAGES, CLIENTS,
                  (long)(now_ms() - began), net.server.drained);
    for (size_t i = 0; i < net.count; i++)
        assert_int_equal(net.clients[i].holes, 0);
    assert_int_equal(net.server.skipped, 0);
}

/* Streams that a peer did not offer become stream 0, for it alone. */
static void
test_single_stream(void **state)
{
    const struct peer_options options = {.single_stream = true};
    struct endpoint_message message = {
        .data = "typing", .length = 6, .stream = 2, .unordered = true, .ephemeral = true};
    struct sctp_status status = {0};
    socklen_t length = sizeof(status);
    char text[10];
    int fd;

    (void)state;
    need_kernel();
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, 2, false);
    fd = peer_connect(&options);
    net_until(&net, endpoint_associations(net.server.endpoint) == 3);
    assert_int_equal(getsockopt(fd, IPPROTO_SCTP, SCTP_STATUS, &status, &length), 0);
    assert_int_equal(status.sstat_instrms, 1);
    assert_int_equal(endpoint_sendall(net.server.endpoint, &message), 0);
    net_until(&net, net_all_have(&net, 1));
    assert_int_equal(net.clients[0].last_stream, 2);
    assert_int_equal(recv(fd, text, sizeof(text), 0), 6);
    close(fd);
}

/* ---- Peers that go ---- */

/* One dies when the server has a part of its large message; others speak meanwhile and after. */
static void
test_dies_in_a_message(void **state)
{
    static const uint8_t big[ENDPOINT_MESSAGE_MAX];
    const struct peer_options options = {.receive_buffer = 65536};
    const struct association *association;
    int fd;

    (void)state;
    need_own_network();
    need_tool("tc");
    set_policy(0);
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, 3, false);
    run("ip link set lo mtu 1500 && tc qdisc add dev lo root netem rate 2mbit");
    fd = peer_connect(&options);
    net_until(&net, endpoint_associations(net.server.endpoint) == 4);
    association = endpoint_find(net.server.endpoint, net.server.assoc);
    assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
    net_until(&net, association->partial_length > 0);
    say_all(0, 1000);
    peer_abort(fd);
    net_until(&net, net.server.downs == 1 && net_all_have(&net, 1));
    assert_int_equal(net.server.reason, ENDPOINT_ABORTED);
    run("tc qdisc del dev lo root && ip link set lo mtu 65536");
    assert_int_equal(net.server.messages, 0);
    assert_int_equal(endpoint_send(net.clients[1].endpoint, net.clients[1].assoc,
                                   &(struct endpoint_message){.data = big, .length = sizeof(big)}),
                     0);
    net_until(&net, net.server.messages == 1);
    assert_int_equal(net.server.last_length, sizeof(big));
}

/* A host that loses its state and comes back from the same address and port. */
static void
test_restart(void **state)
{
    const struct peer_options options = {.port = 40001};
    unsigned int got = 0;
    uint32_t assoc;
    int fd;

    (void)state;
    need_own_network();
    need_tool("tc");
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, 1, false);
    fd = peer_connect(&options);
    net_until(&net, endpoint_associations(net.server.endpoint) == 2);
    assoc = net.server.assoc;
    run("tc qdisc add dev lo root netem loss 100%");
    peer_abort(fd); /* which nobody hears */
    say_all(0, 100);
    run("tc qdisc del dev lo root");
    fd = peer_connect(&options);
    net_until(&net, net.server.restarts == 1);
    assert_int_equal(net.server.assoc, assoc);
    assert_int_equal(endpoint_associations(net.server.endpoint), 2);
    say_all(1, 100);
    net_until(&net, peer_read(fd, &got) == 1);
    net_until(&net, net_all_have(&net, 2));
    close(fd);
    net_until(&net, net.server.downs == 1);
    assert_int_equal(net.server.reason, ENDPOINT_CLOSED);
}

/* It stopped reading, lost its state and came back: what it gets is new, and it is not stuck. */
static void
test_restart_while_behind(void **state)
{
    const struct peer_options options = {.port = 40002, .receive_buffer = 65536};
    struct endpoint_stats stats;
    unsigned int got = 0, i = 0;
    int fd;

    (void)state;
    need_own_network();
    need_tool("tc");
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    fd = peer_connect(&options);
    net_until(&net, endpoint_associations(net.server.endpoint) == 1);
    do {
        say_all(i++, 10000);
        net_turn(&net, 0);
        endpoint_stats(net.server.endpoint, &stats);
    } while (stats.behind == 0);
    run("tc qdisc add dev lo root netem loss 100%");
    peer_abort(fd);
    run("tc qdisc del dev lo root");
    fd = peer_connect(&options);
    net_until(&net, net.server.restarts == 1);
    net_until(&net, (peer_read(fd, &got), endpoint_stats(net.server.endpoint, &stats),
                     stats.behind == 0));
    say_all(i, 100);
    net_until(&net, peer_read(fd, &got) == i);
    close(fd);
}

/* The port is free again at once, also with data outstanding for a peer that is gone. */
static void
test_port_free(void **state)
{
    const struct peer_options options = {.receive_buffer = 4096};
    int fd;

    (void)state;
    need_kernel();
    for (unsigned int round = 0; round < 3; round++) {
        net_open(&net, NET_KERNEL, AF_INET, "lan");
        fd = peer_connect(&options);
        net_until(&net, endpoint_associations(net.server.endpoint) == 1);
        for (unsigned int i = 0; i < 20; i++)
            say_all(i, 10000);
        net_close(&net);
        close(fd);
    }
    net_open(&net, NET_KERNEL, AF_INET, "lan");
}

/* An association that we ended says nothing any more, whatever was on its way. */
static void
test_own_abort_is_silent(void **state)
{
    (void)state;
    need_kernel();
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_connect(&net, 1, false); /* UP is on its way, unread */
    endpoint_abort(net.clients[0].endpoint, net.clients[0].assoc);
    net_until(&net, net.server.downs == net.server.ups);
    for (unsigned int i = 0; i < 20; i++)
        net_turn(&net, 1);
    assert_int_equal(net.clients[0].ups + net.clients[0].downs, 0);
    assert_int_equal(endpoint_associations(net.server.endpoint), 0);
}

static void
test_open_errors(void **state)
{
    const struct endpoint_profile *profile = endpoint_profile_find("default");
    struct endpoint_config config = {.port = PORT, .listen = true, .profile = profile};
    struct endpoint *first, *second;
    struct address address;

    (void)state;
    need_own_network();
    assert_int_equal(address_parse(&address, "192.0.2.1", 0), 0);
    assert_int_equal(endpoint_kernel_open(&first, &address, 1, &config), LAZYCHAT_NO_ADDRESS);
    config.port = 80;
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(endpoint_kernel_open(&first, NULL, 0, &config), LAZYCHAT_DENIED);
    assert_int_equal(seteuid(0), 0);
    config.port = PORT;
    assert_int_equal(endpoint_kernel_open(&first, NULL, 0, &config), 0);
    assert_int_equal(endpoint_kernel_open(&second, NULL, 0, &config), LAZYCHAT_IN_USE);
    endpoint_close(first);
    assert_int_equal(endpoint_kernel_open(&second, NULL, 0, &config), 0);
    endpoint_close(second);
}

/* ---- Two links ---- */

static void
links_up(void)
{
    run("ip netns del lazychat-b 2>/dev/null; set -e; ip netns add lazychat-b;"
        "for i in 1 2; do"
        "  ip link add a$i type veth peer name b$i netns lazychat-b;"
        "  ip addr add 10.9.$i.1/24 dev a$i; ip link set a$i up;"
        "  ip -n lazychat-b addr add 10.9.$i.2/24 dev b$i; ip -n lazychat-b link set b$i up;"
        "done");
}

/* Nothing comes through, and nobody is told. */
static void
link_cut(bool cut)
{
    const char *verb = cut ? "add" : "del";
    char text[200];

    snprintf(text, sizeof(text),
             "tc qdisc %s dev a1 root netem loss 100%% && "
             "tc -n lazychat-b qdisc %s dev b1 root netem loss 100%%",
             verb, verb);
    run(text);
}

static struct endpoint *
open_two(const char *first, const char *second, const struct endpoint_config *config)
{
    struct address addresses[2];
    struct endpoint *endpoint = NULL;

    assert_int_equal(address_parse(&addresses[0], first, 0), 0);
    assert_int_equal(address_parse(&addresses[1], second, 0), 0);
    assert_int_equal(endpoint_kernel_open(&endpoint, addresses, 2, config), 0);
    return endpoint;
}

/* A client in the namespace at the other end of the links. */
static struct endpoint *
open_beyond(const struct endpoint_config *config)
{
    int here = open("/proc/self/ns/net", O_RDONLY), there = open("/run/netns/lazychat-b", O_RDONLY);
    struct endpoint *endpoint;

    assert_true(here >= 0 && there >= 0);
    assert_int_equal(setns(there, CLONE_NEWNET), 0);
    endpoint = open_two("10.9.1.2", "10.9.2.2", config);
    assert_int_equal(setns(here, CLONE_NEWNET), 0);
    close(here);
    close(there);
    return endpoint;
}

static unsigned int
paths_up(int fd, uint32_t assoc)
{
    struct sockaddr *list;
    const uint8_t *next;
    int count = sctp_getpaddrs(fd, (sctp_assoc_t)assoc, &list);
    unsigned int up = 0;

    next = (uint8_t *)list;
    for (int i = 0; i < count; i++, next += sizeof(struct sockaddr_in)) {
        struct sctp_paddrinfo info = {.spinfo_assoc_id = (sctp_assoc_t)assoc};
        socklen_t length = sizeof(info);

        memcpy(&info.spinfo_address, next, sizeof(struct sockaddr_in));
        up += getsockopt(fd, IPPROTO_SCTP, SCTP_GET_PEER_ADDR_INFO, &info, &length) == 0 &&
              info.spinfo_state == SCTP_ACTIVE;
    }
    if (count > 0)
        sctp_freepaddrs(list);
    return up;
}

/* Sends a message every 10 ms for `ms`; the longest time without one arriving. */
static int64_t
flow(uint64_t *number, int64_t ms)
{
    struct node *client = &net.clients[0];
    int64_t began = now_ms(), next = began, last = began, longest = 0;
    unsigned int had = client->messages;

    while (now_ms() < began + ms) {
        if (now_ms() >= next) {
            say_all((*number)++, 200);
            next += 10;
        }
        net_turn(&net, 1);
        if (client->messages == had)
            continue;
        had = client->messages;
        if (now_ms() - last > longest)
            longest = now_ms() - last;
        last = now_ms();
    }
    return longest;
}

static void
test_multihoming(void **state)
{
    struct endpoint_config config = {
        .port = PORT, .listen = true, .profile = endpoint_profile_find("lan")};
    struct address server;
    int64_t before, gap;
    uint64_t number = 0;

    (void)state;
    need_own_network();
    need_tool("ip");
    need_tool("tc");
    links_up();
    net.kind = NET_KERNEL;
    net.clients = calloc(1, sizeof(*net.clients));
    net.count = 1;
    net.server.endpoint = open_two("10.9.1.1", "10.9.2.1", &config);
    config.port = 0;
    config.listen = false;
    net.clients[0].endpoint = open_beyond(&config);
    assert_int_equal(address_parse(&server, "10.9.1.1", 0), 0);
    assert_int_equal(
        endpoint_connect(net.clients[0].endpoint, &server, 1, PORT, &net.clients[0].assoc), 0);
    net_until(&net, net.clients[0].ups == 1 && net.server.ups == 1);
    net_until(&net, paths_up(endpoint_fd(net.server.endpoint), net.server.assoc) == 2 &&
                        paths_up(endpoint_fd(net.clients[0].endpoint), net.clients[0].assoc) == 2);

    before = flow(&number, 1000);
    link_cut(true);
    gap = flow(&number, 2000);
    net_until(&net, net_all_have(&net, (unsigned int)number));
    print_message("# longest gap %ld ms with both links, %ld ms with one cut\n", (long)before,
                  (long)gap);
    assert_int_equal(net.clients[0].holes, 0);
    assert_true(gap < 500);
    net_until(&net, net.server.unreachable == 1);
    assert_true(endpoint_find(net.server.endpoint, net.server.assoc)->lost_at ==
                ENDPOINT_NO_DEADLINE); /* the other path is left */
    link_cut(false);
    net_until(&net, paths_up(endpoint_fd(net.server.endpoint), net.server.assoc) == 2);
    flow(&number, 500);
    net_until(&net, net_all_have(&net, (unsigned int)number));
    assert_int_equal(net.clients[0].holes, 0);
    assert_int_equal(net.server.downs, 0);
    run("ip netns del lazychat-b");
}

/* Both links cut: reported as unreachable, kept, and back when it is back. */
static void
test_silent_peer_is_kept(void **state)
{
    struct association *association;

    (void)state;
    need_own_network();
    need_tool("tc");
    net_open(&net, NET_KERNEL, AF_INET, "lan");
    net_join(&net, 1, false);
    association = endpoint_find(net.server.endpoint, net.server.assoc);
    run("tc qdisc add dev lo root netem loss 100%");
    say_all(0, 100);
    net_until(&net, net.server.unreachable == 1);
    assert_true(association->lost_at < ENDPOINT_NO_DEADLINE);
    run("tc qdisc del dev lo root");
    net_until(&net, association->lost_at == ENDPOINT_NO_DEADLINE);
    net_until(&net, net_all_have(&net, 1));
    run("tc qdisc add dev lo root netem loss 100%");
    net_until(&net, net.server.unreachable == 2);
    association->lost_at = net.server.endpoint->next_lost = now_ms(); /* two minutes later */
    net_until(&net, net.server.downs == 1);
    assert_int_equal(net.server.reason, ENDPOINT_UNREACHABLE);
    run("tc qdisc del dev lo root");
}

/* An argument names the tests to run; * and ? are wildcards. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_open_errors, end),
        cmocka_unit_test_teardown(test_sendall_shared, end),
        cmocka_unit_test_teardown(test_sendall_per_association, end),
        cmocka_unit_test_teardown(test_burst, end),
        cmocka_unit_test_teardown(test_single_stream, end),
        cmocka_unit_test_teardown(test_stalled_shared, end),
        cmocka_unit_test_teardown(test_stalled_per_association, end),
        cmocka_unit_test_teardown(test_stalled_simple_shared, end),
        cmocka_unit_test_teardown(test_stalled_simple_per_association, end),
        cmocka_unit_test_teardown(test_stalled_small_buffer, end),
        cmocka_unit_test_teardown(test_many_stalled, end),
        cmocka_unit_test_teardown(test_many_stalled_small_buffer, end),
        cmocka_unit_test_teardown(test_full_buffer, end),
        cmocka_unit_test_teardown(test_dies_in_a_message, end),
        cmocka_unit_test_teardown(test_restart, end),
        cmocka_unit_test_teardown(test_restart_while_behind, end),
        cmocka_unit_test_teardown(test_port_free, end),
        cmocka_unit_test_teardown(test_own_abort_is_silent, end),
        cmocka_unit_test_teardown(test_silent_peer_is_kept, end),
        cmocka_unit_test_teardown(test_multihoming, end),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    /* The kernel's SCTP is asked for first: a module is not loaded from another namespace. */
    if (endpoint_kernel_available() && unshare(CLONE_NEWNET) == 0)
        own_network = system("ip link set lo up 2>/dev/null || ifconfig lo up") == 0;
    return cmocka_run_group_tests_name("endpoint_kernel", tests, NULL, NULL);
}
