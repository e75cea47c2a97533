/* test_log_power.c: the power goes at a random write, and the log is opened again from what a disk
 * would still have had. Under `full` everything that was answered is there, once, under its number;
 * under `normal` the latest may be missing, but what is there is whole. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cut_vfs.h"
#include "log_help.h"

#define DISKS    10
#define CUTS     20 /* of each disk: 200 */
#define SAID_MAX 20000
#define TURN_MAX 20
#define CUT_MAX  300 /* changes of the disk until the power goes */
#define ROOMS    2

/* What was asked for, by id. */
struct said {
    struct log_entry entry; /* its strings are made from the index */
    char text[64], id[16];
    int64_t seq, at; /* 0: not answered */
    bool tried;
    bool edited, redacted; /* by one that was answered */
    int64_t edited_by;     /* index of the latest answered edit */
    bool maybe;            /* a change of it was not answered, so who knows */
};

static struct said all[SAID_MAX];
static size_t said_count;
static uint64_t seed;

static size_t
below(size_t limit)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(seed >> 33) % limit;
}

/* ---- Saying ---- */

static struct said *
make_said(void)
{
    struct said *said = &all[said_count];

    assert_true(said_count < SAID_MAX);
    memset(said, 0, sizeof(*said));
    snprintf(said->text, sizeof(said->text), "common word%05zu %0*d", said_count, (int)below(30),
             1);
    snprintf(said->id, sizeof(said->id), "id-%zu", said_count);
    said->entry = log_help_say(1, said->id, said->text);
    said->entry.room = 1 + (int64_t)below(ROOMS);
    if (said_count > 0 && below(4) == 0) {
        struct said *target = &all[below(said_count)];

        if (target->seq > 0 && target->entry.kind == LOG_SAY && !target->redacted &&
            !target->maybe) {
            said->entry.kind = below(2) == 0 ? LOG_EDIT : LOG_REDACT;
            said->entry.room = target->entry.room;
            said->entry.target = target->seq;
            said->edited_by = target - all; /* for a change: whose */
        }
    }
    said_count++;
    return said;
}

static void
note_answer(struct said *said, const struct log_event *event)
{
    struct said *target = &all[said->edited_by];
    bool is_change = said->entry.kind != LOG_SAY;

    if (event->code != NULL) {
        if (is_change)
            target->maybe = true;
        return;
    }
    assert_true(said->seq == 0 || said->seq == event->entry.seq);
    said->seq = event->entry.seq;
    said->at = event->entry.at;
    if (!is_change)
        return;
    target->redacted = target->redacted || said->entry.kind == LOG_REDACT;
    if (said->entry.kind == LOG_EDIT) {
        target->edited = true;
        snprintf(target->text, sizeof(target->text), "%s", said->text);
    }
}

/* A turn of several, all handed over together. The log's answers, until there are that many. */
static void
take_turn(struct log_help *help)
{
    size_t count = 1 + below(TURN_MAX), first = said_count, answers = 0;
    struct log_event event;

    for (size_t i = 0; i < count; i++) {
        struct said *said = make_said();

        said->tried = true;
        /* Texts of ours may change while the log has its own copies. */
        assert_int_equal(log_append(help->log, &said->entry, NULL, first + i + 1), LAZYCHAT_OK);
        if (said->entry.kind != LOG_SAY)
            all[said->edited_by].maybe = true; /* until it is answered; none of this turn twice */
    }
    log_flush(help->log);
    while (answers < count) {
        struct pollfd fd = {.fd = log_fd(help->log), .events = POLLIN};

        assert_int_equal(poll(&fd, 1, 20000), 1);
        while (log_next(help->log, &event) == 1) {
            if (event.type != LOG_APPENDED)
                continue;
            if (event.code == NULL && all[event.token - 1].entry.kind != LOG_SAY)
                all[all[event.token - 1].edited_by].maybe = false;
            note_answer(&all[event.token - 1], &event);
            answers++;
        }
    }
}

/* ---- What is there ---- */

static struct said *
said_by_id(const char *id)
{
    return id == NULL ? NULL : &all[atoi(id + 3)];
}

static int64_t where[SAID_MAX], room_of[SAID_MAX]; /* in which message a word is, by its index */

static void
note_word(int64_t room, const struct log_row *row)
{
    const char *word = row->text == NULL ? NULL : strstr(row->text, "word");

    if (word == NULL)
        return;
    where[atoi(word + 4)] = row->seq;
    room_of[atoi(word + 4)] = room;
}

/* Under `full`, `must`: what was answered is there. Returns how many rows there are. */
static size_t
compare_room(struct log_help *help, int64_t room, bool must)
{
    struct log_range range = {.room = room, .limit = 1000, .bytes = 10000000};
    static bool there[SAID_MAX];
    struct log_event event;
    size_t count = 0;
    int64_t previous = 0;

    memset(there, 0, sizeof(there));
    do {
        log_help_read(help, &range, &event);
        assert_null(event.code);
        for (size_t i = 0; i < event.row_count; i++) {
            const struct log_row *row = &event.rows[i];
            struct said *said = said_by_id(row->id);

            assert_non_null(said);
            assert_true(row->seq > previous);
            previous = row->seq;
            assert_false(there[said - all]); /* once */
            there[said - all] = true;
            assert_int_equal(said->entry.room, room);
            assert_true(!must || said->seq == 0 || said->seq == row->seq);
            if (must && said->seq != 0 && !said->maybe) {
                assert_int_equal(row->at, said->at);
                if (said->redacted)
                    assert_null(row->text);
                else
                    assert_string_equal(row->text, said->text);
            }
            count += row->text != NULL;
            note_word(room, row);
        }
        range.since = event.until;
    } while (range.since < event.head);
    for (size_t i = 0; i < said_count && must; i++)
        if (all[i].seq > 0 && all[i].entry.room == room && all[i].entry.kind == LOG_SAY)
            assert_true(there[i]);
    return count;
}

/* The words that are in the texts of now are found there, and nowhere else. */
static void
compare_words(struct log_help *help, int64_t room)
{
    for (size_t i = 0; i < said_count; i += 1 + below(80)) {
        char word[32];
        struct log_event event;

        snprintf(word, sizeof(word), "word%05zu", i);
        log_help_search(help, room, word, 0, 2, &event);
        assert_null(event.code);
        assert_int_equal(event.row_count, where[i] != 0 && room_of[i] == room);
        if (event.row_count == 1)
            assert_int_equal(event.rows[0].seq, where[i]);
    }
}

static size_t
count_found(struct log_help *help, int64_t room)
{
    struct log_event event;
    int64_t before = 0;
    size_t count = 0;

    do {
        log_help_search(help, room, "common", before, 500, &event);
        if (event.code != NULL)
            fail_msg("%s %s", event.code, event.text);
        count += event.row_count;
        if (event.row_count > 0)
            before = event.rows[event.row_count - 1].seq;
    } while (event.more);
    return count;
}

static void
compare(struct log_help *help, bool must)
{
    memset(where, 0, sizeof(where));
    for (int64_t room = 1; room <= ROOMS; room++)
        assert_int_equal(count_found(help, room), compare_room(help, room, must));
    for (int64_t room = 1; room <= ROOMS; room++)
        compare_words(help, room);
}

/* What was not answered is said again, with its id: whether it was there or not, it is there once.
 * A change is given up: what it was about may be redacted by now. */
static void
say_again(struct log_help *help)
{
    struct log_event event;

    for (size_t i = 0; i < said_count; i++)
        if (all[i].tried && all[i].seq == 0 && all[i].entry.kind == LOG_SAY) {
            log_help_append(help, &all[i].entry, &event);
            assert_null(event.code);
            note_answer(&all[i], &event);
        }
}

/* ---- Rounds ---- */

static void
cut(struct log_help *help, bool must)
{
    struct log_event event;

    cut_vfs_arm(1 + (long)below(CUT_MAX));
    while (!cut_vfs_is_off())
        take_turn(help);
    log_help_close(help);
    cut_vfs_power_on();
    log_help_open(help);
    if (!must) {
        log_help_open_room(help, "dev", ROOMS, &event); /* may be gone as well */
        for (size_t i = 0; i < said_count; i++)
            all[i].seq = 0; /* so may this; its id tells */
    }
    compare(help, must);
    say_again(help);
    compare(help, must);
}

static void
run_disk(uint64_t disk, enum log_durability durability)
{
    struct log_help help;
    struct log_event event;

    seed = disk;
    said_count = 0;
    cut_vfs_reset(disk);
    log_help_init(&help, durability);
    help.config.vfs = CUT_VFS_NAME;
    help.config.piece = 64;
    log_help_open(&help);
    log_help_open_room(&help, "dev", ROOMS, &event);
    for (int i = 0; i < CUTS; i++)
        cut(&help, durability == LOG_FULL);
    log_help_finish(&help);
}

static void
what_was_answered_survives_power_cuts(void **state)
{
    (void)state;
    for (uint64_t disk = 1; disk <= DISKS; disk++)
        run_disk(disk, LOG_FULL);
}

static void
without_full_the_log_is_whole_at_least(void **state)
{
    (void)state;
    for (uint64_t disk = 1; disk <= DISKS; disk++)
        run_disk(100 + disk, LOG_NORMAL);
}

/* ---- A disk that fails ---- */

static void
fail_with(struct log_help *help, int number, const char *code)
{
    struct log_event event;

    log_help_number(help, log_help_say(1, NULL, "before"));
    cut_vfs_fail(number);
    assert_string_equal(log_help_refusal(help, log_help_say(1, NULL, "never")), code);
    assert_string_equal(help->state, code);
    log_help_identify(help, "ann", &event); /* who is known is known */
    cut_vfs_fail(0);
    log_help_number(help, log_help_say(1, NULL, "after"));
    assert_string_equal(help->state, "");
}

static void
a_failing_disk_refuses_and_recovers(void **state)
{
    struct log_help help;
    struct log_event event;
    (void)state;

    cut_vfs_reset(1);
    log_help_init(&help, LOG_FULL);
    help.config.vfs = CUT_VFS_NAME;
    log_help_open(&help);
    log_help_identify(&help, "ann", &event);
    fail_with(&help, ENOSPC, "log-full");
    fail_with(&help, EDQUOT, "log-full");
    fail_with(&help, EROFS, "log-read-only");
    fail_with(&help, EACCES, "log-read-only");
    fail_with(&help, EIO, "log-unavailable");
    assert_int_equal(help.states, 10);
    assert_string_equal(log_help_found(&help, LOG_LOBBY, "never"), "");
    assert_string_equal(log_help_found(&help, LOG_LOBBY, "after"), "10 8 6 4 2");
    log_help_finish(&help);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives_power_cuts),
        cmocka_unit_test(without_full_the_log_is_whole_at_least),
        cmocka_unit_test(a_failing_disk_refuses_and_recovers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
