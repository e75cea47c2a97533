/* main.c: lazychatd: reads its options, opens what it listens on, runs its turns, ends in order. */
#include "classic.h"
#include "clock.h"
#include "doctor.h"
#include "logger.h"
#include "loop.h"
#include "option.h"
#include "transport.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define COMMAND_MAX (PATH_MAX + 64)
#define SHUTDOWN_MS 1500 /* how long those who leave have to answer; out within 2 s */

struct settings {
    struct option_list listen;
    unsigned int classic_port;
    const char *profile;
    const char *log_level;
    bool help, version;
};

static const char usage[] =
    "usage: lazychatd [OPTION]...\n"
    "       lazychatd doctor      what this machine can do for SCTP, and what to do about the "
    "rest\n"
    "\n"
    "A chat server without a client list: SCTP keeps it. Without options it is for this machine.\n"
    "\n";

/* A program of the same build, as one would type it here: "build/client/lazychat"; by its name
 * alone once they are installed, side by side. */
static const char *
command(const char *directory, const char *name, char *buffer, size_t size)
{
    char own[PATH_MAX], here[PATH_MAX], path[COMMAND_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    const char *from = path;

    if (length <= 0)
        return name;
    own[length] = '\0';
    for (int up = 0; up < 2; up++) { /* ...build/server/lazychatd, without the last two */
        char *slash = strrchr(own, '/');

        if (slash == NULL)
            return name;
        *slash = '\0';
    }
    snprintf(path, sizeof(path), "%s/%s/%s", own, directory, name);
    if (access(path, X_OK) != 0)
        return name;
    if (getcwd(here, sizeof(here)) != NULL && strncmp(path, here, strlen(here)) == 0 &&
        path[strlen(here)] == '/')
        from = path + strlen(here) + 1;
    snprintf(buffer, size, "%s", from);
    return buffer;
}

/* The line that joins a listener from this machine. */
static void
print_udp_way(const struct settings *settings, const struct address *address, const char *client)
{
    struct address local = *address;
    char text[ADDRESS_TEXT_MAX];
    uint16_t port = address_port(address);

    if (address_is_wildcard(address))
        address_parse(&local, address->any.sa_family == AF_INET6 ? "::1" : "127.0.0.1", 0);
    address_set_port(&local, 0);
    printf("  %s --classic %s", client, address_format(&local, text));
    if (port != TRANSPORT_UDP_PORT)
        printf(" --udp-port %u", port);
    if (settings->classic_port != CLASSIC_PORT)
        printf(" --port %u", settings->classic_port);
    printf("\n");
}

/* How to join, only ways that work as it was started, and the flag that opens the others. */
static void
print_ways(const struct settings *settings, const struct transport *transport)
{
    char buffer[COMMAND_MAX], text[ADDRESS_TEXT_MAX];
    const char *client = command("client", "lazychat", buffer, sizeof(buffer));
    struct address address;
    bool udp = false, sctp = false, open = false;

    printf("lazychatd %s is open. Listening on\n", lazychat_version());
    for (size_t i = 0; transport_udp_address(transport, i, &address); i++) {
        printf("  udp:%s (SCTP over UDP)\n", address_format(&address, text));
        open = open || !address_is_loopback(&address);
        udp = true;
    }
    for (size_t i = 0; transport_sctp_address(transport, i, &address); i++) {
        printf("  sctp:%s (the kernel's SCTP)\n", address_format(&address, text));
        open = open || !address_is_loopback(&address);
        sctp = true;
    }
    printf("Join from another terminal of this machine, and type:\n");
    if (udp && transport_udp_address(transport, 0, &address))
        print_udp_way(settings, &address, client);
    if (sctp && transport_sctp_address(transport, 0, &address)) {
        if (address_is_wildcard(&address))
            address_parse(&address, address.any.sa_family == AF_INET6 ? "::1" : "127.0.0.1", 0);
        if (!udp)
            printf("  %s --classic %s\n", client, address_format(&address, text));
        printf("  ncat --sctp %s %u\n", address_format(&address, text), settings->classic_port);
    } else {
        printf("Not open to programs of kernel SCTP, as ncat --sctp: `%s doctor` says why.\n",
               command("server", "lazychatd", buffer, sizeof(buffer)));
    }
    if (open)
        printf("Open to other machines, without encryption and for everyone who reaches it.\n");
    else
        printf("Not open to other machines: --listen udp:0.0.0.0:%d does that, without "
               "encryption.\n",
               TRANSPORT_UDP_PORT);
    printf("Ctrl-C ends it.\n");
    fflush(stdout);
}

/* Read all, act, send all. Returns when the next turn is due at the latest. */
static int64_t
turn(struct transport *transport, struct classic *classic)
{
    struct endpoint *endpoint;

    transport_receive(transport, clock_ms());
    while ((endpoint = transport_ready(transport)) != NULL)
        classic_turn(classic, endpoint);
    return transport_flush(transport);
}

/* Everyone is told (SHUTDOWN); who has not answered in time is aborted. A second signal ends the
 * wait. */
static void
leave(struct loop *loop, struct transport *transport, struct classic *classic)
{
    int64_t deadline = clock_ms() + SHUTDOWN_MS;
    size_t told = classic_associations(classic);

    classic_shutdown(classic);
    transport_flush(transport);
    while (classic_associations(classic) > 0 && clock_ms() < deadline) {
        int64_t next = turn(transport, classic);

        if (classic_associations(classic) > 0 &&
            loop_wait(loop, next < deadline ? next : deadline) != 0)
            break;
    }
    logger_write(LOGGER_INFO, "end", "told=%zu aborted=%zu", told, classic_associations(classic));
    classic_abort(classic);
    transport_flush(transport);
}

/* Turn after turn, until a signal comes. */
static void
run(struct loop *loop, struct transport *transport, struct classic *classic)
{
    int number = 0;

    while (number == 0)
        number = loop_wait(loop, turn(transport, classic));
    logger_write(LOGGER_INFO, "signal", "number=%d name=%s", number, sigabbrev_np(number));
    leave(loop, transport, classic);
}

/* A kernel endpoint is a descriptor, and a room has one for each listener. */
static void
raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static int
serve(const struct settings *settings)
{
    const struct endpoint_profile *profile = endpoint_profile_find(settings->profile);
    struct transport *transport = NULL;
    struct classic *classic = NULL;
    struct loop *loop = NULL;
    const struct transport_endpoint *endpoints;
    size_t count;
    int error = loop_create(&loop); /* first: threads of the stack inherit the blocked signals */

    if (error != LAZYCHAT_OK)
        fprintf(stderr, "lazychatd: cannot start: %s\n", lazychat_strerror(error));
    if (error == LAZYCHAT_OK)
        error = transport_open(&transport, &settings->listen, profile, stderr);
    if (error == LAZYCHAT_OK)
        error = classic_open(&classic, transport, (uint16_t)settings->classic_port, stderr);
    if (error == LAZYCHAT_OK) {
        loop_watch(loop, transport_fd(transport), transport);
        endpoints = classic_endpoints(classic, &count);
        for (size_t i = 0; i < count; i++) {
            struct endpoint_stats stats;

            endpoint_stats(endpoints[i].endpoint, &stats);
            logger_write(LOGGER_INFO, "open", "room=classic transport=%s port=%u sendall=%s",
                         endpoints[i].name, settings->classic_port, stats.sendall);
        }
        print_ways(settings, transport);
        run(loop, transport, classic);
    }
    classic_close(classic);
    transport_close(transport);
    loop_destroy(loop);
    if (error == LAZYCHAT_INVALID)
        return OPTION_EXIT_USAGE;
    return error == LAZYCHAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct settings settings = {
        .classic_port = CLASSIC_PORT, .profile = "default", .log_level = "info"};
    const struct option options[] = {
        {"listen", "WHERE", OPTION_LIST, &settings.listen, 0, 0, NULL,
         "udp:ADDRESS[:PORT], SCTP over UDP, or sctp:ADDRESS[,ADDRESS...],\n"
         "the kernel's SCTP; may be given again. Default: udp:127.0.0.1:9899\n"
         "and, where the kernel has SCTP, sctp:127.0.0.1"},
        {"classic-port", "PORT", OPTION_NUMBER, &settings.classic_port, 1, 65535, NULL,
         "SCTP port of the classic lobby; default 2013"},
        {"profile", "NAME", OPTION_CHOICE, &settings.profile, 0, 0, "default|lan",
         "timing: default, or lan, which finds out in a fraction of a\n"
         "second that a path is dead"},
        {"log-level", "LEVEL", OPTION_CHOICE, &settings.log_level, 0, 0, LOGGER_LEVELS,
         "error, warn, info (default) or debug, which logs what is said"},
        {"version", NULL, OPTION_FLAG, &settings.version, 0, 0, NULL, "print the version"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const char *rest[1];
    const struct option_program program = {"lazychatd", usage, options, &settings.help,
                                           &settings.version};
    int status;
    int count = option_start(&program, argc, argv, rest, 1, &status);

    if (count < 0)
        return status;
    if (count == 1 && strcmp(rest[0], "doctor") == 0)
        return doctor_run(stdout);
    if (count == 1) {
        fprintf(stderr, "lazychatd: no command '%s'; there is: doctor\n", rest[0]);
        return OPTION_EXIT_USAGE;
    }
    logger_set_level(settings.log_level);
    raise_file_limit();
    return serve(&settings);
}
