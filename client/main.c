/* main.c: lazychat: reads its options and finds the server's addresses. */
#include "classic.h"
#include "option.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 8

static const char usage[] =
    "usage: lazychat --classic [OPTION]... HOST\n"
    "\n"
    "Joins the classic lobby of HOST: lines in, lines out, in a terminal or a pipe. In a pipe it\n"
    "ends with status 0 once its input has ended and its last line has come back.\n"
    "\n";

struct settings {
    bool classic, quiet, help, version;
    const char *transport, *profile;
    unsigned int port, udp_port;
};

/* The host's addresses, IPv6 and IPv4 in the order that the system prefers. */
static size_t
resolve(const char *host, struct address addresses[ADDRESSES_MAX])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list, *each;
    size_t count = 0;
    int error;

    if (address_parse(&addresses[0], host, 0) == LAZYCHAT_OK)
        return 1;
    error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) {
        fprintf(stderr, "lazychat: cannot find %s: %s\n", host, gai_strerror(error));
        return 0;
    }
    for (each = list; each != NULL && count < ADDRESSES_MAX; each = each->ai_next)
        if (address_from_sockaddr(&addresses[count], each->ai_addr) == LAZYCHAT_OK)
            count++;
    freeaddrinfo(list);
    return count;
}

static int
chat(const struct settings *settings, const char *host)
{
    struct address addresses[ADDRESSES_MAX];
    struct connection_config config = {.addresses = addresses,
                                       .port = (uint16_t)settings->port,
                                       .udp_port = (uint16_t)settings->udp_port,
                                       .profile = endpoint_profile_find(settings->profile)};

    if (strcmp(settings->transport, "udp") != 0)
        config.transports |= CONNECTION_SCTP;
    if (strcmp(settings->transport, "sctp") != 0)
        config.transports |= CONNECTION_UDP;
    config.count = resolve(host, addresses);
    if (config.count == 0)
        return EXIT_FAILURE;
    return classic_run(host, &config, settings->quiet);
}

int
main(int argc, char **argv)
{
    struct settings settings = {.transport = "auto",
                                .profile = "default",
                                .port = CLASSIC_PORT,
                                .udp_port = CLASSIC_UDP_PORT};
    const struct option options[] = {
        {"classic", NULL, OPTION_FLAG, &settings.classic, 0, 0, NULL,
         "the classic lobby, the chat of the 2007 article; for now the only one"},
        {"transport", "WHICH", OPTION_CHOICE, &settings.transport, 0, 0, "auto|sctp|udp",
         "auto (default): whichever answers first; sctp: the kernel's SCTP;\n"
         "udp: SCTP over UDP"},
        {"port", "PORT", OPTION_NUMBER, &settings.port, 1, 65535, NULL,
         "SCTP port of the server; default 2013"},
        {"udp-port", "PORT", OPTION_NUMBER, &settings.udp_port, 1, 65535, NULL,
         "UDP port that carries SCTP there; default 9899"},
        {"profile", "NAME", OPTION_CHOICE, &settings.profile, 0, 0, "default|lan",
         "timing, as the server's"},
        {"quiet", NULL, OPTION_FLAG, &settings.quiet, 0, 0, NULL,
         "do not say by which way it is connected"},
        {"version", NULL, OPTION_FLAG, &settings.version, 0, 0, NULL, "print the version"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const char *rest[1];
    const struct option_program program = {"lazychat", usage, options, &settings.help,
                                           &settings.version};
    int status;
    int count = option_start(&program, argc, argv, rest, 1, &status);

    if (count < 0)
        return status;
    if (count != 1 || !settings.classic) {
        fputs("lazychat: which server? For example: lazychat --classic localhost\n"
              "lazychat: --help tells more\n",
              stderr);
        return OPTION_EXIT_USAGE;
    }
    return chat(&settings, rest[0]);
}
