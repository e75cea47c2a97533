/* fanout.c: how fast what one says reaches all: runs servers and loads, and prints what came out.
 *
 * Each run is a process of its own (load.h), which starts a server and ends it. Several runs are
 * interleaved, a round of all cases after the other, and medians are taken: other work on the
 * machine then falls on all cases alike.
 */
#include "child.h"
#include "figures.h"
#include "load.h"
#include "option.h"
#include "server.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define PORT       2013 /* the classic lobby */
#define START_MS   10000
#define GRACE_S    120 /* what a run may take beyond its seconds */
#define CASES_MAX  3
#define ROUNDS_MAX 99

struct settings {
    struct load_config load;
    const char *server, *connect, *pace, *durability;
    unsigned int pid, rounds, sctp_port;
    bool compare, scale, json, help;
    double others; /* load average before the first run: work that is not ours */
};

/* A server and a number of clients. */
struct run {
    const char *server;
    unsigned int clients;
    struct load_result results[ROUNDS_MAX];
};

/* ---- One run ---- */

/* The baseline: "bare:sendall:nodelay" is it with those words as arguments. */
static pid_t
start_bare(const struct settings *settings, const char *name, struct load_config *load)
{
    char path[PATH_MAX], udp_port[16], port[16], words[64];
    uint16_t free_port = server_free_port();
    char *argv[8] = {path, udp_port, port};
    size_t count = 3;

    server_built_path("bare_usrsctp", path);
    snprintf(udp_port, sizeof(udp_port), "%u", free_port);
    snprintf(port, sizeof(port), "%u", settings->sctp_port);
    snprintf(words, sizeof(words), "%s", name);
    strtok(words, ":");
    while (count < 7 && (argv[count] = strtok(NULL, ":")) != NULL)
        count++;
    address_parse(&load->server, "127.0.0.1", free_port);
    return server_start(argv, START_MS);
}

/* "lazychatd" is the one of this build; "bare" and "bare:WORDS" the baseline; anything else the
 * path of a lazychatd. */
static pid_t
start(const struct settings *settings, const char *name, const char *data, struct load_config *load)
{
    struct server_config config = {.path = strcmp(name, "lazychatd") != 0 ? name : NULL,
                                   .durability = settings->durability,
                                   .data = data,
                                   .classic_port = settings->sctp_port};

    if (strcmp(name, "bare") == 0 || strncmp(name, "bare:", 5) == 0)
        load->pid = start_bare(settings, name, load);
    else
        load->pid = server_start_lazychatd(&config, &load->server);
    return load->pid;
}

struct errand {
    const struct settings *settings;
    const struct run *run;
};

/* In a process of its own: the load, and the server unless it runs already. */
static bool
run_here(void *user, void *result)
{
    const struct errand *errand = user;
    const struct settings *settings = errand->settings;
    const struct run *run = errand->run;
    struct load_config load = settings->load;
    char data[PATH_MAX];
    pid_t pid = 0;
    bool good;

    load.clients = run->clients;
    load.speakers = load.speakers > load.clients ? load.clients : load.speakers;
    if (!server_data_make(data))
        return false;
    if (settings->connect == NULL && (pid = start(settings, run->server, data, &load)) < 0)
        return false;
    good = load_run(&load, result);
    if (pid > 0 && waitpid(pid, NULL, WNOHANG) != 0)
        fprintf(stderr, "fanout: %s ended by itself\n", run->server);
    else if (pid > 0)
        server_stop(pid);
    server_data_remove(data);
    return good;
}

/* True with a result when the run was as it should be: everything came, once and in order. */
static bool
run_once(const struct settings *settings, struct run *run, struct load_result *result)
{
    struct errand errand = {settings, run};

    if (!child_run(run_here, &errand, result, sizeof(*result),
                   (int64_t)(settings->load.seconds + GRACE_S) * 1000)) {
        fprintf(stderr, "fanout: no result from %s with %u clients\n", run->server, run->clients);
        return false;
    }
    if (!result->complete || result->lost != 0 || result->disordered != 0) {
        fprintf(stderr,
                "fanout: INVALID: %s with %u clients: %" PRIu64 " lost, %" PRIu64
                " out of order%s\n",
                run->server, run->clients, result->lost, result->disordered,
                result->complete ? "" : ", and it stalled");
        return false;
    }
    return true;
}

/* ---- Figures ---- */

static double
rate(const struct load_result *result)
{
    return result->seconds > 0 ? (double)result->deliveries / result->seconds : 0;
}

static double
server_us(const struct load_result *result)
{
    return result->server_cpu >= 0 ? result->server_cpu * 1e6 / (double)result->deliveries : -1;
}

static double
load_us(const struct load_result *result)
{
    return result->load_cpu * 1e6 / (double)result->deliveries;
}

static double
server_share(const struct load_result *result)
{
    return result->server_cpu >= 0 ? result->server_cpu * 100 / result->seconds : -1;
}

static double
per_packet(const struct load_result *result)
{
    return result->packets > 0 ? (double)result->deliveries / (double)result->packets : 0;
}

static double
p50(const struct load_result *result)
{
    return result->p50_ms;
}

static double
p99(const struct load_result *result)
{
    return result->p99_ms;
}

static double
median(const struct run *run, unsigned int rounds, double (*figure)(const struct load_result *))
{
    double values[ROUNDS_MAX];

    for (unsigned int i = 0; i < rounds; i++)
        values[i] = figure(&run->results[i]);
    return median_of(values, rounds);
}

static void
print_json(const struct settings *settings, const struct run *run, const struct load_result *result)
{
    const char *slash = strrchr(run->server, '/');

    printf("{\"server\": \"%s\", \"clients\": %u, \"size\": %u, \"window\": %u, \"pace\": \"%s\", "
           "\"speakers\": %u, "
           "\"sockets\": %u, \"seconds\": %.3f, \"messages\": %" PRIu64 ", \"deliveries\": %" PRIu64
           ", \"deliveries_per_s\": %.0f, \"server_us_per_delivery\": %.3f, "
           "\"load_us_per_delivery\": %.3f, \"server_cpu_percent\": %.1f, "
           "\"messages_per_packet\": %.2f, \"all_have_it_p50_ms\": %.3f, "
           "\"all_have_it_p99_ms\": %.3f, \"lost\": %" PRIu64 ", \"disordered\": %" PRIu64
           ", \"load_average_before\": %.2f}\n",
           slash != NULL ? slash + 1 : run->server, run->clients, settings->load.size,
           settings->load.window, settings->pace, settings->load.speakers,
           settings->load.sockets == 0 ? run->clients : settings->load.sockets, result->seconds,
           result->messages, result->deliveries, rate(result), server_us(result), load_us(result),
           server_share(result), per_packet(result), result->p50_ms, result->p99_ms, result->lost,
           result->disordered, settings->others);
    fflush(stdout);
}

static void
print_table(const struct settings *settings, const struct run *runs, unsigned int count)
{
    unsigned int rounds = settings->rounds;

    if (settings->others > 0.5)
        printf("The machine was not idle before (load average %.1f): figures are low.\n",
               settings->others);
    printf("%u bytes, window %u, %u speaker%s, %u s, median of %u\n\n", settings->load.size,
           settings->load.window, settings->load.speakers, settings->load.speakers == 1 ? "" : "s",
           settings->load.seconds, rounds);
    printf("%-14s %7s %12s %9s %9s %8s %8s %9s %9s\n", "server", "clients", "deliveries/s",
           "server us", "load us", "server %", "/packet", "p50 ms", "p99 ms");
    for (unsigned int i = 0; i < count; i++) {
        const struct run *run = &runs[i];
        const char *slash = strrchr(run->server, '/');

        printf("%-14s %7u %12.0f %9.2f %9.2f %8.0f %8.1f %9.2f %9.2f\n",
               slash != NULL ? slash + 1 : run->server, run->clients, median(run, rounds, rate),
               median(run, rounds, server_us), median(run, rounds, load_us),
               median(run, rounds, server_share), median(run, rounds, per_packet),
               median(run, rounds, p50), median(run, rounds, p99));
    }
    if (settings->compare)
        printf("\n");
    for (unsigned int i = 1; settings->compare && i < count; i++)
        printf("%s makes %.1f times the deliveries/s of %s\n", runs[0].server,
               median(&runs[0], rounds, rate) / median(&runs[i], rounds, rate), runs[i].server);
    if (settings->scale)
        printf("\nserver CPU of a delivery at %u clients: %.2f times that at %u\n", runs[1].clients,
               median(&runs[1], rounds, server_us) / median(&runs[0], rounds, server_us),
               runs[0].clients);
}

static int
run_all(const struct settings *settings)
{
    static struct run runs[CASES_MAX];
    unsigned int count = 1;

    runs[0].server = settings->connect != NULL ? settings->connect : settings->server;
    runs[0].clients = settings->load.clients;
    runs[1] = runs[2] = runs[0];
    if (settings->compare) {
        runs[1].server = "bare:nodelay";
        runs[2].server = "bare";
        count = 3;
    }
    if (settings->scale) {
        runs[1].clients *= 10;
        count = 2;
    }
    for (unsigned int round = 0; round < settings->rounds; round++)
        for (unsigned int i = 0; i < count; i++) {
            if (!run_once(settings, &runs[i], &runs[i].results[round]))
                return EXIT_FAILURE;
            if (settings->json)
                print_json(settings, &runs[i], &runs[i].results[round]);
        }
    if (!settings->json)
        print_table(settings, runs, count);
    return EXIT_SUCCESS;
}

/* ---- Options ---- */

static int
check(struct settings *settings)
{
    if (settings->compare && settings->scale) {
        fprintf(stderr, "fanout: --compare or --scale, not both\n");
        return EXIT_USAGE;
    }
    if (settings->connect != NULL && settings->compare) {
        fprintf(stderr, "fanout: --compare starts the servers itself: not with --connect\n");
        return EXIT_USAGE;
    }
    if (settings->connect != NULL &&
        address_parse(&settings->load.server, settings->connect, 9899) != 0) {
        fprintf(stderr, "fanout: --connect '%s': not ADDRESS[:PORT]\n", settings->connect);
        return EXIT_USAGE;
    }
    if (settings->load.speakers > settings->load.clients) {
        fprintf(stderr, "fanout: --speakers are some of the --clients\n");
        return EXIT_USAGE;
    }
    settings->others = load_average();
    settings->load.port = (uint16_t)settings->sctp_port;
    settings->load.pid = (pid_t)settings->pid;
    settings->load.pace_all = strcmp(settings->pace, "all") == 0;
    if (settings->rounds == 0)
        settings->rounds = settings->compare || settings->scale ? 3 : 1;
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct settings settings = {
        .load = {.clients = 100,
                 .speakers = 1,
                 .size = 100,
                 .window = 512,
                 .seconds = 3,
                 .warmup_ms = 500},
        .server = "lazychatd",
        .durability = "none",
        .pace = "all",
        .sctp_port = PORT,
    };
    struct load_config *load = &settings.load;
    const struct option options[] = {
        {"clients", "N", OPTION_NUMBER, &load->clients, 1, 8000, NULL, "default 100"},
        {"speakers", "N", OPTION_NUMBER, &load->speakers, 1, 8000, NULL,
         "how many of them speak; default 1"},
        {"size", "BYTES", OPTION_NUMBER, &load->size, LOAD_SIZE_MIN, 65536, NULL,
         "of a message; default 100"},
        {"window", "N", OPTION_NUMBER, &load->window, 1, 100000, NULL,
         "messages of a speaker under way; 1 is one at a time; default 512,\n"
         "which saturates"},
        {"pace", "WHO", OPTION_CHOICE, &settings.pace, 0, 0, "all|speaker",
         "under way until all clients have it (default), or until the\n"
         "speaker does: then who is slow can fall behind and lose some"},
        {"seconds", "N", OPTION_NUMBER, &load->seconds, 1, 600, NULL, "default 3"},
        {"messages", "N", OPTION_NUMBER, &load->messages, 0, 100000000, NULL,
         "of each speaker, if that takes less than --seconds; default no\n"
         "limit"},
        {"warmup", "MS", OPTION_NUMBER, &load->warmup_ms, 0, 60000, NULL,
         "spoken before it is measured; default 500"},
        {"sockets", "N", OPTION_NUMBER, &load->sockets, 0, 8000, NULL,
         "UDP sockets that the clients share; default one for each"},
        {"server", "PATH", OPTION_TEXT, &settings.server, 0, 0, NULL,
         "a lazychatd, or the baseline: bare, bare:nodelay, bare:sendall…;\n"
         "default the lazychatd of this build"},
        {"durability", "HOW", OPTION_CHOICE, &settings.durability, 0, 0, "full|normal|none",
         "of lazychatd's log; default none"},
        {"connect", "ADDRESS", OPTION_TEXT, &settings.connect, 0, 0, NULL,
         "start none, load the one at this ADDRESS:PORT (UDP)"},
        {"pid", "PID", OPTION_NUMBER, &settings.pid, 0, 1u << 30, NULL,
         "of that one, to measure its CPU time"},
        {"port", "PORT", OPTION_NUMBER, &settings.sctp_port, 1, 65535, NULL,
         "SCTP port; default 2013"},
        {"compare", NULL, OPTION_FLAG, &settings.compare, 0, 0, NULL,
         "with the baseline, without and with Nagle's delay, alternately"},
        {"scale", NULL, OPTION_FLAG, &settings.scale, 0, 0, NULL,
         "with ten times the clients, alternately"},
        {"rounds", "N", OPTION_NUMBER, &settings.rounds, 1, ROUNDS_MAX, NULL,
         "the median of so many; default 1, with --compare or --scale 3"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "a line of JSON for each run instead of a table"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    int status;

    if (option_parse(options, argc, argv, NULL, 0, stderr) < 0)
        return EXIT_USAGE;
    if (settings.help) {
        printf("usage: fanout [OPTION]...\n\n"
               "Starts a server, lets clients hear and one of them speak, and prints what a\n"
               "delivery costs. Fails if a message was lost or came out of order.\n\n");
        option_help(options, stdout);
        return EXIT_SUCCESS;
    }
    status = check(&settings);
    return status == EXIT_SUCCESS ? run_all(&settings) : status;
}
