/* main.c: lazychatd: reads its options, opens what it listens on, runs its turns, ends in order. */
#include "classic.h"
#include "clock.h"
#include "doctor.h"
#include "logger.h"
#include "loop.h"
#include "nick.h"
#include "option.h"
#include "transport.h"
#include "turn.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define COMMAND_MAX   (PATH_MAX + 64)
#define DAY_MS        (INT64_C(24) * 3600 * 1000)
#define BURST_SECONDS 4    /* of messages may come at once */
#define SHUTDOWN_MS   1500 /* how long those who leave have to answer; out within 2 s */

struct settings {
    struct option_list listen;
    unsigned int classic_port;
    const char *profile;
    const char *log_level;
    const char *data, *durability, *name;
    unsigned int rate, rooms, keep_days, keep_messages;
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

/* An address of this machine at which a listener is reached. */
static struct address
reached_at(const struct address *listener)
{
    struct address local = *listener;

    if (address_is_wildcard(listener))
        address_parse(&local, listener->any.sa_family == AF_INET6 ? "::1" : "127.0.0.1", 0);
    address_set_port(&local, 0);
    return local;
}

/* The line that joins a listener from this machine. */
static void
print_way(const struct settings *settings, const struct address *listener, bool udp, bool classic,
          const char *client)
{
    struct address local = reached_at(listener);
    char text[ADDRESS_TEXT_MAX];
    uint16_t port = address_port(listener);

    printf("  %s%s %s", client, classic ? " --classic" : "", address_format(&local, text));
    if (udp && port != TRANSPORT_UDP_PORT)
        printf(" --udp-port %u", port);
    if (classic && settings->classic_port != CLASSIC_PORT)
        printf(" --port %u", settings->classic_port);
    printf("\n");
}

/* Where the log is unless it is told: as root /var/lib/lazychatd, else as XDG says. */
static const char *
data_directory(const struct settings *settings, char *buffer, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (settings->data != NULL)
        return settings->data;
    if (state != NULL && state[0] == '/')
        snprintf(buffer, size, "%s/lazychatd", state);
    else if (getuid() == 0 || home == NULL)
        snprintf(buffer, size, "/var/lib/lazychatd");
    else
        snprintf(buffer, size, "%s/.local/state/lazychatd", home);
    return buffer;
}

static void
print_log(const struct settings *settings)
{
    char directory[PATH_MAX];

    if (strcmp(settings->durability, "none") == 0)
        printf("What is said is kept in memory only.\n");
    else
        printf("What is said is kept in %s\n",
               data_directory(settings, directory, sizeof(directory)));
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
    print_log(settings);
    printf("Join from another terminal of this machine, and type:\n");
    if (udp ? transport_udp_address(transport, 0, &address)
            : transport_sctp_address(transport, 0, &address))
        print_way(settings, &address, udp, false, client);
    printf("The classic lobby, without names and history:\n");
    if (udp ? transport_udp_address(transport, 0, &address)
            : transport_sctp_address(transport, 0, &address))
        print_way(settings, &address, udp, true, client);
    if (sctp && transport_sctp_address(transport, 0, &address)) {
        address = reached_at(&address);
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

static void
log_figures(const struct log *log)
{
    struct log_stats stats;

    log_stats(log, &stats);
    logger_write(LOGGER_INFO, "log-end",
                 "commits=%" PRIu64 " appended=%" PRIu64 " duplicates=%" PRIu64 " refused=%" PRIu64
                 " commit_us=%" PRIu64,
                 stats.commits, stats.appended, stats.duplicates, stats.refused, stats.commit_us);
}

/* Everyone is told (SHUTDOWN), and what was said is logged; who has not answered in time is
 * aborted. A second signal ends the wait. */
static void
leave(struct loop *loop, struct transport *transport, struct chat *chat)
{
    int64_t deadline = clock_ms() + SHUTDOWN_MS;
    size_t told = turn_shutdown(chat);

    transport_flush(transport);
    while (turn_unfinished(chat) && clock_ms() < deadline) {
        int64_t next = turn(chat, clock_ms());

        if (turn_unfinished(chat) && loop_wait(loop, next < deadline ? next : deadline) != 0)
            break;
    }
    log_figures(chat->log);
    logger_write(LOGGER_INFO, "end", "told=%zu aborted=%zu", told, turn_associations(chat));
    turn_abort(chat);
    transport_flush(transport);
}

/* Turn after turn, until a signal comes. */
static void
run(struct loop *loop, struct transport *transport, struct chat *chat)
{
    int number = 0;

    while (number == 0)
        number = loop_wait(loop, turn(chat, clock_ms()));
    logger_write(LOGGER_INFO, "signal", "number=%d name=%s", number, sigabbrev_np(number));
    leave(loop, transport, chat);
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
open_log(struct log **log, const struct settings *settings)
{
    char directory[PATH_MAX];
    struct log_config config = {.directory =
                                    data_directory(settings, directory, sizeof(directory))};
    int error;

    log_durability_find(settings->durability, &config.durability);
    error = log_open(log, &config, stderr);
    if (error == LAZYCHAT_OK)
        logger_write(LOGGER_INFO, "log", "directory=%s durability=%s id=%s",
                     config.durability == LOG_NONE ? "-" : config.directory, settings->durability,
                     log_id(*log));
    return error;
}

static struct chat *
open_chat(const struct settings *settings, struct transport *transport, struct log *log)
{
    struct chat_config config = {.transport = transport,
                                 .log = log,
                                 .server = settings->name,
                                 .classic_port = (uint16_t)settings->classic_port,
                                 .rate = settings->rate,
                                 .burst = settings->rate * BURST_SECONDS,
                                 .rooms_max = settings->rooms,
                                 .keep_age = (int64_t)settings->keep_days * DAY_MS,
                                 .keep_count = settings->keep_messages};

    return chat_open(&config, stderr);
}

static void
log_opened(const struct chat *chat, const struct settings *settings)
{
    const struct room *lobby = chat_lobby(chat);
    struct endpoint_stats stats;

    for (size_t i = 0; i < lobby->classic_count; i++) {
        endpoint_stats(lobby->classic[i].endpoint, &stats);
        logger_write(LOGGER_INFO, "open", "room=classic transport=%s port=%u sendall=%s",
                     lobby->classic[i].name, settings->classic_port, stats.sendall);
    }
    for (size_t i = 0; i < lobby->endpoint_count; i++) {
        endpoint_stats(lobby->endpoints[i].endpoint, &stats);
        logger_write(LOGGER_INFO, "open", "room=lobby transport=%s port=%u sendall=%s",
                     lobby->endpoints[i].name, lobby->info.port, stats.sendall);
    }
}

static int
serve(const struct settings *settings)
{
    const struct endpoint_profile *profile = endpoint_profile_find(settings->profile);
    struct transport *transport = NULL;
    struct log *log = NULL;
    struct chat *chat = NULL;
    struct loop *loop = NULL;
    int error = loop_create(&loop); /* first: threads inherit the blocked signals */

    if (error != LAZYCHAT_OK)
        fprintf(stderr, "lazychatd: cannot start: %s\n", lazychat_strerror(error));
    if (error == LAZYCHAT_OK && (error = nick_open()) != LAZYCHAT_OK)
        fprintf(stderr, "lazychatd: cannot load ICU's data: %s\n  do: reinstall libicu72\n",
                lazychat_strerror(error));
    if (error == LAZYCHAT_OK)
        error = transport_open(&transport, &settings->listen, profile, stderr);
    if (error == LAZYCHAT_OK)
        error = open_log(&log, settings);
    if (error == LAZYCHAT_OK && (chat = open_chat(settings, transport, log)) == NULL)
        error = LAZYCHAT_SYSTEM;
    if (error == LAZYCHAT_OK) {
        loop_watch(loop, transport_fd(transport), transport);
        loop_watch(loop, log_fd(log), log);
        log_opened(chat, settings);
        print_ways(settings, transport);
        run(loop, transport, chat);
    }
    chat_close(chat);
    log_close(log);
    transport_close(transport);
    loop_destroy(loop);
    nick_close();
    if (error == LAZYCHAT_INVALID)
        return OPTION_EXIT_USAGE;
    return error == LAZYCHAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct settings settings = {
        .classic_port = CLASSIC_PORT,
        .profile = "default",
        .log_level = "info",
        .durability = "full",
        .name = "lazychat",
        .rate = 50,
        .rooms = 1000,
    };
    const struct option options[] = {
        {"listen", "WHERE", OPTION_LIST, &settings.listen, 0, 0, NULL,
         "udp:ADDRESS[:PORT], SCTP over UDP, or sctp:ADDRESS[,ADDRESS...],\n"
         "the kernel's SCTP; may be given again. Default: udp:127.0.0.1:9899\n"
         "and, where the kernel has SCTP, sctp:127.0.0.1"},
        {"classic-port", "PORT", OPTION_NUMBER, &settings.classic_port, 1, 65535, NULL,
         "SCTP port of the classic lobby; default 2013"},
        {"data", "DIR", OPTION_TEXT, &settings.data, 0, 0, NULL,
         "where the log is; default $XDG_STATE_HOME/lazychatd or\n"
         "~/.local/state/lazychatd, for root /var/lib/lazychatd"},
        {"durability", "HOW", OPTION_CHOICE, &settings.durability, 0, 0, "full|normal|none",
         "what was acknowledged survives a power cut (full, default),\n"
         "a crash of the server (normal), nothing (none: memory only)"},
        {"keep-days", "N", OPTION_NUMBER, &settings.keep_days, 0, 36500, NULL,
         "forget messages that are older; default 0: keep all"},
        {"keep-messages", "N", OPTION_NUMBER, &settings.keep_messages, 0, UINT_MAX, NULL,
         "keep so many of each room; default 0: all"},
        {"name", "TEXT", OPTION_TEXT, &settings.name, 0, 0, NULL,
         "what the server calls itself; default lazychat"},
        {"rate", "N", OPTION_NUMBER, &settings.rate, 0, 1000000, NULL,
         "messages a second that one association may send, four seconds'\n"
         "worth at once; 0: no limit; default 50"},
        {"rooms", "N", OPTION_NUMBER, &settings.rooms, 1, 50000, NULL,
         "how many rooms there may be; default 1000"},
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
