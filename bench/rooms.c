/* rooms.c: what a thousand rooms with nobody in cost a server in which two are busy.
 *
 * Runs two servers alternately: one that has the lobby and the two busy rooms, and one that has a
 * thousand rooms more in its log. Compares the time to start, the memory, and the CPU time of
 * messages said one at a time in the busy ones, so that each is a turn or two of the server's loop.
 */
#include "child.h"
#include "option.h"
#include "people.h"
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MS   60000
#define ROUNDS_MAX MEDIAN_MAX
#define BUSY       2 /* rooms */

struct settings {
    unsigned int rooms, clients, seconds, rounds;
    bool json, help;
    double others;
};

struct result {
    double start_ms, start_cpu_ms; /* until it says that it is open */
    double rss, opened_rss;        /* bytes, with nobody in; and as they had just been opened */
    double messages, server_us, p50_ms, p99_ms;
    double idle_percent; /* of a core, nobody saying anything */
};

/* A server that is there, and the log that it has. */
struct house {
    const struct settings *settings;
    unsigned int rooms;
    char data[PATH_MAX];
    struct address server;
    pid_t pid;
};

/* ---- In processes of their own ---- */

/* Opens the rooms; the result is only that it was done. */
static bool
furnish(void *user, void *out)
{
    const struct house *house = user;
    struct people_config config = {.server = house->server, .clients = 1, .size = 1};
    struct people people;
    bool good = people_open(&people, &config) && people_connect(&people, 1, MESSAGE_PORT_LOBBY) &&
                people_join_all(&people, 0, 1, MESSAGE_ABSENT, MESSAGE_ABSENT) &&
                people_open_rooms(&people, &people.persons[0], house->rooms);

    *(bool *)out = good;
    people_close(&people);
    return good;
}

/* One in each busy room waits for its message to come to all there. */
static void
speak(void *user)
{
    struct people *people = user;

    for (unsigned int i = 0; i < BUSY; i++) {
        struct person *person = &people->persons[(i + 1) * people->crowd.begun / BUSY - 1];

        if (person->said == person->echoed)
            people_say(people, person, now_ns());
    }
}

static void
turns_for(struct people *people, void (*what)(void *people), int64_t milliseconds)
{
    int64_t end = now_ns() + milliseconds * NS_PER_MS;

    while (now_ns() < end)
        people_turn(people, what, end);
}

static void
measure(const struct house *house, struct people *people, struct result *result)
{
    int64_t cpu, begin;

    turns_for(people, NULL, 500); /* presence has been told */
    cpu = server_cpu_ns(house->pid);
    begin = now_ns();
    turns_for(people, NULL, 1000);
    result->idle_percent =
        (double)(server_cpu_ns(house->pid) - cpu) * 100 / (double)(now_ns() - begin);
    turns_for(people, speak, 300);
    people_measure(people);
    cpu = server_cpu_ns(house->pid);
    turns_for(people, speak, (int64_t)house->settings->seconds * 1000);
    result->messages = (double)people->acks.count;
    result->server_us = (double)(server_cpu_ns(house->pid) - cpu) / 1e3 / result->messages;
    result->p50_ms = samples_ms(&people->by_all, 50);
    result->p99_ms = samples_ms(&people->by_all, 99);
}

static bool
talk(void *user, void *out)
{
    const struct house *house = user;
    unsigned int each = house->settings->clients;
    struct people_config config = {.server = house->server, .clients = BUSY * each, .size = 100};
    struct people people;
    bool good = people_open(&people, &config);

    for (unsigned int i = 0; i < BUSY; i++)
        good = good && people_connect(&people, each, (uint16_t)(MESSAGE_PORT_ROOMS + i));
    good = good && people_join_all(&people, 0, BUSY * each, MESSAGE_ABSENT, MESSAGE_ABSENT);
    if (good)
        measure(house, &people, out);
    good = good && people_settle(&people) && people.errors == 0 && people.doubled == 0 &&
           people.healed == 0 && people.crowd.down == 0;
    if (!good)
        fprintf(stderr, "rooms: INVALID: %" PRIu64 " errors, %zu of %zu messages came to all\n",
                people.errors, people.complete, people.said_count);
    people_close(&people);
    return good;
}

/* ---- Rounds ---- */

static bool
start(struct house *house)
{
    struct server_config config = {.data = house->data, .rooms = house->rooms + 10};

    /* What is in the log must last: its default durability. */
    house->pid = server_start_lazychatd(&config, &house->server);
    return house->pid > 0;
}

/* A log with so many rooms in it. Returns the server's memory before it is stopped. */
static bool
build(struct house *house, double *rss)
{
    bool done = false;

    if (!server_data_make(house->data) || !start(house))
        return false;
    child_run(furnish, house, &done, sizeof(done), GRACE_MS);
    *rss = (double)server_memory(house->pid).now;
    server_stop(house->pid);
    if (!done)
        fprintf(stderr, "rooms: %u rooms could not be opened\n", house->rooms);
    return done;
}

static bool
run(struct house *house, struct result *result)
{
    int64_t begin = now_ns();
    bool good;

    if (!start(house))
        return false;
    result->start_ms = (double)(now_ns() - begin) / NS_PER_MS;
    result->start_cpu_ms = (double)server_cpu_ns(house->pid) / NS_PER_MS;
    result->rss = (double)server_memory(house->pid).now;
    good = child_run(talk, house, result, sizeof(*result),
                     (int64_t)house->settings->seconds * 1000 + GRACE_MS);
    server_stop(house->pid);
    return good;
}

/* ---- Figures ---- */

static void
print_json(const struct house *house, const struct result *result)
{
    printf("{\"bench\": \"rooms\", \"rooms\": %u, \"busy\": %d, \"clients\": %u, "
           "\"start_ms\": %.1f, \"start_cpu_ms\": %.1f, \"rss_bytes\": %.0f, "
           "\"rss_after_opening_bytes\": %.0f, \"messages\": %.0f, "
           "\"server_us_per_message\": %.1f, \"all_have_it_p50_ms\": %.3f, "
           "\"all_have_it_p99_ms\": %.3f, \"idle_cpu_percent\": %.2f, "
           "\"load_average_before\": %.2f}\n",
           house->rooms, BUSY, BUSY * house->settings->clients, result->start_ms,
           result->start_cpu_ms, result->rss, result->opened_rss, result->messages,
           result->server_us, result->p50_ms, result->p99_ms, result->idle_percent,
           house->settings->others);
    fflush(stdout);
}

static void
print_table(const struct house houses[2], const struct result results[2][ROUNDS_MAX])
{
    const struct settings *settings = houses[0].settings;
    unsigned int rounds = settings->rounds;

    printf("%u clients in each of %d rooms, one message of each at a time, %u s, median of %u, "
           "load average before %.1f\n\n",
           settings->clients, BUSY, settings->seconds, rounds, settings->others);
    printf("%7s %9s %13s %8s %11s %13s %9s %9s %7s\n", "rooms", "start ms", "start CPU ms",
           "RSS MB", "messages/s", "us a message", "p50 ms", "p99 ms", "idle %");
    for (int i = 0; i < 2; i++)
        printf("%7u %9.1f %13.1f %8.1f %11.0f %13.1f %9.2f %9.2f %7.2f\n", houses[i].rooms,
               MEDIAN(results[i], rounds, start_ms), MEDIAN(results[i], rounds, start_cpu_ms),
               MEDIAN(results[i], rounds, rss) / 1e6,
               MEDIAN(results[i], rounds, messages) / settings->seconds,
               MEDIAN(results[i], rounds, server_us), MEDIAN(results[i], rounds, p50_ms),
               MEDIAN(results[i], rounds, p99_ms), MEDIAN(results[i], rounds, idle_percent));
    printf("\na room with nobody in: %.1f kB after a start, %.1f kB after it was opened\n",
           (MEDIAN(results[1], rounds, rss) - MEDIAN(results[0], rounds, rss)) / 1e3 /
               settings->rooms,
           (results[1][0].opened_rss - results[0][0].opened_rss) / 1e3 / settings->rooms);
    printf("a message in a busy room: %.2f times the server's CPU\n",
           MEDIAN(results[1], rounds, server_us) / MEDIAN(results[0], rounds, server_us));
}

static int
run_all(const struct settings *settings)
{
    static struct result results[2][ROUNDS_MAX];
    struct house houses[2] = {0};
    double opened[2];
    bool good = true;

    for (unsigned int i = 0; i < 2; i++) {
        houses[i].settings = settings;
        houses[i].rooms = BUSY + i * settings->rooms;
        good = good && build(&houses[i], &opened[i]);
    }
    for (unsigned int round = 0; good && round < settings->rounds; round++)
        for (unsigned int i = 0; good && i < 2; i++) {
            good = run(&houses[i], &results[i][round]);
            results[i][round].opened_rss = opened[i];
            if (good && settings->json)
                print_json(&houses[i], &results[i][round]);
        }
    for (unsigned int i = 0; i < 2; i++)
        server_data_remove(houses[i].data);
    if (good && !settings->json)
        print_table(houses, (const struct result(*)[ROUNDS_MAX])results);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.rooms = 1000, .clients = 10, .seconds = 2, .rounds = 3};
    const bool version = false;
    const struct option options[] = {
        {"rooms", "N", OPTION_NUMBER, &settings.rooms, 1, 40000, NULL,
         "rooms with nobody in; default 1000"},
        {"clients", "N", OPTION_NUMBER, &settings.clients, 1, 1000, NULL,
         "in each of the two busy rooms; default 10"},
        {"seconds", "N", OPTION_NUMBER, &settings.seconds, 1, 600, NULL, "default 2"},
        {"rounds", "N", OPTION_NUMBER, &settings.rounds, 1, ROUNDS_MAX, NULL,
         "the median of so many, alternately; default 3"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "a line of JSON for each run instead of a table"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const struct option_program program = {
        .name = "rooms",
        .usage =
            "usage: rooms [OPTION]...\n\n"
            "A server with two busy rooms, and one that has many more with nobody in: time to\n"
            "start, memory, CPU of a message.\n\n",
        .options = options,
        .help = &settings.help,
        .version = &version};
    int status = EXIT_SUCCESS;

    if (option_start(&program, argc, argv, NULL, 0, &status) < 0)
        return status;
    settings.others = load_average();
    return run_all(&settings);
}
