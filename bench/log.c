/* log.c: the log by itself, without a server: a room with a million messages, and acknowledgements
 * a second.
 *
 * `room`: how long it takes to read the last hundred and to search, and whether memory grows with
 * the log. `ack`: one who waits for each acknowledgement before the next, and many at once.
 */
#include "figures.h"
#include "log.h"
#include "option.h"

#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW     10000 /* appends under way while the room is filled */
#define VOCABULARY 20000
#define QUERIES    50

struct settings {
    unsigned int messages, speakers, seconds;
    const char *directory;
    bool help;
    double others;
};

static char directory[4096];

/* ---- A log ---- */

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void
remove_log(void)
{
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct log *
open_log(enum log_durability durability)
{
    const struct log_config config = {.directory = directory, .durability = durability};
    struct log *log;

    if (log_open(&log, &config, stderr) != LAZYCHAT_OK)
        exit(EXIT_FAILURE);
    return log;
}

/* The next event, however long it takes. */
static void
take(struct log *log, struct log_event *event)
{
    while (log_next(log, event) == 0) {
        struct pollfd fd = {.fd = log_fd(log), .events = POLLIN};

        poll(&fd, 1, -1);
    }
    if (event->code != NULL) {
        fprintf(stderr, "log: %s: %s\n", event->code, event->text);
        exit(EXIT_FAILURE);
    }
}

/* Resident, in KiB. */
static long
resident(void)
{
    long pages = 0, all;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL && fscanf(file, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long
file_mib(const char *name)
{
    char path[sizeof(directory) + 32];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &st) == 0 ? (long)(st.st_size >> 20) : 0;
}

/* ---- A room with many messages ---- */

static uint64_t seed = 1;

static uint64_t
random_below(uint64_t limit)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % limit;
}

/* A dozen words, some of them frequent as in any language; one in all, one in a single message. */
static const char *
make_text(unsigned int number, unsigned int rare)
{
    static char text[512];
    int used = snprintf(text, sizeof(text), "everywhere%s", number == rare ? " singular" : "");

    for (int i = 0; i < 10; i++) {
        double x = (double)random_below(1000000) / 1000000;

        used += snprintf(text + used, sizeof(text) - (size_t)used, " w%da%x",
                         (int)(x * x * x * VOCABULARY), (int)(x * x * x * VOCABULARY) * 7919);
    }
    return text;
}

static void
fill(struct log *log, const struct settings *settings)
{
    struct log_entry entry = {.room = LOG_LOBBY, .kind = LOG_SAY, .nick = "ann"};
    unsigned int sent = 0, taken = 0;
    struct log_event event;

    while (taken < settings->messages) {
        for (; sent < settings->messages && sent - taken < WINDOW; sent++) {
            char id[16];

            snprintf(id, sizeof(id), "%x", sent);
            entry.account = 1 + (int64_t)random_below(50);
            entry.id = id;
            entry.text = make_text(sent, settings->messages / 2);
            if (log_append(log, &entry, NULL, 1) != LAZYCHAT_OK)
                exit(EXIT_FAILURE);
        }
        log_flush(log);
        take(log, &event);
        taken++;
    }
}

static void
print_times(const char *what, struct samples *samples, size_t rows)
{
    printf("{\"bench\":\"log\",\"case\":\"%s\",\"rows\":%zu,\"p50_ms\":%.3f,\"max_ms\":%.3f}\n",
           what, rows, samples_ms(samples, 50), samples_ms(samples, 100));
    samples_free(samples);
    *samples = (struct samples){0};
}

static void
measure_reading(struct log *log, const char *what, const struct log_range *range)
{
    struct samples samples = {0};
    struct log_event event;

    for (int i = 0; i < QUERIES; i++) {
        int64_t start = now_ns();

        log_read(log, range, 1);
        log_flush(log);
        take(log, &event);
        samples_add(&samples, now_ns() - start);
    }
    print_times(what, &samples, event.row_count);
}

static void
measure_search(struct log *log, const char *what, const char *words)
{
    struct samples samples = {0};
    struct log_event event;

    for (int i = 0; i < QUERIES; i++) {
        int64_t start = now_ns();

        log_search(log, LOG_LOBBY, words, 0, 50, 1, 1);
        log_flush(log);
        take(log, &event);
        samples_add(&samples, now_ns() - start);
    }
    print_times(what, &samples, event.row_count);
}

static void
measure_room(const struct settings *settings)
{
    struct log *log = open_log(LOG_NORMAL);
    struct log_range range = {.room = LOG_LOBBY, .limit = 100, .bytes = 1000000};
    struct log_event event;
    long before = resident();
    int64_t start = now_ns(), filled, indexed;

    fill(log, settings);
    filled = now_ns();
    log_search(log, LOG_LOBBY, "absent", 0, 1, 1, 1); /* the index follows */
    log_flush(log);
    take(log, &event);
    indexed = now_ns();
    printf("{\"bench\":\"log\",\"case\":\"fill\",\"messages\":%u,\"messages_per_s\":%.0f,"
           "\"index_behind_s\":%.1f,\"resident_before_kib\":%ld,\"resident_after_kib\":%ld,"
           "\"log_mib\":%ld,\"index_mib\":%ld,\"load_average_before\":%.2f}\n",
           settings->messages, settings->messages / ((double)(filled - start) / 1e9),
           (double)(indexed - filled) / 1e9, before, resident(), file_mib("log.db"),
           file_mib("search.db"), settings->others);
    log_close(log);
    start = now_ns();
    log = open_log(LOG_NORMAL);
    printf("{\"bench\":\"log\",\"case\":\"open\",\"ms\":%.1f,\"resident_kib\":%ld}\n",
           (double)(now_ns() - start) / 1e6, resident());
    range.before = INT64_MAX;
    measure_reading(log, "last 100", &range);
    range.before = settings->messages / 2;
    measure_reading(log, "100 in the middle", &range);
    range.before = 0;
    range.since = (int64_t)settings->messages - 100;
    measure_reading(log, "since the last 100", &range);
    measure_search(log, "a word in one message", "singular");
    measure_search(log, "a word in every message", "everywhere");
    measure_search(log, "its first letter", "e");
    measure_search(log, "a word in no message", "absent");
    measure_search(log, "the frequent and the rare word", "everywhere singular");
    measure_search(log, "two words, frequent and less so", "everywhere w1234a");
    measure_search(log, "a letter in every message, and the rare word", "w singular");
    printf("{\"bench\":\"log\",\"case\":\"end\",\"resident_kib\":%ld}\n", resident());
    log_close(log);
    remove_log();
}

/* ---- Acknowledgements ---- */

static double
measure_acks(enum log_durability durability, const char *name, unsigned int speakers,
             const struct settings *settings)
{
    struct log *log = open_log(durability);
    struct log_entry entry = {.room = LOG_LOBBY, .kind = LOG_SAY, .nick = "ann"};
    int64_t *started = calloc(speakers, sizeof(*started)), begin = now_ns(), end;
    struct samples samples = {0};
    struct log_stats stats;
    struct log_event event;
    double rate;

    if (started == NULL)
        exit(EXIT_FAILURE);
    entry.text = "a hundred bytes of text, as people say it when they say a little more than they "
                 "have to say, ..";
    for (unsigned int i = 0; i < speakers; i++) {
        started[i] = now_ns();
        log_append(log, &entry, NULL, i);
    }
    log_flush(log);
    end = begin + (int64_t)settings->seconds * 1000 * NS_PER_MS;
    while (now_ns() < end) {
        struct pollfd fd = {.fd = log_fd(log), .events = POLLIN};

        poll(&fd, 1, -1);
        while (log_next(log, &event) == 1) { /* who has an answer says the next thing */
            int64_t now = now_ns();

            samples_add(&samples, now - started[event.token]);
            started[event.token] = now;
            entry.account = (int64_t)event.token + 1;
            log_append(log, &entry, NULL, event.token);
        }
        log_flush(log);
    }
    log_stats(log, &stats);
    rate = (double)samples.count / settings->seconds;
    printf("{\"bench\":\"log\",\"case\":\"ack\",\"durability\":\"%s\",\"speakers\":%u,"
           "\"acks_per_s\":%.0f,\"commits_per_s\":%.0f,\"commit_us\":%.0f,\"ack_p50_ms\":%.3f,"
           "\"ack_p99_ms\":%.3f}\n",
           name, speakers, rate, (double)stats.commits / settings->seconds,
           (double)stats.commit_us / (double)stats.commits, samples_ms(&samples, 50),
           samples_ms(&samples, 99));
    samples_free(&samples);
    free(started);
    log_close(log);
    remove_log();
    return rate;
}

static void
measure_all_acks(const struct settings *settings)
{
    static const char *const names[] = {"full", "normal", "none"};

    for (int i = 0; i < 3; i++) {
        double one = measure_acks((enum log_durability)i, names[i], 1, settings);
        double many = measure_acks((enum log_durability)i, names[i], settings->speakers, settings);

        printf("{\"bench\":\"log\",\"case\":\"ack "
               "ratio\",\"durability\":\"%s\",\"many_to_one\":%.1f}\n",
               names[i], many / one);
    }
}

int
main(int argc, char **argv)
{
    struct settings settings = {.messages = 1000000, .speakers = 50, .seconds = 3};
    const struct option options[] = {
        {"messages", "N", OPTION_NUMBER, &settings.messages, 100, 100000000, NULL,
         "in the room; default 1000000"},
        {"speakers", "N", OPTION_NUMBER, &settings.speakers, 2, 10000, NULL,
         "how many at once, beside one; default 50"},
        {"seconds", "N", OPTION_NUMBER, &settings.seconds, 1, 600, NULL,
         "of acknowledgements, each; default 3"},
        {"directory", "DIR", OPTION_TEXT, &settings.directory, 0, 0, NULL,
         "where the log is made and removed; default $TMPDIR or /var/tmp,\n"
         "which should be a disk"},
        {"help", NULL, OPTION_FLAG, &settings.help, 0, 0, NULL, "print this"},
        {0},
    };
    const bool version = false;
    const struct option_program program = {
        .name = "log",
        .usage = "usage: log [OPTION]...\n\n"
                 "The log without a server: a room with many messages, and acknowledgements a\n"
                 "second. Prints lines of JSON.\n\n",
        .options = options,
        .help = &settings.help,
        .version = &version};
    int status = EXIT_SUCCESS;

    if (option_start(&program, argc, argv, NULL, 0, &status) < 0)
        return status;
    if (settings.directory == NULL)
        settings.directory = getenv("TMPDIR");
    snprintf(directory, sizeof(directory), "%s/lazychat-log.XXXXXX",
             settings.directory == NULL ? "/var/tmp" : settings.directory);
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    settings.others = load_average();
    measure_room(&settings); /* first, while memory is as it was at the start */
    measure_all_acks(&settings);
    return EXIT_SUCCESS;
}
