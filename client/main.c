/* main.c: lazychat: reads its options and starts what they ask for. */
#include "classic.h"
#include "json.h"
#include "line.h"
#include "option.h"
#include "state.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES_MAX 8
#define LAST_MAX      500

static const char usage[] =
    "usage: lazychat [OPTION]... HOST[:PORT][/ROOM]\n"
    "\n"
    "Joins a room of HOST, the lobby if none is named. In a terminal, type; /help tells what "
    "else.\n"
    "In a pipe each line is said, and what others say is printed; it ends with status 0 once its\n"
    "input has ended and everything is in the server's log.\n"
    "\n";

#define LAST_IN_TERMINAL 20

struct settings {
    bool classic, json, raw, commands, numbers, no_store, quiet, help, version;
    const char *transport, *profile, *nick, *store, *secret_file;
    unsigned int port, udp_port, last;
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
classic(const struct settings *settings, const char *host)
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

/* What is kept, and who one is. */
static bool
keep(const struct settings *settings, const char *where, struct state *state,
     struct lazychat_config *config)
{
    bool pipe = settings->json || !isatty(STDIN_FILENO);
    char host[256];

    snprintf(host, sizeof(host), "%.*s", (int)strcspn(where, "/"), where);
    if (!settings->no_store && !settings->raw) {
        if (!state_open(state, settings->store, host, pipe))
            return false;
        config->store = state->store;
        config->secret = state->secret;
    }
    if (settings->secret_file != NULL) {
        if (!state_secret(state->secret, settings->secret_file))
            return false;
        config->secret = state->secret;
    }
    return true;
}

static int
chat(const struct settings *settings, const char *where)
{
    struct lazychat_config config = {.nick = settings->nick,
                                     .udp_port = (uint16_t)settings->udp_port,
                                     .profile = settings->profile,
                                     .raw = settings->raw};
    struct line_options options = {.where = where,
                                   .quiet = settings->quiet,
                                   .numbers = settings->numbers,
                                   .commands = settings->commands};
    struct state state;

    if (strcmp(settings->transport, "udp") == 0)
        config.transports = LAZYCHAT_BY_UDP;
    if (strcmp(settings->transport, "sctp") == 0)
        config.transports = LAZYCHAT_BY_SCTP;
    config.last = settings->last;
    if (config.last > LAST_MAX)
        config.last = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? LAST_IN_TERMINAL : 0;
    options.last = config.last;
    if (!keep(settings, where, &state, &config))
        return EXIT_FAILURE;
    if (settings->json)
        return json_run(&config, where, settings->quiet);
    return line_run(&config, &options);
}

/* A descriptor that is closed would become that of a socket, and be read and written as if it were
 * the terminal's. */
static void
open_standard_ones(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

static int
wrong(const char *what)
{
    fprintf(stderr, "lazychat: %s\nlazychat: --help tells more\n", what);
    return OPTION_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.transport = "auto",
                                .profile = "default",
                                .port = CLASSIC_PORT,
                                .udp_port = CLASSIC_UDP_PORT,
                                .last = LAST_MAX + 1};
    const struct option options[] = {
        {"nick", "NAME", OPTION_TEXT, &settings.nick, 0, 0, NULL,
         "be called NAME; it stays yours. Default: as last time"},
        {"last", "COUNT", OPTION_NUMBER, &settings.last, 0, LAST_MAX, NULL,
         "show so many of the latest messages first; default 20 in a terminal,\n"
         "0 in a pipe"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "for programs: a message of docs/protocol.md on each line, in and out"},
        {"raw", NULL, OPTION_FLAG, &settings.raw, 0, 0, NULL,
         "with --json, for engineers: nothing is joined, healed or sent again;\n"
         "ROOM is an SCTP port"},
        {"numbers", NULL, OPTION_FLAG, &settings.numbers, 0, 0, NULL,
         "show the number of each message"},
        {"commands", NULL, OPTION_FLAG, &settings.commands, 0, 0, NULL,
         "in a pipe too, lines that begin with / are commands"},
        {"quiet", NULL, OPTION_FLAG, &settings.quiet, 0, 0, NULL,
         "say nothing about connections and who comes and goes"},
        {"store", "DIR", OPTION_TEXT, &settings.store, 0, 0, NULL,
         "where what was seen, the unsent and the account's secret are kept;\n"
         "default $XDG_STATE_HOME/lazychat or ~/.local/state/lazychat"},
        {"no-store", NULL, OPTION_FLAG, &settings.no_store, 0, 0, NULL,
         "keep nothing: another guest each time"},
        {"secret-file", "FILE", OPTION_TEXT, &settings.secret_file, 0, 0, NULL,
         "holds the secret that stands for the account; made if it is not there"},
        {"transport", "WHICH", OPTION_CHOICE, &settings.transport, 0, 0, "auto|sctp|udp",
         "auto (default): whichever answers first; sctp: the kernel's SCTP;\n"
         "udp: SCTP over UDP"},
        {"udp-port", "PORT", OPTION_NUMBER, &settings.udp_port, 1, 65535, NULL,
         "UDP port that carries SCTP there; default 9899"},
        {"profile", "NAME", OPTION_CHOICE, &settings.profile, 0, 0, "default|lan",
         "timing, as the server's"},
        {"classic", NULL, OPTION_FLAG, &settings.classic, 0, 0, NULL,
         "the classic lobby, the chat of the 2007 article: no names, no history"},
        {"port", "PORT", OPTION_NUMBER, &settings.port, 1, 65535, NULL,
         "with --classic: SCTP port of the server; default 2013"},
        {"version", NULL, OPTION_FLAG, &settings.version, 0, 0, NULL, "print the version"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const char *rest[1];
    const struct option_program program = {"lazychat", usage, options, &settings.help,
                                           &settings.version};
    int status;
    int count;

    open_standard_ones();
    count = option_start(&program, argc, argv, rest, 1, &status);

    if (count < 0)
        return status;
    if (count != 1)
        return wrong("which server? For example: lazychat localhost");
    if (settings.raw && !settings.json)
        return wrong("--raw goes with --json");
    if (settings.classic && settings.json)
        return wrong("the classic lobby has no --json");
    if (settings.store != NULL && settings.no_store)
        return wrong("--store or --no-store, not both");
    if (settings.classic)
        return classic(&settings, rest[0]);
    return chat(&settings, rest[0]);
}
