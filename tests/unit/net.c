/* net.c: a server endpoint and its clients in one process. */
#include "net.h"

#include "endpoint_kernel.h"
#include "endpoint_user.h"
#include "link_udp.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PORT 2013

bool
net_available(enum net_kind kind)
{
    return kind != NET_KERNEL || endpoint_kernel_available();
}

static struct address
loopback(int family)
{
    struct address address;

    assert_int_equal(address_parse(&address, family == AF_INET6 ? "::1" : "127.0.0.1", 0), 0);
    return address;
}

static struct link *
add_udp(struct net *net)
{
    struct address any = loopback(net->server_address.any.sa_family);
    struct link *link;

    assert_int_equal(link_udp_open(&link, &any), 0);
    assert_int_equal(userland_add_link(net->userland, link), 0);
    return link;
}

void
net_open(struct net *net, enum net_kind kind, int family, const char *profile)
{
    struct endpoint_config config = {.port = PORT, .listen = true};
    struct rlimit files;

    memset(net, 0, sizeof(*net));
    net->kind = kind;
    net->profile = endpoint_profile_find(profile);
    net->server_address = loopback(family);
    net->clients = calloc(NET_CLIENTS_MAX, sizeof(*net->clients));
    assert_non_null(net->clients);
    config.profile = net->profile;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (kind == NET_KERNEL) {
        assert_int_equal(
            endpoint_kernel_open(&net->server.endpoint, &net->server_address, 1, &config), 0);
        return;
    }
    assert_int_equal(userland_create(&net->userland), 0);
    net->server_address = add_udp(net)->local;
    assert_int_equal(endpoint_user_open(&net->server.endpoint, net->userland, &config), 0);
}

void
net_open_fake(struct net *net, const struct fake_config *config, const char *profile)
{
    struct endpoint_config server = {.port = PORT, .listen = true};

    memset(net, 0, sizeof(*net));
    net->kind = NET_FAKE;
    net->profile = endpoint_profile_find(profile);
    net->clients = calloc(NET_CLIENTS_MAX, sizeof(*net->clients));
    assert_non_null(net->clients);
    server.profile = net->profile;
    net->fake = fake_link_open(config);
    assert_int_equal(userland_create(&net->userland), 0);
    assert_int_equal(userland_add_link(net->userland, net->fake), 0);
    userland_receive(net->userland, fake_now());
    assert_int_equal(endpoint_user_open(&net->server.endpoint, net->userland, &server), 0);
}

struct address
net_fake_address(size_t i)
{
    struct address address;

    assert_int_equal(address_parse(&address, "10.1.0.0", 9899), 0);
    address.in.sin_addr.s_addr = htonl(0x0a010000 + (uint32_t)i);
    return address;
}

int
net_second_server(struct net *net)
{
    struct endpoint_config config = {.port = PORT, .listen = true, .profile = net->profile};
    struct endpoint *second;

    if (net->kind == NET_KERNEL)
        return endpoint_kernel_open(&second, &net->server_address, 1, &config);
    return endpoint_user_open(&second, net->userland, &config);
}

void
net_close(struct net *net)
{
    for (size_t i = 0; i < net->count; i++)
        endpoint_close(net->clients[i].endpoint);
    endpoint_close(net->server.endpoint);
    userland_destroy(net->userland);
    free(net->clients);
    memset(net, 0, sizeof(*net));
}

void
net_connect(struct net *net, size_t count, bool ports)
{
    struct endpoint_config config = {.profile = net->profile};

    assert_true(net->count + count <= NET_CLIENTS_MAX);
    if (net->kind == NET_USER && !ports)
        add_udp(net);
    while (count-- > 0) {
        struct node *client = &net->clients[net->count++];

        if (net->kind == NET_KERNEL) {
            struct address local = loopback(net->server_address.any.sa_family);

            assert_int_equal(endpoint_kernel_open(&client->endpoint, &local, 1, &config), 0);
        } else {
            if (net->kind == NET_USER && ports)
                add_udp(net);
            if (net->kind == NET_FAKE)
                net->server_address = net_fake_address(net->count - 1);
            assert_int_equal(endpoint_user_open(&client->endpoint, net->userland, &config), 0);
        }
        assert_int_equal(
            endpoint_connect(client->endpoint, &net->server_address, 1, PORT, &client->assoc), 0);
    }
}

void
net_join(struct net *net, size_t count, bool ports)
{
    net_connect(net, count, ports);
    for (size_t i = net->count - count; i < net->count; i++)
        net_until(net, net->clients[i].ups == 1);
    net_until(net, endpoint_associations(net->server.endpoint) == net->count);
}

static void
took_message(struct net *net, struct node *node, const struct endpoint_event *event)
{
    node->messages++;
    node->last_length = event->length;
    node->last_ppid = event->ppid;
    node->last_stream = event->stream;
    memcpy(node->last, event->data, event->length);
    if (event->length >= sizeof(uint64_t)) {
        uint64_t number;

        memcpy(&number, event->data, sizeof(number));
        node->holes += number != node->next;
        node->next = number + 1;
    }
    if (net->relay && node == &net->server) {
        struct endpoint_message message = {.data = event->data,
                                           .length = event->length,
                                           .ppid = event->ppid,
                                           .stream = event->stream};

        assert_int_equal(endpoint_sendall(node->endpoint, &message), 0);
    }
}

static void
take(struct net *net, struct node *node, const struct endpoint_event *event)
{
    switch (event->type) {
    case ENDPOINT_MESSAGE:
        took_message(net, node, event);
        break;
    case ENDPOINT_OVERSIZE:
        node->oversize++;
        node->last_length = event->length;
        break;
    case ENDPOINT_UP:
        node->ups++;
        node->assoc = event->assoc;
        node->address = event->address;
        break;
    case ENDPOINT_DOWN:
        node->downs++;
        node->reason = event->reason;
        break;
    case ENDPOINT_RESTARTED:
        node->restarts++;
        break;
    case ENDPOINT_PATH:
        node->unreachable += !event->reachable;
        break;
    case ENDPOINT_DRAINED:
        node->drained++;
        node->skipped += event->skipped;
        break;
    }
}

static void
drain(struct net *net, struct node *node)
{
    struct endpoint_event event;

    endpoint_tick(node->endpoint, fake_now());
    if (node->stalled)
        return;
    while (endpoint_recv(node->endpoint, &event) == 1)
        take(net, node, &event);
}

static void
wait_kernel(struct net *net, int wait)
{
    static struct pollfd fds[NET_CLIENTS_MAX + 1];
    nfds_t count = 1;

    fds[0] = (struct pollfd){.fd = endpoint_fd(net->server.endpoint), .events = POLLIN};
    for (size_t i = 0; i < net->count; i++)
        if (!net->clients[i].stalled)
            fds[count++] =
                (struct pollfd){.fd = endpoint_fd(net->clients[i].endpoint), .events = POLLIN};
    poll(fds, count, wait);
}

void
net_turn(struct net *net, int wait)
{
    if (net->kind == NET_KERNEL) {
        wait_kernel(net, wait);
    } else {
        struct pollfd fd = {.fd = userland_fd(net->userland), .events = POLLIN};

        if (net->kind == NET_FAKE)
            fake_advance(net->fake, wait);
        else
            poll(&fd, 1, wait);
        userland_receive(net->userland, fake_now());
    }
    drain(net, &net->server);
    for (size_t i = 0; i < net->count; i++)
        drain(net, &net->clients[i]);
    endpoint_flush(net->server.endpoint);
    if (net->userland != NULL)
        userland_flush(net->userland);
}

bool
net_all_have(const struct net *net, unsigned int messages)
{
    for (size_t i = 0; i < net->count; i++)
        if (!net->clients[i].stalled && net->clients[i].messages < messages)
            return false;
    return true;
}

void
net_number(uint8_t *bytes, size_t length, uint64_t number)
{
    memset(bytes, 'x', length);
    memcpy(bytes, &number, sizeof(number));
}

size_t
net_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &all, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

#ifndef __has_feature /* clang's way to ask */
#define __has_feature(feature) 0
#endif

bool
net_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
}
