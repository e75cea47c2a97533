/* join.c: many who come at once, as after the server or its network was away, and ask for what was
 * said last.
 *
 *  new     they associate, and join with a secret that the log has not seen
 *  back    they associate, and join with that secret again
 *  again   they are associated already, and all joins are under way at once
 *
 * `new` and `again` ask for the `last` messages, `back` for those `since`; somebody has joined when
 * it has the welcome and all of them.
 */
#include "child.h"
#include "option.h"
#include "people.h"
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MS   120000
#define ROUNDS_MAX MEDIAN_MAX
#define WAYS       3

enum way { NEW, BACK, AGAIN };
static const char *const ways[WAYS] = {"new", "back", "again"};

struct settings {
    unsigned int clients, last, messages, size, rounds;
    const char *durability;
    bool json, help;
    double others;
};

struct result {
    double all_ms, p50_ms, p99_ms, server_ms, batches;
};

/* One round: a server, and those who come to it. */
struct round {
    const struct settings *settings;
    struct address server;
    pid_t pid;
    enum way way;
};

/* ---- In a process of its own ---- */

static bool
came_well(const struct people *people, const char *what)
{
    if (people->errors == 0 && people->doubled == 0 && people->crowd.down == 0)
        return true;
    fprintf(stderr, "join: INVALID: %s: %" PRIu64 " errors, %" PRIu64 " twice, %u lost\n", what,
            people->errors, people->doubled, people->crowd.down);
    return false;
}

/* What there is to ask for. */
static bool
fill(void *user, void *out)
{
    const struct round *round = user;
    struct people_config config = {
        .server = round->server, .clients = 1, .size = round->settings->size};
    struct people people;
    bool good = people_open(&people, &config) && people_connect(&people, 1, MESSAGE_PORT_LOBBY) &&
                people_join_all(&people, 0, 1, MESSAGE_ABSENT, MESSAGE_ABSENT);

    while (good && people.said_count < round->settings->messages) {
        while (people.said_count < round->settings->messages &&
               people.said_count - people.complete < 100 &&
               people_say(&people, &people.persons[0], now_ns()))
            continue;
        people_turn(&people, NULL, CROWD_NEVER);
        good = people.crowd.down == 0;
    }
    good = good && people_settle(&people) && came_well(&people, "filling");
    *(int64_t *)out = people.head;
    people_close(&people);
    return good;
}

/* All of them, from the first packet until the last one has all. */
static bool
come(struct people *people, const struct settings *settings, int64_t since, int64_t last)
{
    unsigned int begun = 0, all = settings->clients;
    int64_t deadline = now_ns() + (int64_t)GRACE_MS / 2 * NS_PER_MS;

    /* In lots, as crowd_connect does: who is up joins at once. */
    while (begun < all) {
        unsigned int lot = all - begun < 50 ? all - begun : 50;

        if (!people_connect(people, lot, MESSAGE_PORT_LOBBY))
            return false;
        for (unsigned int i = begun; i < begun + lot; i++)
            people_join(people, &people->persons[i], since, last);
        begun += lot;
    }
    while (people->joined < all && now_ns() < deadline)
        people_turn(people, NULL, deadline);
    return people->joined == all;
}

static bool
arrive(struct people *people, const struct round *round, int64_t head)
{
    const struct settings *settings = round->settings;
    int64_t last = settings->last, since = head > last ? head - last : 0;

    switch (round->way) {
    case NEW:
        return come(people, settings, MESSAGE_ABSENT, last);
    case BACK:
        return come(people, settings, since, MESSAGE_ABSENT);
    case AGAIN:
        return people_join_all(people, 0, settings->clients, MESSAGE_ABSENT, last);
    }
    return false;
}

struct visit {
    struct round round;
    int64_t head;
};

static bool
visit(void *user, void *out)
{
    const struct visit *visit = user;
    const struct round *round = &visit->round;
    struct people_config config = {.server = round->server,
                                   .clients = round->settings->clients,
                                   .size = round->settings->size,
                                   .accounts = true};
    struct result *result = out;
    struct people people;
    int64_t begin, cpu;
    bool good = people_open(&people, &config);

    if (good && round->way == AGAIN)
        good = people_connect(&people, config.clients, MESSAGE_PORT_LOBBY) &&
               people_join_all(&people, 0, config.clients, MESSAGE_ABSENT, MESSAGE_ABSENT);
    people_measure(&people);
    people.joined = 0;
    people.batches = 0;
    begin = now_ns();
    cpu = server_cpu_ns(round->pid);
    good = good && arrive(&people, round, visit->head) && came_well(&people, ways[round->way]);
    result->all_ms = (double)(now_ns() - begin) / NS_PER_MS;
    result->server_ms = (double)(server_cpu_ns(round->pid) - cpu) / NS_PER_MS;
    result->p50_ms = samples_ms(&people.joining, 50);
    result->p99_ms = samples_ms(&people.joining, 99);
    result->batches = (double)people.batches;
    people_close(&people);
    return good;
}

/* ---- Rounds and figures ---- */

static bool
run_round(const struct settings *settings, struct result results[WAYS])
{
    char data[PATH_MAX];
    struct server_config server = {.durability = settings->durability, .data = data};
    struct visit there = {.round = {.settings = settings}};
    bool good;

    if (!server_data_make(data))
        return false;
    there.round.pid = server_start_lazychatd(&server, &there.round.server);
    if (there.round.pid < 0)
        return false;
    good = child_run(fill, &there.round, &there.head, sizeof(there.head), GRACE_MS);
    for (int way = NEW; good && way < WAYS; way++) {
        there.round.way = (enum way)way;
        good = child_run(visit, &there, &results[way], sizeof(results[way]), GRACE_MS);
        if (!good)
            fprintf(stderr, "join: no result: %s\n", ways[way]);
    }
    server_stop(there.round.pid);
    server_data_remove(data);
    return good;
}

static void
print_json(const struct settings *settings, const struct result results[WAYS])
{
    for (int way = 0; way < WAYS; way++)
        printf("{\"bench\": \"join\", \"way\": \"%s\", \"clients\": %u, \"last\": %u, "
               "\"messages\": %u, \"size\": %u, \"durability\": \"%s\", \"all_ms\": %.1f, "
               "\"join_p50_ms\": %.1f, \"join_p99_ms\": %.1f, \"server_cpu_ms\": %.1f, "
               "\"server_us_per_join\": %.1f, \"batches\": %.0f, \"load_average_before\": %.2f}\n",
               ways[way], settings->clients, settings->last, settings->messages, settings->size,
               settings->durability, results[way].all_ms, results[way].p50_ms, results[way].p99_ms,
               results[way].server_ms, results[way].server_ms * 1e3 / settings->clients,
               results[way].batches, settings->others);
    fflush(stdout);
}

static void
print_table(const struct settings *settings, const struct result results[WAYS][ROUNDS_MAX])
{
    unsigned int rounds = settings->rounds;

    printf("%u clients, the last %u of %u messages of %u bytes, median of %u, load average before "
           "%.1f\n\n",
           settings->clients, settings->last, settings->messages, settings->size, rounds,
           settings->others);
    printf("%-6s %10s %9s %9s %15s %14s %8s\n", "", "all ms", "p50 ms", "p99 ms", "server CPU ms",
           "us a join", "batches");
    for (int way = 0; way < WAYS; way++) {
        const struct result *of = results[way];

        printf(
            "%-6s %10.0f %9.1f %9.1f %15.0f %14.0f %8.0f\n", ways[way], MEDIAN(of, rounds, all_ms),
            MEDIAN(of, rounds, p50_ms), MEDIAN(of, rounds, p99_ms), MEDIAN(of, rounds, server_ms),
            MEDIAN(of, rounds, server_ms) * 1e3 / settings->clients, MEDIAN(of, rounds, batches));
    }
}

static int
run_all(const struct settings *settings)
{
    static struct result results[WAYS][ROUNDS_MAX];

    for (unsigned int round = 0; round < settings->rounds; round++) {
        struct result of_round[WAYS];

        if (!run_round(settings, of_round))
            return EXIT_FAILURE;
        for (int way = 0; way < WAYS; way++)
            results[way][round] = of_round[way];
        if (settings->json)
            print_json(settings, of_round);
    }
    if (!settings->json)
        print_table(settings, (const struct result(*)[ROUNDS_MAX])results);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.clients = 1000,
                                .last = 100,
                                .messages = 2000,
                                .size = 100,
                                .rounds = 3,
                                .durability = "full"};
    const bool version = false;
    const struct option options[] = {
        {"clients", "N", OPTION_NUMBER, &settings.clients, 1, 8000, NULL, "default 1000"},
        {"last", "N", OPTION_NUMBER, &settings.last, 1, MESSAGE_LIMIT_MAX, NULL,
         "messages that each asks for; default 100"},
        {"messages", "N", OPTION_NUMBER, &settings.messages, 1, 10000000, NULL,
         "in the log before; default 2000"},
        {"size", "BYTES", OPTION_NUMBER, &settings.size, 1, MESSAGE_TEXT_MAX, NULL,
         "of a text; default 100"},
        {"durability", "HOW", OPTION_CHOICE, &settings.durability, 0, 0, "full|normal|none",
         "default full"},
        {"rounds", "N", OPTION_NUMBER, &settings.rounds, 1, ROUNDS_MAX, NULL,
         "the median of so many; default 3"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "lines of JSON for each round instead of a table"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const struct option_program program = {
        .name = "join",
        .usage = "usage: join [OPTION]...\n\n"
                 "Many come at once and ask for what was said last: until all have it, and what\n"
                 "it costs the server. new: unknown accounts; back: known ones; again: associated\n"
                 "already.\n\n",
        .options = options,
        .help = &settings.help,
        .version = &version};
    int status = EXIT_SUCCESS;

    if (option_start(&program, argc, argv, NULL, 0, &status) < 0)
        return status;
    settings.others = load_average();
    return run_all(&settings);
}
