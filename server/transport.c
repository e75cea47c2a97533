/* transport.c: opens listeners, and endpoints on them. */
#include "transport.h"

#include "endpoint_kernel.h"
#include "endpoint_user.h"
#include "link_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
open_udp(struct transport *transport, const char *text)
{
    struct address address;
    struct link *link;
    int error = address_parse(&address, text, TRANSPORT_UDP_PORT);

    if (error == LAZYCHAT_OK && transport->userland == NULL)
        error = userland_create(&transport->userland);
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
    int error = LAZYCHAT_OK;

    if (transport == NULL)
        return LAZYCHAT_NO_MEMORY;
    transport->profile = profile;
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
transport_endpoints(struct transport *transport, uint16_t port,
                    struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS], FILE *errors)
{
    struct endpoint_config config = {.port = port, .listen = true, .profile = transport->profile};
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
    return transport->userland != NULL ? userland_fd(transport->userland) : -1;
}

int64_t
transport_receive(struct transport *transport, int64_t now)
{
    if (transport->userland == NULL)
        return ENDPOINT_NO_DEADLINE;
    return userland_receive(transport->userland, now);
}

void
transport_flush(struct transport *transport)
{
    if (transport->userland != NULL)
        userland_flush(transport->userland);
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
    free(transport);
}
