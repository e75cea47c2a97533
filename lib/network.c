/* network.c: what a client's connections share. */
#include "network.h"

#include "endpoint_kernel.h"
#include "endpoint_user.h"
#include "error.h"
#include "link_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct network {
    struct userland *userland; /* NULL: not needed so far */
    int epoll;                 /* of its descriptor, and of the kernel's endpoints' */
    int64_t now;
};

int
network_create(struct network **result)
{
    struct network *network = calloc(1, sizeof(*network));

    if (network == NULL)
        return LAZYCHAT_NO_MEMORY;
    network->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (network->epoll < 0) {
        int error = error_from_errno(errno);

        free(network);
        return error;
    }
    *result = network;
    return LAZYCHAT_OK;
}

void
network_destroy(struct network *network)
{
    if (network == NULL)
        return;
    userland_destroy(network->userland);
    close(network->epoll);
    free(network);
}

int
network_fd(const struct network *network)
{
    return network->epoll;
}

int64_t
network_receive(struct network *network, int64_t now)
{
    network->now = now;
    if (network->userland == NULL)
        return ENDPOINT_NO_DEADLINE;
    return userland_receive(network->userland, now);
}

void
network_flush(struct network *network)
{
    if (network->userland != NULL)
        userland_flush(network->userland);
}

/* ---- Endpoints ---- */

static int
watch(struct network *network, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(network->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? LAZYCHAT_OK
                                                                     : error_from_errno(errno);
}

bool
network_has_sctp(const struct network *network)
{
    (void)network;
    return endpoint_kernel_available();
}

int
network_open_sctp(struct network *network, sa_family_t family,
                  const struct endpoint_profile *profile, struct endpoint **endpoint)
{
    struct endpoint_config config = {.profile = profile};
    struct address any;
    int error;

    address_parse(&any, family == AF_INET6 ? "::" : "0.0.0.0", 0);
    error = endpoint_kernel_open(endpoint, &any, 1, &config);
    if (error != LAZYCHAT_OK)
        return error;
    error = watch(network, endpoint_fd(*endpoint));
    if (error != LAZYCHAT_OK) {
        endpoint_close(*endpoint);
        *endpoint = NULL;
    }
    return error;
}

static int
need_userland(struct network *network)
{
    int error;

    if (network->userland != NULL)
        return LAZYCHAT_OK;
    error = userland_create(&network->userland);
    if (error != LAZYCHAT_OK)
        return error;
    userland_receive(network->userland, network->now); /* so that it knows the time */
    error = watch(network, userland_fd(network->userland));
    if (error != LAZYCHAT_OK) {
        userland_destroy(network->userland);
        network->userland = NULL;
    }
    return error;
}

static int
need_udp(struct network *network, sa_family_t family)
{
    struct link *link;
    int error = need_userland(network);

    if (error != LAZYCHAT_OK)
        return error;
    for (const struct link *each = userland_links(network->userland); each != NULL;
         each = each->next)
        if (each->local.any.sa_family == family)
            return LAZYCHAT_OK;
    error = link_udp_open_client(&link, family);
    return error != LAZYCHAT_OK ? error : userland_add_link(network->userland, link);
}

int
network_open_udp(struct network *network, sa_family_t family,
                 const struct endpoint_profile *profile, struct endpoint **endpoint)
{
    struct endpoint_config config = {.profile = profile};
    int error = need_udp(network, family);

    return error != LAZYCHAT_OK ? error : endpoint_user_open(endpoint, network->userland, &config);
}

void
network_close(struct network *network, struct endpoint *endpoint)
{
    /* Closing takes a descriptor out of an epoll only where no other process has a copy of it. */
    if (endpoint != NULL && endpoint_fd(endpoint) >= 0)
        epoll_ctl(network->epoll, EPOLL_CTL_DEL, endpoint_fd(endpoint), NULL);
    endpoint_close(endpoint);
}
