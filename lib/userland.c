/* userland.c: joins a stack and its links: packets up, packets down, time. */
#include "userland.h"

#include "batch.h"
#include "error.h"
#include "packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define EVENTS 128 /* links read in a turn; the others' come in the next */

struct userland {
    struct stack *stack;
    struct link *links;
    struct peers peers;
    struct batch batch;
    int epoll; /* of the links' descriptors */
    int64_t now;
};

/* A packet from the stack on its way out. */
static void
output(void *user, uint32_t number, const uint8_t *packet, size_t length)
{
    struct userland *userland = user;
    struct peer *peer = peer_by_number(&userland->peers, number);

    if (peer != NULL)
        batch_add(&userland->batch, peer, packet, length, userland->now);
}

/* A packet from a link on its way in. */
static void
deliver(void *user, struct peer *peer, const uint8_t *packet, size_t length)
{
    struct userland *userland = user;

    /* usrsctp loops for ever over a parameter of length 0 in an INIT of a peer that it knows. */
    if (!packet_well_formed(packet, length)) {
        peer->link->stats.dropped_in++;
        return;
    }
    peer->waiting_since = 0;
    stack_input(userland->stack, peer->number, packet, length);
}

int
userland_create(struct userland **result)
{
    struct userland *userland = calloc(1, sizeof(*userland));
    struct stack_config config = {
        .output = output, .user = userland, .packet_max = LINK_PACKET_MAX};
    uint64_t seed = 0;
    int error = LAZYCHAT_NO_MEMORY;

    if (userland == NULL)
        return error;
    userland->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || userland->epoll < 0)
        error = error_from_errno(errno);
    else if (batch_init(&userland->batch) == LAZYCHAT_OK)
        error = stack_create(&userland->stack, &config);
    if (error != LAZYCHAT_OK) {
        userland_destroy(userland);
        return error;
    }
    peers_init(&userland->peers, seed);
    *result = userland;
    return LAZYCHAT_OK;
}

void
userland_destroy(struct userland *userland)
{
    if (userland == NULL)
        return;
    if (userland->stack != NULL)
        userland_flush(userland); /* the last ABORTs */
    stack_destroy(userland->stack);
    while (userland->links != NULL) {
        struct link *link = userland->links;

        userland->links = link->next;
        link->ops->close(link);
    }
    peers_free(&userland->peers);
    batch_free(&userland->batch);
    if (userland->epoll >= 0)
        close(userland->epoll);
    free(userland);
}

int
userland_add_link(struct userland *userland, struct link *link)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    struct link **last = &userland->links;

    link->peers = &userland->peers;
    link->deliver = deliver;
    link->user = userland;
    if (link->fd >= 0 && epoll_ctl(userland->epoll, EPOLL_CTL_ADD, link->fd, &event) != 0) {
        int error = error_from_errno(errno);

        link->ops->close(link);
        return error;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = link;
    return LAZYCHAT_OK;
}

const struct link *
userland_links(const struct userland *userland)
{
    return userland->links;
}

int
userland_fd(const struct userland *userland)
{
    return userland->epoll;
}

/* Those links that have something; one without a descriptor is asked each time. */
static void
receive(struct userland *userland, int64_t now)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(userland->epoll, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;

        link->ops->receive(link, now);
    }
    for (struct link *link = userland->links; link != NULL && link->fd < 0; link = link->next)
        link->ops->receive(link, now);
}

int64_t
userland_receive(struct userland *userland, int64_t now)
{
    int64_t stack_next, peers_next;

    userland->now = now;
    stack_advance(userland->stack, now);
    receive(userland, now);
    peers_next = peers_expire(&userland->peers, now);
    stack_next = stack_advance(userland->stack, now);
    return stack_next < peers_next ? stack_next : peers_next;
}

void
userland_flush(struct userland *userland)
{
    batch_send(&userland->batch);
}

struct stack *
userland_stack(struct userland *userland)
{
    return userland->stack;
}

struct peer *
userland_peer(struct userland *userland, uint32_t number)
{
    return peer_by_number(&userland->peers, number);
}

struct peer *
userland_peer_at(struct userland *userland, const struct address *address)
{
    struct link *link = NULL;
    struct peer *peer;

    for (struct link *each = userland->links; each != NULL; each = each->next)
        if (each->local.any.sa_family == address->any.sa_family)
            link = each;
    if (link == NULL)
        return NULL;
    peer = peer_by_address(&userland->peers, link, address);
    return peer != NULL ? peer : peer_add(&userland->peers, link, address, userland->now);
}

struct peers *
userland_peers(struct userland *userland)
{
    return &userland->peers;
}

int64_t
userland_now(const struct userland *userland)
{
    return userland->now;
}
