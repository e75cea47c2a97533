/* net.h: every transport in one process, for tests: a server endpoint and its clients, pumped by
 * hand until a condition holds, by real time or by the fake network's.
 */
#ifndef NET_H
#define NET_H

#include "endpoint.h"
#include "fake_link.h"
#include "userland.h"

#include <stdbool.h>

#define NET_CLIENTS_MAX 1024
#define NET_DEADLINE_MS 20000

enum net_kind { NET_USER, NET_KERNEL, NET_FAKE };

/* One endpoint of the test and what it has seen. */
struct node {
    struct endpoint *endpoint;
    uint32_t assoc; /* client: its association; server: the one that came up last */
    bool stalled;   /* does not read */
    unsigned int ups, downs, restarts, oversize, drained, messages, unreachable;
    enum endpoint_reason reason;
    uint64_t skipped;
    size_t last_length;
    uint32_t last_ppid;
    uint16_t last_stream;
    uint64_t next;      /* number expected in the next message of net_number */
    unsigned int holes; /* messages that did not have it */
    struct address address;
    uint8_t last[ENDPOINT_MESSAGE_MAX];
};

struct net {
    enum net_kind kind;
    struct userland *userland;
    struct address server_address; /* what clients connect to */
    const struct endpoint_profile *profile;
    struct node server;
    struct node *clients;
    size_t count;
    bool relay;        /* the server sends what it gets to all, as lazychatd does */
    struct link *fake; /* NET_FAKE: the network; every client has the address 10.1.x.y */
};

/* Is this transport here? */
bool net_available(enum net_kind kind);

/* A server on loopback, IPv4 or IPv6; or in the fake network. */
void net_open(struct net *net, enum net_kind kind, int family, const char *profile);
void net_open_fake(struct net *net, const struct fake_config *config, const char *profile);

/* NET_FAKE: where client number `i` sends to: what to cut. */
struct address net_fake_address(size_t i);
void net_close(struct net *net);

/* What opening a second server on the same port comes to. */
int net_second_server(struct net *net);

/* Connects `count` clients more, each with its own endpoint (and, user space, its own UDP port when
 * `ports`), and waits until all are up. */
void net_join(struct net *net, size_t count, bool ports);
/* As above without waiting. */
void net_connect(struct net *net, size_t count, bool ports);

/* One turn of everything, waiting at most `wait` ms for something to come. */
void net_turn(struct net *net, int wait);

/* Turns until `condition` holds; fails the test, with its text, when it does not in time. */
#define net_until(net, condition)                                                                  \
    do {                                                                                           \
        int64_t net_deadline = fake_now() + NET_DEADLINE_MS;                                       \
        while (!(condition)) {                                                                     \
            net_turn((net), 10);                                                                   \
            if (fake_now() > net_deadline)                                                         \
                fail_msg("not within %d ms: %s", NET_DEADLINE_MS, #condition);                     \
        }                                                                                          \
    } while (0)

/* Every client that reads has (at least) this many messages. */
bool net_all_have(const struct net *net, unsigned int messages);

/* A message of `length` bytes that begins with a number. */
void net_number(uint8_t *bytes, size_t length, uint64_t number);

/* Resident memory of this process in bytes. */
size_t net_memory(void);

/* Runs this under AddressSanitizer? */
bool net_sanitized(void);

#endif
