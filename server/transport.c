/* transport.c: opens listeners, and endpoints on them. */
#include "transport.h"

#include "endpoint_kernel.h"
#include "endpoint_user.h"
#include "error.h"
#include "link_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 128 /* kernel endpoints woken in a turn; the others' turn is the next */

/* One `sctp:` listener: the addresses that each of its endpoints binds. */
struct kernel_listener {
    struct address addresses[TRANSPORT_ADDRESS_MAX];
    size_t count;
};

struct transport {
    const struct endpoint_profile *profile;
    struct userland *userland; /* NULL: no udp: listener */
    struct kernel_listener kernels[OPTION_LIST_MAX];
    size_t kernel_count;
    struct agenda agenda;
    int epoll; /* the userland's descriptor, with NULL, and those of kernel endpoints, with them */
    int64_t now;
    int64_t userland_next; /* when the stack's timers are due */
};

static void
say_no(FILE *errors, const char *listener, int error, int number)
{
    const char *what = "";

    if (error == LAZYCHAT_IN_USE)
        what = "\n  do: stop the program that has it (ss -lnup shows it), or --listen on another "
               "port";
    else if (error == LAZYCHAT_NO_ADDRESS)
        what = "\n  do: choose an address that `ip addr` shows";
    else if (error == LAZYCHAT_DENIED)
        what = "\n  do: choose a port above 1023, or run with CAP_NET_BIND_SERVICE";
    else if (error == LAZYCHAT_UNSUPPORTED)
        what = "\n  do: `lazychatd doctor` says how to get kernel SCTP; udp: works without it";
    fprintf(errors, "lazychatd: cannot listen on %s: %s%s%s%s\n", listener,
            lazychat_strerror(error), error == LAZYCHAT_SYSTEM ? ": " : "",
            error == LAZYCHAT_SYSTEM ? strerror(number) : "", what);
}

static int
watch(struct transport *transport, int fd, struct endpoint *endpoint)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};

    if (fd < 0 || epoll_ctl(transport->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return LAZYCHAT_OK;
    return error_from_errno(errno);
}

static int
open_userland(struct transport *transport)
{
    int error = userland_create(&transport->userland);

    return error == LAZYCHAT_OK ? watch(transport, userland_fd(transport->userland), NULL) : error;
}

static int
open_udp(struct transport *transport, const char *text)
{
    struct address address;
    struct link *link;
    int error = address_parse(&address, text, TRANSPORT_UDP_PORT);

    if (error == LAZYCHAT_OK && transport->userland == NULL)
        error = open_userland(transport);
    if (error == LAZYCHAT_OK)
        error = link_udp_open(&link, &address);
    return error == LAZYCHAT_OK ? userland_add_link(transport->userland, link) : error;
}

static int
open_kernel(struct transport *transport, const char *text)
{
    struct kernel_listener *listener = &transport->kernels[transport->kernel_count];

    while (*text != '\0') {
        char one[ADDRESS_TEXT_MAX];
        size_t length = strcspn(text, ",");
        struct address *address = &listener->addresses[listener->count];

        if (length >= sizeof(one) || listener->count == TRANSPORT_ADDRESS_MAX)
            return LAZYCHAT_INVALID;
        memcpy(one, text, length);
        one[length] = '\0';
        if (address_parse(address, one, 0) != LAZYCHAT_OK || address_port(address) != 0)
            return LAZYCHAT_INVALID;
        listener->count++;
        text += length + (text[length] == ',');
    }
    if (listener->count == 0)
        return LAZYCHAT_INVALID;
    if (!endpoint_kernel_available())
        return LAZYCHAT_UNSUPPORTED;
    transport->kernel_count++;
    return LAZYCHAT_OK;
}

static int
open_listener(struct transport *transport, const char *text, FILE *errors)
{
    int error = LAZYCHAT_INVALID;

    if (strncmp(text, "udp:", 4) == 0)
        error = open_udp(transport, text + 4);
    else if (strncmp(text, "sctp:", 5) == 0)
        error = open_kernel(transport, text + 5);
    if (error == LAZYCHAT_INVALID)
        fprintf(errors,
                "lazychatd: --listen '%s': not udp:ADDRESS[:PORT] or sctp:ADDRESS[,ADDRESS...]\n"
                "  for example udp:0.0.0.0:9899, udp:[::]:9899, sctp:192.0.2.1,198.51.100.1\n",
                text);
    else if (error != LAZYCHAT_OK)
        say_no(errors, text, error, errno);
    return error;
}

int
transport_open(struct transport **result, const struct option_list *listen,
               const struct endpoint_profile *profile, FILE *errors)
{
    static const struct option_list defaults = {{"udp:127.0.0.1:9899", "sctp:127.0.0.1"}, 2};
    struct option_list wanted = listen->count > 0 ? *listen : defaults;
    struct transport *transport = calloc(1, sizeof(*transport));
    int error;

    if (transport == NULL)
        return LAZYCHAT_NO_MEMORY;
    transport->profile = profile;
    transport->userland_next = ENDPOINT_NO_DEADLINE;
    agenda_init(&transport->agenda);
    transport->epoll = epoll_create1(EPOLL_CLOEXEC);
    error = transport->epoll >= 0 ? LAZYCHAT_OK : error_from_errno(errno);
    if (listen->count == 0 && !endpoint_kernel_available())
        wanted.count = 1;
    for (size_t i = 0; i < wanted.count && error == LAZYCHAT_OK; i++)
        error = open_listener(transport, wanted.values[i], errors);
    if (error != LAZYCHAT_OK) {
        transport_close(transport);
        return error;
    }
    *result = transport;
    return LAZYCHAT_OK;
}

static void
close_endpoints(struct transport_endpoint *endpoints, int count)
{
    while (count > 0)
        endpoint_close(endpoints[--count].endpoint);
}

int
transport_endpoints(struct transport *transport, uint16_t port, void *owner,
                    struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS], FILE *errors)
{
    struct endpoint_config config = {.port = port,
                                     .listen = true,
                                     .profile = transport->profile,
                                     .agenda = &transport->agenda,
                                     .owner = owner};
    int count = 0;
    int error = LAZYCHAT_OK;
    char name[40];

    if (transport->userland != NULL) {
        error = endpoint_user_open(&endpoints[count].endpoint, transport->userland, &config);
        snprintf(name, sizeof(name), "SCTP port %u over UDP", port);
        endpoints[count].name = "udp";
        count += error == LAZYCHAT_OK;
    }
    for (size_t i = 0; i < transport->kernel_count && error == LAZYCHAT_OK; i++) {
        const struct kernel_listener *listener = &transport->kernels[i];

        error = endpoint_kernel_open(&endpoints[count].endpoint, listener->addresses,
                                     listener->count, &config);
        snprintf(name, sizeof(name), "SCTP port %u of the kernel", port);
        endpoints[count].name = "sctp";
        count += error == LAZYCHAT_OK;
        if (error == LAZYCHAT_OK)
            error = watch(transport, endpoint_fd(endpoints[count - 1].endpoint),
                          endpoints[count - 1].endpoint);
    }
    if (error != LAZYCHAT_OK) {
        say_no(errors, name, error, errno);
        close_endpoints(endpoints, count);
        return error;
    }
    return count;
}

int
transport_fd(const struct transport *transport)
{
    return transport->epoll;
}

/* Those endpoints of the kernel that can be read. */
static void
wake_kernels(struct transport *transport)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(transport->epoll, events, EVENTS, 0);

    for (int i = 0; i < count; i++)
        if (events[i].data.ptr != NULL)
            endpoint_wake(events[i].data.ptr);
}

void
transport_receive(struct transport *transport, int64_t now)
{
    transport->now = now;
    if (transport->userland != NULL)
        transport->userland_next = userland_receive(transport->userland, now);
    if (transport->kernel_count > 0)
        wake_kernels(transport);
}

struct endpoint *
transport_ready(struct transport *transport)
{
    return endpoint_next(&transport->agenda, transport->now);
}

int64_t
transport_flush(struct transport *transport)
{
    int64_t next = endpoint_finish(&transport->agenda);

    if (transport->userland != NULL)
        userland_flush(transport->userland);
    return next < transport->userland_next ? next : transport->userland_next;
}

bool
transport_udp_address(const struct transport *transport, size_t index, struct address *address)
{
    const struct link *link =
        transport->userland != NULL ? userland_links(transport->userland) : NULL;

    while (link != NULL && index-- > 0)
        link = link->next;
    if (link != NULL)
        *address = link->local;
    return link != NULL;
}

bool
transport_sctp_address(const struct transport *transport, size_t index, struct address *address)
{
    for (size_t i = 0; i < transport->kernel_count; i++) {
        if (index < transport->kernels[i].count) {
            *address = transport->kernels[i].addresses[index];
            return true;
        }
        index -= transport->kernels[i].count;
    }
    return false;
}

void
transport_close(struct transport *transport)
{
    if (transport == NULL)
        return;
    userland_destroy(transport->userland);
    if (transport->epoll >= 0)
        close(transport->epoll);
    free(transport);
}
