/* ack.c: how many acknowledgements a second the log gives, to one who waits for each before it says
 * the next, and to many who do so at once.
 *
 * What is acknowledged is as durable as --durability says, so with `full` one alone waits for the
 * disk each time. Many at once share a commit: that is what this shows.
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
#define LEVELS     3

struct settings {
    unsigned int speakers, size, seconds, rounds, sync_ms;
    const char *durability;
    bool apart, json, help;
    double others;
};

struct run {
    const struct settings *settings;
    const char *durability;
    unsigned int speakers;
};

struct result {
    uint64_t acks;
    double acks_per_s, p50_ms, p99_ms, server_us, server_percent, commits_per_s, per_commit;
};

static const char *const levels[LEVELS] = {"full", "normal", "none"};

/* Who has been acknowledged says the next. */
static void
speak(void *user)
{
    struct people *people = user;

    for (unsigned int i = 0; i < people->crowd.begun; i++) {
        struct person *person = &people->persons[i];

        if (person->said == person->echoed)
            people_say(people, person, now_ns());
    }
}

static void
speak_for(struct people *people, int64_t milliseconds)
{
    int64_t end = now_ns() + milliseconds * NS_PER_MS;

    while (now_ns() < end)
        people_turn(people, speak, end);
}

/* What the server wrote about its log when it ended. */
static void
read_commits(const char *errors, double *commits, double *appended)
{
    FILE *stream = fopen(errors, "r");
    char line[1024];

    *commits = *appended = 0;
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
        const char *at = strstr(line, " commits=");

        if (at != NULL)
            sscanf(at, " commits=%lf appended=%lf", commits, appended);
    }
    if (stream != NULL)
        fclose(stream);
}

/* All in the lobby, or each in a room of its own; then one more is in the lobby, to open them. */
static bool
gather(const struct run *run, struct people *people)
{
    unsigned int count = run->speakers, first = 0;

    if (run->settings->apart) {
        if (!people_connect(people, 1, MESSAGE_PORT_LOBBY) ||
            !people_open_rooms(people, &people->persons[0], count))
            return false;
        people->persons[0].said = 1; /* never acknowledged: it is silent */
        first = 1;
    }
    for (unsigned int i = 0; run->settings->apart && i < count; i++)
        if (!people_connect(people, 1, (uint16_t)(MESSAGE_PORT_ROOMS + i)))
            return false;
    if (!run->settings->apart && !people_connect(people, count, MESSAGE_PORT_LOBBY))
        return false;
    return people_join_all(people, first, first + count, MESSAGE_ABSENT, MESSAGE_ABSENT);
}

static bool
measure(const struct run *run, pid_t pid, struct people *people, struct result *result)
{
    int64_t begin, cpu;

    if (!gather(run, people))
        return false;
    speak_for(people, 300);
    people_measure(people);
    begin = now_ns();
    cpu = server_cpu_ns(pid);
    speak_for(people, (int64_t)run->settings->seconds * 1000);
    result->acks = people->acks.count;
    result->acks_per_s = (double)result->acks * 1e9 / (double)(now_ns() - begin);
    result->server_percent = (double)(server_cpu_ns(pid) - cpu) * 100 / (double)(now_ns() - begin);
    result->server_us = (double)(server_cpu_ns(pid) - cpu) / 1e3 / (double)result->acks;
    result->p50_ms = samples_ms(&people->acks, 50);
    result->p99_ms = samples_ms(&people->acks, 99);
    if (people_settle(people) && people->errors == 0 && people->doubled == 0 &&
        people->crowd.down == 0 && people->healed == 0)
        return true;
    fprintf(stderr,
            "ack: INVALID: %" PRIu64 " errors, %" PRIu64 " twice, %u lost associations, %zu of %zu "
            "messages came to all\n",
            people->errors, people->doubled, people->crowd.down, people->complete,
            people->said_count);
    return false;
}

static bool
run_here(void *user, void *out)
{
    const struct run *run = user;
    struct result *result = out;
    char data[PATH_MAX], errors[PATH_MAX + 16];
    struct server_config server = {.durability = run->durability,
                                   .data = data,
                                   .errors = errors,
                                   .sync_ms = run->settings->sync_ms};
    struct people_config config = {.clients = run->speakers + run->settings->apart,
                                   .size = run->settings->size,
                                   .accounts = true};
    struct people people;
    double commits, appended;
    bool good;
    pid_t pid;

    memset(result, 0, sizeof(*result));
    if (!server_data_make(data))
        return false;
    snprintf(errors, sizeof(errors), "%s/stderr", data);
    pid = server_start_lazychatd(&server, &config.server);
    if (pid < 0)
        return false;
    good = people_open(&people, &config) && measure(run, pid, &people, result);
    people_close(&people);
    server_stop(pid);
    read_commits(errors, &commits, &appended);
    if (commits > 0) {
        result->per_commit = appended / commits;
        result->commits_per_s = result->acks_per_s / result->per_commit;
    }
    server_data_remove(data);
    return good;
}

/* ---- Figures ---- */

static void
print_json(const struct run *run, const struct result *result)
{
    printf("{\"bench\": \"ack\", \"durability\": \"%s\", \"speakers\": %u, \"apart\": %s, "
           "\"sync_ms\": %u, \"size\": %u, "
           "\"acks\": %" PRIu64 ", \"acks_per_s\": %.1f, \"commits_per_s\": %.1f, "
           "\"messages_per_commit\": %.2f, \"ack_p50_ms\": %.3f, \"ack_p99_ms\": %.3f, "
           "\"server_us_per_message\": %.1f, \"server_cpu_percent\": %.1f, "
           "\"load_average_before\": %.2f}\n",
           run->durability, run->speakers, run->settings->apart ? "true" : "false",
           run->settings->sync_ms, run->settings->size, result->acks, result->acks_per_s,
           result->commits_per_s, result->per_commit, result->p50_ms, result->p99_ms,
           result->server_us, result->server_percent, run->settings->others);
    fflush(stdout);
}

static void
print_row(const struct run *run, const struct result *results, unsigned int rounds)
{
    printf("%-10s %8u %10.0f %10.0f %9.1f %9.2f %9.2f %9.1f %8.0f\n", run->durability,
           run->speakers, MEDIAN(results, rounds, acks_per_s),
           MEDIAN(results, rounds, commits_per_s), MEDIAN(results, rounds, per_commit),
           MEDIAN(results, rounds, p50_ms), MEDIAN(results, rounds, p99_ms),
           MEDIAN(results, rounds, server_us), MEDIAN(results, rounds, server_percent));
}

static void
print_table(const struct settings *settings, const struct run runs[][2],
            const struct result results[][2][ROUNDS_MAX], size_t count)
{
    unsigned int rounds = settings->rounds;

    printf("%u bytes, %s, %u s, median of %u, load average before %.1f\n", settings->size,
           settings->apart ? "each in a room of its own" : "all in the lobby", settings->seconds,
           rounds, settings->others);
    if (settings->sync_ms > 0)
        printf("the disk takes %u ms at least for each sync\n", settings->sync_ms);
    printf("\n");
    printf("%-10s %8s %10s %10s %9s %9s %9s %9s %8s\n", "durability", "speakers", "acks/s",
           "commits/s", "/commit", "p50 ms", "p99 ms", "server us", "server %");
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < 2; j++)
            print_row(&runs[i][j], results[i][j], rounds);
    printf("\n");
    for (size_t i = 0; i < count; i++)
        printf("%s: %u at once get %.1f times the acknowledgements/s of one\n",
               runs[i][0].durability, settings->speakers,
               MEDIAN(results[i][1], rounds, acks_per_s) /
                   MEDIAN(results[i][0], rounds, acks_per_s));
}

static int
run_all(const struct settings *settings)
{
    static struct result results[LEVELS][2][ROUNDS_MAX];
    struct run runs[LEVELS][2];
    size_t count = 0;

    for (size_t i = 0; i < LEVELS; i++) {
        if (settings->durability != NULL && strcmp(settings->durability, levels[i]) != 0)
            continue;
        runs[count][0] = (struct run){settings, levels[i], 1};
        runs[count][1] = (struct run){settings, levels[i], settings->speakers};
        count++;
    }
    for (unsigned int round = 0; round < settings->rounds; round++)
        for (size_t i = 0; i < 2 * count; i++) {
            struct run *run = &runs[i / 2][i % 2];
            struct result *result = &results[i / 2][i % 2][round];

            if (!child_run(run_here, run, result, sizeof(*result),
                           (int64_t)settings->seconds * 1000 + GRACE_MS)) {
                fprintf(stderr, "ack: no result with %u speakers, %s\n", run->speakers,
                        run->durability);
                return EXIT_FAILURE;
            }
            if (settings->json)
                print_json(run, result);
        }
    if (!settings->json)
        print_table(settings, (const struct run(*)[2])runs,
                    (const struct result(*)[2][ROUNDS_MAX])results, count);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    struct settings settings = {.speakers = 50, .size = 100, .seconds = 2, .rounds = 3};
    const struct option options[] = {
        {"speakers", "N", OPTION_NUMBER, &settings.speakers, 2, 1000, NULL,
         "how many at once, beside one; default 50"},
        {"size", "BYTES", OPTION_NUMBER, &settings.size, 1, MESSAGE_TEXT_MAX, NULL,
         "of a text; default 100"},
        {"seconds", "N", OPTION_NUMBER, &settings.seconds, 1, 600, NULL, "default 2"},
        {"durability", "HOW", OPTION_CHOICE, &settings.durability, 0, 0, "full|normal|none",
         "only this one; default all three"},
        {"sync-ms", "N", OPTION_NUMBER, &settings.sync_ms, 0, 1000, NULL,
         "what the disk takes at least for each sync; default 0"},
        {"apart", NULL, OPTION_FLAG, &settings.apart, 0, 0, NULL,
         "each speaks in a room of its own, so that nothing but the log is\n"
         "shared; default all in the lobby"},
        {"rounds", "N", OPTION_NUMBER, &settings.rounds, 1, ROUNDS_MAX, NULL,
         "the median of so many, alternately; default 3"},
        {"json", NULL, OPTION_FLAG, &settings.json, 0, 0, NULL,
         "a line of JSON for each run instead of a table"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const bool version = false;
    const struct option_program program = {
        .name = "ack",
        .usage = "usage: ack [OPTION]...\n\n"
                 "One in the lobby who waits for each acknowledgement, and many at once, each for\n"
                 "its own: acknowledgements a second, and the time to one.\n\n",
        .options = options,
        .help = &settings.help,
        .version = &version};
    int status = EXIT_SUCCESS;

    if (option_start(&program, argc, argv, NULL, 0, &status) < 0)
        return status;
    settings.others = load_average();
    return run_all(&settings);
}
