/* test_log_vanish.c: what was redacted, edited or dropped is in no file of the log's directory. The
 * promise is 60 s, which is the deadline of log_help_until. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log_help.h"

static int
set_up(void **state)
{
    struct log_help *help = malloc(sizeof(*help));

    assert_non_null(help);
    log_help_init(help, LOG_FULL);
    log_help_open(help);
    *state = help;
    return 0;
}

static int
tear_down(void **state)
{
    log_help_finish(*state);
    free(*state);
    return 0;
}

static bool
is_gone(struct log_help *help, const void *word)
{
    return !log_help_grep(help, word);
}

static void
a_redacted_text_vanishes(void **state)
{
    struct log_help *help = *state;

    log_help_number(help, log_help_say(1, NULL, "the Passw0rd1sHunter2 is secret"));
    log_help_number(help, log_help_say(1, NULL, "stays1Here"));
    assert_string_equal(log_help_found(help, LOG_LOBBY, "passw0rd1s"), "1"); /* it is indexed */
    assert_true(log_help_grep(help, "Passw0rd1sHunter2"));
    log_help_number(help, log_help_change(LOG_REDACT, 1, 1));
    assert_true(log_help_until(help, is_gone, "Passw0rd1sHunter2"));
    assert_true(log_help_until(help, is_gone, "passw0rd1shunter2")); /* as the index has it */
    assert_true(log_help_grep(help, "stays1Here"));
    assert_string_equal(log_help_found(help, LOG_LOBBY, "stays"), "2");
}

static void
old_versions_of_edited_texts_vanish(void **state)
{
    struct log_help *help = *state;
    struct log_entry edit = log_help_change(LOG_EDIT, 1, 1);

    log_help_number(help, log_help_say(1, NULL, "first0Version"));
    edit.text = "second0Version";
    log_help_number(help, edit);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "second"), "1");
    edit.text = "third0Version";
    log_help_number(help, edit);
    assert_true(log_help_until(help, is_gone, "first0Version"));
    assert_true(log_help_until(help, is_gone, "first0version"));
    assert_true(log_help_until(help, is_gone, "second0Version"));
    assert_true(log_help_until(help, is_gone, "second0version"));
    assert_true(log_help_grep(help, "third0Version"));
}

static void
a_redacted_topic_vanishes(void **state)
{
    struct log_help *help = *state;
    struct log_entry topic = log_help_say(1, NULL, "bad0Topic");

    topic.kind = LOG_TOPIC;
    log_help_number(help, topic);
    log_help_number(help, log_help_change(LOG_REDACT, 1, 1));
    assert_true(log_help_until(help, is_gone, "bad0Topic"));
}

static void
it_vanishes_although_the_server_ends_at_once(void **state)
{
    struct log_help *help = *state;

    log_help_number(help, log_help_say(1, NULL, "soon0Gone"));
    assert_string_equal(log_help_found(help, LOG_LOBBY, "soon0gone"), "1");
    log_help_number(help, log_help_change(LOG_REDACT, 1, 1));
    log_help_reopen(help);
    assert_true(log_help_until(help, is_gone, "soon0Gone"));
    assert_true(log_help_until(help, is_gone, "soon0gone"));
}

static void
it_vanishes_while_others_read(void **state)
{
    struct log_help *help = *state;
    const struct log_range range = {.room = LOG_LOBBY, .limit = 500, .bytes = 1000000};
    time_t deadline = time(NULL) + 60;
    struct log_event event;

    for (int i = 0; i < 500; i++)
        log_help_number(help, log_help_say(1, NULL, i == 250 ? "read0Out" : "something else"));
    assert_string_equal(log_help_found(help, LOG_LOBBY, "read0out"), "251");
    log_help_number(help, log_help_change(LOG_REDACT, 1, 251));
    while (log_help_grep(help, "read0Out") || log_help_grep(help, "read0out")) {
        assert_true(time(NULL) < deadline);
        for (int i = 0; i < 20; i++)
            log_help_read(help, &range, &event);
    }
}

/* ---- Many, at random ---- */

#define ROOMS 12
#define STEPS 12000

struct word {
    int64_t room, seq;
    bool gone;
    size_t padding;
};

static size_t
random_below(size_t limit)
{
    static uint64_t seed = 1;

    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(seed >> 33) % limit;
}

static const char *
text_of(size_t index, size_t padding)
{
    static char text[4096];
    int length = snprintf(text, sizeof(text), "Secret%07zuword ", index);

    memset(text + length, 'x', padding);
    text[(size_t)length + padding] = '\0';
    return text;
}

static void
take_any(struct log_help *help, uint64_t last)
{
    struct log_event event;

    log_flush(help->log);
    for (uint64_t taken = 0; taken < last;) {
        struct pollfd fd = {.fd = log_fd(help->log), .events = POLLIN};

        assert_int_equal(poll(&fd, 1, 20000), 1);
        while (log_next(help->log, &event) == 1) {
            assert_null(event.code);
            taken += event.token != 0;
        }
    }
}

static size_t
count_left(const struct log_help *help, const struct word *words, size_t count, size_t *live)
{
    /* The files are read once for all words: they all begin alike. */
    static bool there[STEPS];
    static const char *const files[] = {"log.db",    "log.db-wal",    "log.db-shm",
                                        "search.db", "search.db-wal", "search.db-shm"};
    size_t left = 0;

    memset(there, 0, sizeof(there));
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char path[256], *bytes;
        FILE *file;
        size_t size;

        snprintf(path, sizeof(path), "%s/%s", help->directory, files[i]);
        file = fopen(path, "r");
        if (file == NULL)
            continue;
        fseek(file, 0, SEEK_END);
        size = (size_t)ftell(file);
        rewind(file);
        bytes = malloc(size + 32);
        assert_non_null(bytes);
        size = fread(bytes, 1, size, file);
        memset(bytes + size, 0, 32);
        fclose(file);
        for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), "ecret", 5)) != NULL;
             at++)
            if (strspn(at + 5, "0123456789") == 7 && strncmp(at + 12, "word", 4) == 0 &&
                (size_t)atol(at + 5) < count)
                there[atol(at + 5)] = true;
        free(bytes);
    }
    *live = 0;
    for (size_t i = 0; i < count; i++) {
        left += words[i].gone && there[i];
        *live += words[i].seq > 0 && !words[i].gone && there[i];
    }
    return left;
}

static struct word words[STEPS];

static bool
are_all_gone(struct log_help *help, const void *context)
{
    size_t live;

    (void)context;
    return count_left(help, words, STEPS, &live) == 0;
}

/* In many rooms at once, so that SQLite splits and joins pages as it does over the years. */
static void
thousands_vanish(void **state)
{
    static const size_t paddings[] = {0, 10, 60, 500, 3000};
    struct log_help *help = *state;
    int64_t heads[ROOMS + 1] = {0};
    size_t live = 0, found;
    struct log_event event;
    uint64_t queued = 0;

    for (int i = 2; i <= ROOMS; i++) {
        char name[16];

        snprintf(name, sizeof(name), "room-%d", i);
        log_help_open_room(help, name, ROOMS, &event);
    }
    memset(words, 0, sizeof(words));
    for (size_t i = 0; i < STEPS; i++) {
        size_t what = random_below(10), which = i == 0 ? 0 : random_below(i);
        struct log_entry entry = log_help_say(1, NULL, NULL);

        words[i].padding = paddings[random_below(5)];
        entry.text = text_of(i, words[i].padding);
        entry.room = 1 + (int64_t)random_below(ROOMS);
        if (what < 6 || words[which].gone || words[which].seq == 0) {
            words[i].room = entry.room;
            words[i].seq = ++heads[entry.room];
        } else {
            entry.kind = what < 8 ? LOG_EDIT : LOG_REDACT;
            entry.room = words[which].room;
            entry.target = words[which].seq;
            heads[entry.room]++;
            if (entry.kind == LOG_EDIT) {
                words[i].room = entry.room;
                words[i].seq = entry.target;
            }
            words[which].gone = true;
        }
        assert_int_equal(log_append(help->log, &entry, NULL, ++queued), LAZYCHAT_OK);
        if (random_below(50) == 0) {
            take_any(help, queued);
            queued = 0;
        }
        if (i % 1000 == 999) {
            take_any(help, queued);
            queued = 0;
            assert_string_equal(log_help_found(help, 1, "nothing"), ""); /* all is indexed */
        }
    }
    take_any(help, queued);
    assert_true(log_help_until(help, are_all_gone, NULL));
    for (size_t i = 0; i < STEPS; i++)
        live += words[i].seq > 0 && !words[i].gone;
    for (size_t i = 0; i < STEPS; i += 97)
        if (words[i].seq > 0) {
            char word[32];

            snprintf(word, sizeof(word), "secret%07zuword", i);
            log_help_search(help, words[i].room, word, 0, 2, &event);
            assert_int_equal(event.row_count, words[i].gone ? 0 : 1);
            assert_true(words[i].gone || event.rows[0].seq == words[i].seq);
        }
    log_help_close(help); /* so that the files stand still */
    assert_int_equal(count_left(help, words, STEPS, &found), 0);
    assert_int_equal(found, live); /* whoever looks can see */
}

#define each(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        each(a_redacted_text_vanishes),      each(old_versions_of_edited_texts_vanish),
        each(a_redacted_topic_vanishes),     each(it_vanishes_although_the_server_ends_at_once),
        each(it_vanishes_while_others_read), each(thousands_vanish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
