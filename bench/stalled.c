/* stalled.c: what one who does not listen costs the server and the others.
 *
 * The same lobby in turn with nobody stalled, with one who does not read, and with one who is
 * stopped (straggler.h). While it is stalled, more is said than the server keeps for those who are
 * behind; then some speak at a steady pace, and the others' delays are measured. At last it may
 * listen again, while they go on speaking, and must get everything.
 */
#include "child.h"
#include "option.h"
#include "people.h"
#include "server.h"
#include "straggler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MS    180000
#define ROUNDS_MAX  MEDIAN_MAX
#define KINDS       3
#define FILL_SIZE   6000 /* bytes of a text */
#define FILL_WINDOW 16
#define FILL_PEOPLE 10 /* who are there already: the rest come after it */

static const char *const kinds[KINDS] = {"nobody", "deaf", "stopped"};

struct settings {
    unsigned int clients, speakers, size, rate, seconds, fill, rounds;
    const char *durability;
    bool json, help;
    double others;
};

struct result {
    double memory, peak; /* bytes of the server, at the end of the measured time */
    double heard_p50_ms, heard_p99_ms, all_p50_ms, all_p99_ms;
    double server_percent;
    double missed, caught_up_ms, by_itself, by_asking, heads;
    uint64_t messages, lost, twice, asked; /* of the others; asked: deliveries that a batch made */
    unsigned int disconnects;
};

struct run {
    const struct settings *settings;
    enum straggler_kind kind;
};

/* ---- Speaking ---- */

/* In a steady pace, one after the other of the last ones to come. The time counts from when it was
 * due, so that a speaker who could not speak counts too. */
struct stage {
    struct people people;
    const struct settings *settings;
    int64_t due;
    unsigned int next;
};

static void
speak(void *user)
{
    struct stage *stage = user;
    struct people *people = &stage->people;

    while (now_ns() >= stage->due) {
        unsigned int index = people->crowd.begun - 1 - stage->next % stage->settings->speakers;

        if (!people_say(people, &people->persons[index], stage->due))
            return;
        stage->next++;
        stage->due += 1000000000 / stage->settings->rate;
    }
}

/* One turn of it. */
static void
pace(struct stage *stage, int64_t until)
{
    people_turn(&stage->people, speak, stage->due < until ? stage->due : until);
}

/* So much is said, as fast as it goes. */
static bool
fill(struct stage *stage)
{
    struct people *people = &stage->people;
    uint64_t wanted = ((uint64_t)stage->settings->fill << 20) / FILL_SIZE;

    people->config.size = FILL_SIZE;
    while (people->said_count < wanted && people->crowd.down == 0) {
        while (people->said_count - people->complete < FILL_WINDOW && people->said_count < wanted &&
               people_say(people, &people->persons[0], now_ns()))
            continue;
        people_turn(people, NULL, CROWD_NEVER);
    }
    people->config.size = stage->settings->size;
    if (people_settle(people))
        return true;
    fprintf(stderr, "stalled: %zu of %zu messages that were said before came to all\n",
            people->complete, people->said_count);
    return false;
}

/* ---- A run ---- */

static bool
gather(struct people *people, unsigned int count)
{
    unsigned int first = people->crowd.begun;

    return people_connect(people, count, MESSAGE_PORT_LOBBY) &&
           people_join_all(people, first, first + count, MESSAGE_ABSENT, MESSAGE_ABSENT);
}

static void
measure(struct stage *stage, pid_t pid, struct result *result)
{
    struct people *people = &stage->people;
    int64_t begin = now_ns(), end = begin + (int64_t)stage->settings->seconds * 1000 * NS_PER_MS;
    int64_t cpu = server_cpu_ns(pid);
    struct server_memory memory;

    people_measure(people);
    stage->due = begin;
    while (now_ns() < end)
        pace(stage, end);
    memory = server_memory(pid);
    result->memory = (double)memory.now;
    result->peak = (double)memory.peak;
    result->server_percent = (double)(server_cpu_ns(pid) - cpu) * 100 / (double)(now_ns() - begin);
    result->heard_p50_ms = samples_ms(&people->heard, 50);
    result->heard_p99_ms = samples_ms(&people->heard, 99);
    result->all_p50_ms = samples_ms(&people->by_all, 50);
    result->all_p99_ms = samples_ms(&people->by_all, 99);
    result->messages = people->by_all.count;
}

/* The others go on speaking meanwhile. */
static void
catch_up(struct stage *stage, const struct straggler *straggler, int64_t before,
         struct result *result)
{
    struct straggler_report report = {0};

    result->missed = (double)(stage->people.head - before);
    straggler_resume(straggler, stage->people.head);
    while (!straggler_done(straggler, &report))
        pace(stage, CROWD_NEVER);
    result->caught_up_ms = report.caught_up_ms;
    result->by_asking = (double)report.healed;
    result->by_itself = (double)report.live;
    result->heads = (double)report.heads;
}

static bool
perform(struct stage *stage, struct straggler *straggler, pid_t pid, struct result *result)
{
    const struct settings *settings = stage->settings;
    struct people *people = &stage->people;
    struct straggler_report report = {.caught_up_ms = 0};
    unsigned int early = FILL_PEOPLE < settings->clients - 1 ? FILL_PEOPLE : settings->clients - 1;
    int64_t before;

    if (!gather(people, early))
        return false;
    before = people->head;
    straggler_stall(straggler);
    if (!fill(stage) || !gather(people, settings->clients - 1 - early))
        return false;
    measure(stage, pid, result);
    if (straggler->kind != STRAGGLER_NONE)
        catch_up(stage, straggler, before, result);
    if (!people_settle(people))
        fprintf(stderr, "stalled: not everything came\n");
    result->lost = people->said_count - people->complete;
    if (!straggler_end(straggler, people->head, &report))
        result->lost++;
    result->asked = people->healed;
    result->twice = people->doubled + report.twice;
    result->disconnects = people->crowd.down + report.lost;
    return people->errors == 0;
}

static bool
run_here(void *user, void *out)
{
    const struct run *run = user;
    const struct settings *settings = run->settings;
    struct result *result = out;
    char data[PATH_MAX];
    struct server_config server = {.durability = settings->durability, .data = data};
    struct people_config config = {.clients = settings->clients - 1, .size = settings->size};
    struct straggler straggler;
    struct stage stage = {.settings = settings};
    bool good;
    pid_t pid;

    memset(result, 0, sizeof(*result));
    if (!server_data_make(data))
        return false;
    pid = server_start_lazychatd(&server, &config.server);
    if (pid < 0)
        return false;
    good = straggler_start(&straggler, run->kind, &config.server) &&
           people_open(&stage.people, &config) && perform(&stage, &straggler, pid, result);
    people_close(&stage.people);
    server_stop(pid);
    server_data_remove(data);
    return good;
}

/* ---- Figures ---- */

static void
print_json(const struct run *run, const struct result *result)
{
    const struct settings *settings = run->settings;

    printf("{\"bench\": \"stalled\", \"stalled\": \"%s\", \"clients\": %u, \"speakers\": %u, "
           "\"size\": %u, \"messages_per_s\": %u, \"seconds\": %u, \"fill_mib\": %u, "
           "\"durability\": \"%s\", \"messages\": %" PRIu64 ", \"server_rss_bytes\": %.0f, "
           "\"server_peak_rss_bytes\": %.0f, \"heard_p50_ms\": %.3f, \"heard_p99_ms\": %.3f, "
           "\"all_have_it_p50_ms\": %.3f, \"all_have_it_p99_ms\": %.3f, "
           "\"server_cpu_percent\": %.1f, \"disconnects\": %u, \"lost\": %" PRIu64
           ", \"twice\": %" PRIu64 ", \"asked_by_others\": %" PRIu64 ", \"missed\": %.0f, "
           "\"caught_up_ms\": %.1f, \"by_itself\": %.0f, \"by_asking\": %.0f, \"heads\": %.0f, "
           "\"load_average_before\": %.2f}\n",
           kinds[run->kind], settings->clients, settings->speakers, settings->size, settings->rate,
           settings->seconds, settings->fill, settings->durability, result->messages,
           result->memory, result->peak, result->heard_p50_ms, result->heard_p99_ms,
           result->all_p50_ms, result->all_p99_ms, result->server_percent, result->disconnects,
           result->lost, result->twice, result->asked, result->missed, result->caught_up_ms,
           result->by_itself, result->by_asking, result->heads, settings->others);
    fflush(stdout);
}

static void
print_rows(const struct result results[KINDS][ROUNDS_MAX], unsigned int rounds)
{
    printf("%-8s %8s %8s %9s %9s %9s %9s %8s %11s %5s\n", "stalled", "RSS MB", "peak MB", "p50 ms",
           "p99 ms", "last p50", "last p99", "server %", "disconnects", "lost");
    for (int kind = 0; kind < KINDS; kind++) {
        const struct result *of = results[kind];
        unsigned int disconnects = 0;
        uint64_t lost = 0;

        for (unsigned int i = 0; i < rounds; i++) {
            disconnects += of[i].disconnects;
            lost += of[i].lost + of[i].twice;
        }
        printf("%-8s %8.1f %8.1f %9.2f %9.2f %9.2f %9.2f %8.0f %11u %5" PRIu64 "\n", kinds[kind],
               MEDIAN(of, rounds, memory) / 1e6, MEDIAN(of, rounds, peak) / 1e6,
               MEDIAN(of, rounds, heard_p50_ms), MEDIAN(of, rounds, heard_p99_ms),
               MEDIAN(of, rounds, all_p50_ms), MEDIAN(of, rounds, all_p99_ms),
               MEDIAN(of, rounds, server_percent), disconnects, lost);
    }
}

/* Of each round, that with one stalled to that without: the median of the pairs. */
static double
pairs(const struct result *with, const struct result *without, unsigned int rounds, bool all)
{
    double ratios[ROUNDS_MAX];

    for (unsigned int i = 0; i < rounds; i++)
        ratios[i] = all ? with[i].all_p99_ms / without[i].all_p99_ms
                        : with[i].heard_p99_ms / without[i].heard_p99_ms;
    return median_of(ratios, rounds);
}

static void
print_table(const struct settings *settings, const struct result results[KINDS][ROUNDS_MAX])
{
    unsigned int rounds = settings->rounds;

    printf("%u clients, %u of them speak, %u messages/s of %u bytes, %u s, %u MiB said before, "
           "%s, median of %u, load average before %.1f\n\n",
           settings->clients, settings->speakers, settings->rate, settings->size, settings->seconds,
           settings->fill, settings->durability, rounds, settings->others);
    print_rows(results, rounds);
    printf("\n");
    for (int kind = STRAGGLER_DEAF; kind < KINDS; kind++) {
        const struct result *of = results[kind];
        double more = MEDIAN(of, rounds, memory) - MEDIAN(results[0], rounds, memory);
        double peak = MEDIAN(of, rounds, peak) - MEDIAN(results[0], rounds, peak);

        printf("%s: %+.1f MB (peak %+.1f), p99 %.2f times (until the last has it: %.2f), caught "
               "up with %.0f in %.0f ms,\n  %.0f of them by asking\n",
               kinds[kind], more / 1e6, peak / 1e6, pairs(of, results[0], rounds, false),
               pairs(of, results[0], rounds, true), MEDIAN(of, rounds, missed),
               MEDIAN(of, rounds, caught_up_ms), MEDIAN(of, rounds, by_asking));
    }
}

static bool
good(const struct result *result)
{
    return result->lost == 0 && result->twice == 0 && result->disconnects == 0 &&
           result->caught_up_ms >= 0;
}

static int
run_all(const struct settings *settings)
{
    static struct result results[KINDS][ROUNDS_MAX];

    for (unsigned int round = 0; round < settings->rounds; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            struct run run = {settings, (enum straggler_kind)kind};
            struct result *result = &results[kind][round];

            if (!child_run(run_here, &run, result, sizeof(*result),
                           (int64_t)settings->seconds * 1000 + GRACE_MS)) {
                fprintf(stderr, "stalled: no result: %s\n", kinds[kind]);
                return EXIT_FAILURE;
            }
            if (settings->json)
                print_json(&run, result);
            if (good(result))
                continue;
            fprintf(stderr,
                    "stalled: INVALID: %s: %" PRIu64 " lost, %" PRIu64
                    " twice, %u disconnects, caught up in %.0f ms\n",
                    kinds[kind], result->lost, result->twice, result->disconnects,
                    result->caught_up_ms);
            return EXIT_FAILURE;
        }
    if (!settings->json)
        print_table(settings, (const struct result(*)[ROUNDS_MAX])results);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.clients = 1000,
                                .speakers = 10,
                                .size = 100,
                                .rate = 20,
                                .seconds = 8,
                                .fill = 6,
                                .rounds = 5,
                                .durability = "full"};
    const bool version = false;
    const struct option options[] = {
        {"clients", "N", OPTION_NUMBER, &settings.clients, 3, 8000, NULL,
         "in the lobby, the stalled one too; default 1000"},
        {"speakers", "N", OPTION_NUMBER, &settings.speakers, 1, 1000, NULL,
         "how many of them speak; default 10"},
        {"rate", "N", OPTION_NUMBER, &settings.rate, 1, 10000, NULL,
         "messages a second, of all speakers together; default 20"},
        {"size", "BYTES", OPTION_NUMBER, &settings.size, 1, MESSAGE_TEXT_MAX, NULL,
         "of a text; default 100"},
        {"seconds", "N", OPTION_NUMBER, &settings.seconds, 1, 100, NULL,
         "that are measured; default 8"},
        {"fill", "MIB", OPTION_NUMBER, &settings.fill, 0, 1000, NULL,
         "said before that, when one is stalled already; default 6"},
        {"durability", "HOW", OPTION_CHOICE, &settings.durability, 0, 0, "full|normal|none",
         "default full"},
        {"rounds", "N", OPTION_NUMBER, &settings.rounds, 1, ROUNDS_MAX, NULL,
         "the median of so many, alternately; default 5"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "a line of JSON for each run instead of a table"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const struct option_program program = {
        .name = "stalled",
        .usage =
            "usage: stalled [OPTION]...\n\n"
            "A lobby in turn with nobody stalled, with one who does not read, and with one\n"
            "who is stopped: the server's memory, the others' delays, and how the stalled\n"
            "one gets what it missed. Fails if anybody was disconnected or lost a message.\n\n",
        .options = options,
        .help = &settings.help,
        .version = &version};
    int status = EXIT_SUCCESS;

    if (option_start(&program, argc, argv, NULL, 0, &status) < 0)
        return status;
    if (settings.speakers >= settings.clients) {
        fprintf(stderr, "stalled: --speakers are some of the --clients\n");
        return OPTION_EXIT_USAGE;
    }
    settings.others = load_average();
    return run_all(&settings);
}
