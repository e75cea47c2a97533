/* endpoint_user.c: drives a port of the user-space stack.
 *
 * Keeps what the contract does not: which peer an association is with, so that the peer is held as
 * long as it lasts.
 */
#include "endpoint_user.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct user_association {
    struct hash_node by_id;
    struct user_association *prev, *next;
    uint32_t id;
    bool unreachable; /* as it was last reported */
    uint32_t peer;
    uint32_t ports; /* as in the peer's packets: its port, ours */
};

struct endpoint_user {
    struct endpoint base;
    struct userland *userland;
    struct stack_port *port;
    uint16_t number;
    struct hash by_id;
    struct user_association *first;
    int64_t looked; /* when all associations were last looked at, in LOOK_MS */
    bool look;      /* some may have to be reported */
};

static struct user_association *
find(const struct endpoint_user *user, uint32_t assoc)
{
    struct hash_node *node = hash_first(&user->by_id, assoc);

    return node != NULL ? hash_entry(node, struct user_association, by_id) : NULL;
}

static int
remember(struct endpoint_user *user, uint32_t assoc, struct peer *peer, uint16_t remote_port)
{
    struct user_association *association = calloc(1, sizeof(*association));
    const uint16_t ports[2] = {htons(remote_port), htons(user->number)};

    if (association == NULL ||
        hash_insert(&user->by_id, &association->by_id, assoc) != LAZYCHAT_OK) {
        free(association);
        return LAZYCHAT_NO_MEMORY;
    }
    association->id = assoc;
    association->peer = peer->number;
    association->next = user->first;
    if (user->first != NULL)
        user->first->prev = association;
    else
        stack_occupied(user->port, true);
    user->first = association;
    memcpy(&association->ports, ports, sizeof(ports));
    peer_hold(userland_peers(user->userland), peer);
    return LAZYCHAT_OK;
}

static void
forget(struct endpoint_user *user, uint32_t assoc)
{
    struct user_association *association = find(user, assoc);
    struct peers *peers = userland_peers(user->userland);
    struct peer *peer;

    if (association == NULL)
        return;
    peer = peer_by_number(peers, association->peer);
    if (peer != NULL) {
        peer_flow_down(peers, peer, association->ports);
        peer_release(peers, peer, userland_now(user->userland));
    }
    if (association->prev != NULL)
        association->prev->next = association->next;
    else
        user->first = association->next;
    if (association->next != NULL)
        association->next->prev = association->prev;
    hash_remove(&user->by_id, &association->by_id);
    free(association);
    if (user->first == NULL) {
        hash_free(&user->by_id);
        stack_occupied(user->port, false);
    }
}

/* The association is up: from here on its peer's packets are known by their tag. */
static void
went_up(struct endpoint_user *user, const struct stack_event *event)
{
    struct peer *peer = userland_peer(user->userland, event->peer);
    uint32_t assoc = event->raw.event.assoc;
    const struct user_association *association;

    if (peer == NULL)
        return;
    if (find(user, assoc) == NULL)
        remember(user, assoc, peer, event->remote_port);
    association = find(user, assoc);
    if (association != NULL)
        peer_flow_up(userland_peers(user->userland), peer, association->ports);
}

/* How often all peers are looked at for silence, ms; all endpoints do it at the same times, so that
 * many of them do not wake their program more often than one. */
#define LOOK_MS 500

/* One whose reachability changed since it was last reported; false when there is none. A peer is
 * unreachable when an answer is due for longer than the profile's `silence`. */
static bool
find_silent(struct endpoint_user *user, struct endpoint_raw *raw)
{
    int64_t now = userland_now(user->userland);

    for (struct user_association *each = user->first; each != NULL; each = each->next) {
        const struct peer *peer = userland_peer(user->userland, each->peer);
        bool silent = peer != NULL && peer->waiting_since != 0 &&
                      now - peer->waiting_since >= user->base.profile->silence;

        if (peer == NULL || silent == each->unreachable)
            continue;
        each->unreachable = silent;
        raw->event.type = ENDPOINT_PATH;
        raw->event.assoc = each->id;
        raw->event.reachable = !silent;
        raw->stranded = silent;
        address_from_sockaddr(&raw->event.address, &peer->remote.any);
        return true;
    }
    user->look = false;
    return false;
}

static void
user_tick(struct endpoint *endpoint, int64_t now)
{
    struct endpoint_user *user = (struct endpoint_user *)endpoint;

    if (now / LOOK_MS != user->looked) {
        user->looked = now / LOOK_MS;
        user->look = true;
    }
}

static int64_t
user_deadline(const struct endpoint *endpoint)
{
    const struct endpoint_user *user = (const struct endpoint_user *)endpoint;

    return user->first != NULL ? (user->looked + 1) * LOOK_MS : ENDPOINT_NO_DEADLINE;
}

static int
user_recv(struct endpoint *endpoint, struct endpoint_raw *raw)
{
    struct endpoint_user *user = (struct endpoint_user *)endpoint;
    struct stack_event event;
    const struct user_association *association;
    int result;

    if (user->look && find_silent(user, raw))
        return 1;
    result = stack_recv(user->port, &event);
    if (result != 1)
        return result;
    *raw = event.raw;
    if (raw->event.type == ENDPOINT_UP || raw->event.type == ENDPOINT_RESTARTED)
        went_up(user, &event);
    if (raw->event.type != ENDPOINT_MESSAGE) {
        association = find(user, raw->event.assoc);
        if (association != NULL) {
            const struct peer *peer = userland_peer(user->userland, association->peer);

            if (peer != NULL)
                address_from_sockaddr(&raw->event.address, &peer->remote.any);
        }
    }
    if (raw->event.type == ENDPOINT_DOWN)
        forget(user, raw->event.assoc);
    return 1;
}

static int
user_send(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message,
          bool more)
{
    return stack_send(((struct endpoint_user *)endpoint)->port, assoc, message, more);
}

static int
user_connect(struct endpoint *endpoint, const struct address *addresses, size_t count,
             uint16_t port, uint32_t *assoc)
{
    struct endpoint_user *user = (struct endpoint_user *)endpoint;
    struct peer *peer;
    int error;

    if (count != 1)
        return LAZYCHAT_INVALID; /* SCTP over UDP here has one path */
    peer = userland_peer_at(user->userland, addresses);
    if (peer == NULL)
        return LAZYCHAT_NO_ADDRESS;
    error = stack_connect(user->port, peer->number, port, assoc);
    if (error != LAZYCHAT_OK)
        return error;
    error = remember(user, *assoc, peer, port);
    if (error != LAZYCHAT_OK)
        stack_end(user->port, *assoc, STACK_ABORT);
    return error;
}

static int
user_shutdown(struct endpoint *endpoint, uint32_t assoc)
{
    return stack_end(((struct endpoint_user *)endpoint)->port, assoc, STACK_SHUTDOWN);
}

static void
user_abort(struct endpoint *endpoint, uint32_t assoc)
{
    struct endpoint_user *user = (struct endpoint_user *)endpoint;

    stack_end(user->port, assoc, STACK_ABORT);
    forget(user, assoc);
}

static void
user_close(struct endpoint *endpoint)
{
    struct endpoint_user *user = (struct endpoint_user *)endpoint;

    stack_close(user->port);
    hash_free(&user->by_id);
    free(user);
}

static const struct endpoint_driver driver = {
    .recv = user_recv,
    .send = user_send,
    .connect = user_connect,
    .shutdown = user_shutdown,
    .abort = user_abort,
    .tick = user_tick,
    .deadline = user_deadline,
    .close = user_close,
};

/* Ports that a client takes, as RFC 6335 section 6 sets them apart. All different, and others in
 * each process: stacks look associations up by them. */
static uint16_t
any_port(void)
{
    static uint16_t last;

    if (last == 0)
        getrandom(&last, sizeof(last), 0);
    return (uint16_t)(49152 + ++last % 16384);
}

int
endpoint_user_open(struct endpoint **endpoint, struct userland *userland,
                   const struct endpoint_config *config)
{
    struct endpoint_user *user = calloc(1, sizeof(*user));
    struct endpoint_config own = *config;
    int error;

    if (user == NULL)
        return LAZYCHAT_NO_MEMORY;
    error = endpoint_init(&user->base, &driver, config);
    user->userland = userland;
    for (int tries = 0; error == LAZYCHAT_OK; tries++) {
        if (config->port == 0)
            own.port = any_port();
        error = stack_open(userland_stack(userland), &own, &user->base.entry, &user->port);
        if (error != LAZYCHAT_IN_USE || config->port != 0 || tries == 100)
            break;
        error = LAZYCHAT_OK;
    }
    if (error != LAZYCHAT_OK) {
        free(user);
        return error;
    }
    user->number = own.port;
    *endpoint = &user->base;
    return LAZYCHAT_OK;
}
