/* test_log.c: the log as its owner uses it, over real files: numbers, changes, pages, accounts,
 * rooms, what is kept. Each runs for every durability. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_help.h"

static enum log_durability durability;

static int
set_up(void **state)
{
    struct log_help *help = malloc(sizeof(*help));

    assert_non_null(help);
    log_help_init(help, durability);
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

/* ---- Numbers ---- */

static void
numbers_count_up_by_room(void **state)
{
    struct log_help *help = *state;
    struct log_entry there = log_help_say(1, NULL, "there");
    struct log_event event;

    log_help_open_room(help, "dev", 10, &event);
    there.room = event.room.id;
    assert_int_equal(log_help_number(help, log_help_say(1, NULL, "a")), 1);
    assert_int_equal(log_help_number(help, log_help_say(2, "x", "b")), 2);
    assert_int_equal(log_help_number(help, there), 1);
    assert_int_equal(log_help_number(help, log_help_say(1, NULL, "c")), 3);
}

static void
answers_say_what_was_asked_and_what_it_became(void **state)
{
    struct log_help *help = *state;
    struct log_entry entry = log_help_say(7, "id-1", "hello");
    struct log_event event;
    int user;

    entry.target = 3;
    entry.classic = entry.verified = true;
    assert_int_equal(log_append(help->log, &entry, &user, 99), LAZYCHAT_OK);
    log_help_await(help, 99, &event);
    assert_ptr_equal(event.user, &user);
    assert_null(event.code);
    assert_false(event.duplicate);
    assert_int_equal(event.entry.room, LOG_LOBBY);
    assert_int_equal(event.entry.account, 7);
    assert_int_equal(event.entry.kind, LOG_SAY);
    assert_string_equal(event.entry.nick, "ann");
    assert_string_equal(event.entry.id, "id-1");
    assert_string_equal(event.entry.text, "hello");
    assert_int_equal(event.entry.target, 3);
    assert_true(event.entry.classic && event.entry.verified);
    assert_int_equal(event.entry.seq, 1);
    assert_in_range(event.entry.at, INT64_C(1577836800000), INT64_C(7258118400000));
}

static void
a_turn_is_one_commit_and_answers_come_in_order(void **state)
{
    struct log_help *help = *state;
    struct log_stats before, after;
    struct log_event event;

    log_stats(help->log, &before);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct log_entry entry = log_help_say((int64_t)i % 7, NULL, "text");

        assert_int_equal(log_append(help->log, &entry, NULL, i), LAZYCHAT_OK);
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        log_help_await(help, i, &event);
        assert_int_equal(event.entry.seq, i);
    }
    log_stats(help->log, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.appended - before.appended, 1000);
    assert_int_equal(after.queued, 0);
}

static void
the_descriptor_is_quiet_when_all_is_taken(void **state)
{
    struct log_help *help = *state;
    struct pollfd fd = {.fd = log_fd(help->log), .events = POLLIN};
    struct log_entry entry = log_help_say(1, NULL, "a");
    struct log_event event;

    assert_int_equal(log_next(help->log, &event), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    log_append(help->log, &entry, NULL, 1);
    log_append(help->log, &entry, NULL, 2);
    log_flush(help->log);
    assert_int_equal(poll(&fd, 1, 20000), 1);
    while (log_next(help->log, &event) == 0)
        poll(&fd, 1, 1000);
    if (event.token == 1)
        assert_int_equal(poll(&fd, 1, 20000), 1);
    log_help_await(help, 2, &event);
    assert_int_equal(log_next(help->log, &event), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
}

static void
time_never_goes_back(void **state)
{
    struct log_help *help = *state;
    struct log_entry entry = log_help_say(1, NULL, "a");
    struct log_event event;

    log_help_close(help);
    help->config.now = log_help_now;
    log_help_set_now(5000);
    log_help_open(help);
    log_help_append(help, &entry, &event);
    assert_int_equal(event.entry.at, 5000);
    log_help_set_now(4000);
    log_help_append(help, &entry, &event);
    assert_int_equal(event.entry.at, 5000);
    if (durability == LOG_NONE)
        return;
    log_help_reopen(help);
    log_help_append(help, &entry, &event);
    assert_int_equal(event.entry.at, 5000);
    log_help_set_now(6000);
    log_help_append(help, &entry, &event);
    assert_int_equal(event.entry.at, 6000);
}

static void
the_queue_has_an_end(void **state)
{
    struct log_help *help = *state;
    struct log_entry entry = log_help_say(1, NULL, "a");
    struct log_event event;
    uint64_t queued = 0;
    int error;

    while ((error = log_append(help->log, &entry, NULL, queued + 1)) == LAZYCHAT_OK)
        queued++;
    assert_int_equal(error, LAZYCHAT_WOULD_BLOCK);
    assert_int_equal(queued, LOG_QUEUE_MAX);
    assert_int_equal(log_count(help->log, LOG_LOBBY, 1, 7), LAZYCHAT_WOULD_BLOCK);
    for (uint64_t i = 1; i <= queued; i++)
        log_help_await(help, i, &event);
    assert_int_equal(event.entry.seq, LOG_QUEUE_MAX);
    assert_int_equal(log_help_number(help, entry), LOG_QUEUE_MAX + 1);
}

static void
what_is_not_whole_is_invalid(void **state)
{
    struct log_help *help = *state;
    struct log_entry say = log_help_say(1, NULL, NULL);
    struct log_entry react = log_help_change(LOG_REACT, 1, 1);

    react.emoji = NULL;
    assert_int_equal(log_append(help->log, &say, NULL, 1), LAZYCHAT_INVALID);
    assert_int_equal(log_append(help->log, &react, NULL, 1), LAZYCHAT_INVALID);
    assert_int_equal(log_identify(help->log, LOG_KEY_SECRET, "", 0, 1), LAZYCHAT_INVALID);
    say.text = "a";
    say.room = 17;
    assert_string_equal(log_help_refusal(help, say), "no-room");
}

/* ---- Said once ---- */

static void
an_id_is_kept_once_for_each_account(void **state)
{
    struct log_help *help = *state;
    struct log_entry first = log_help_say(1, "a", "first"), again = log_help_say(1, "a", "again");
    struct log_event event, other;
    int64_t at;

    first.target = 5;
    log_help_append(help, &first, &event);
    at = event.entry.at;
    assert_int_equal(log_help_number(help, log_help_say(2, "a", "of another")), 2);
    if (durability != LOG_NONE)
        log_help_reopen(help);
    log_help_append(help, &again, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.seq, 1);
    assert_int_equal(event.entry.at, at);
    assert_int_equal(event.entry.target, 5);
    assert_string_equal(event.entry.text, "first");
    assert_string_equal(event.entry.nick, "ann");
    log_help_open_room(help, "dev", 10, &other);
    again.room = other.room.id;
    log_help_append(help, &again, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.room, LOG_LOBBY);
    assert_int_equal(log_help_number(help, log_help_say(1, "b", "next")), 3);
}

static void
an_id_twice_in_one_turn_is_kept_once(void **state)
{
    struct log_help *help = *state;
    struct log_entry entry = log_help_say(1, "a", "x");
    struct log_event event;

    log_append(help->log, &entry, NULL, 1);
    entry.text = "y";
    log_append(help->log, &entry, NULL, 2);
    log_help_await(help, 1, &event);
    assert_false(event.duplicate);
    log_help_await(help, 2, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.seq, 1);
    assert_string_equal(event.entry.text, "x");
}

static void
changes_have_ids_too(void **state)
{
    struct log_help *help = *state;
    struct log_entry edit = log_help_change(LOG_EDIT, 1, 1),
                     react = log_help_change(LOG_REACT, 1, 1),
                     redact = log_help_change(LOG_REDACT, 1, 1);
    struct log_event event;

    log_help_number(help, log_help_say(1, "s", "x"));
    edit.id = "e";
    react.id = "r";
    redact.id = "d";
    assert_int_equal(log_help_number(help, edit), 2);
    assert_int_equal(log_help_number(help, react), 3);
    assert_int_equal(log_help_number(help, redact), 4);
    log_help_append(help, &edit, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.seq, 2);
    assert_int_equal(event.entry.kind, LOG_EDIT);
    assert_int_equal(event.entry.target, 1);
    assert_string_equal(event.entry.text, "edited");
    log_help_append(help, &react, &event);
    assert_int_equal(event.entry.seq, 3);
    assert_string_equal(event.entry.emoji, "+");
    log_help_append(help, &redact, &event);
    assert_int_equal(event.entry.seq, 4);
    /* What was said is no longer known; the sender knows. */
    edit = log_help_say(1, "s", "mine");
    log_help_append(help, &edit, &event);
    assert_true(event.duplicate);
    assert_string_equal(event.entry.text, "mine");
}

/* ---- Changes ---- */

static void
edits_change_the_text(void **state)
{
    struct log_help *help = *state;
    struct log_entry forced = log_help_change(LOG_EDIT, 2, 1), topic = log_help_say(1, NULL, "t");
    const struct log_row *row;

    log_help_number(help, log_help_say(1, NULL, "x"));
    assert_false(log_help_row(help, LOG_LOBBY, 1)->edited);
    assert_string_equal(log_help_refusal(help, forced), "not-yours");
    forced.force = true;
    assert_int_equal(log_help_number(help, forced), 2);
    row = log_help_row(help, LOG_LOBBY, 1);
    assert_true(row->edited);
    assert_int_equal(row->changed, 2);
    assert_int_equal(row->account, 1);
    assert_string_equal(row->text, "edited");
    assert_null(log_help_row(help, LOG_LOBBY, 2));
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_EDIT, 1, 2)), "no-message");
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_EDIT, 1, 3)), "no-message");
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_EDIT, 1, 0)), "no-message");
    topic.kind = LOG_TOPIC;
    assert_int_equal(log_help_number(help, topic), 3);
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_EDIT, 1, 3)), "no-message");
}

static void
redacted_is_without_text_for_ever(void **state)
{
    struct log_help *help = *state;
    const struct log_row *row;

    log_help_number(help, log_help_say(1, "a", "x"));
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_REDACT, 2, 1)), "not-yours");
    assert_int_equal(log_help_number(help, log_help_change(LOG_REDACT, 1, 1)), 2);
    row = log_help_row(help, LOG_LOBBY, 1);
    assert_null(row->text);
    assert_string_equal(row->id, "a");
    assert_int_equal(row->changed, 2);
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_REDACT, 1, 1)), "no-message");
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_EDIT, 1, 1)), "no-message");
    assert_string_equal(log_help_refusal(help, log_help_change(LOG_REACT, 1, 1)), "no-message");
}

static void
reactions_are_counted(void **state)
{
    struct log_help *help = *state;
    struct log_entry react = log_help_change(LOG_REACT, 2, 1), off;
    const struct log_row *row;

    log_help_number(help, log_help_say(1, NULL, "x"));
    log_help_number(help, react);
    log_help_number(help, react); /* there already: logged, not counted */
    react.account = 1;
    log_help_number(help, react);
    react.emoji = "-";
    react.account = 3;
    log_help_number(help, react);
    row = log_help_row(help, LOG_LOBBY, 1);
    assert_int_equal(row->changed, 5);
    assert_int_equal(row->reaction_count, 2);
    assert_string_equal(row->reactions[0].emoji, "+");
    assert_int_equal(row->reactions[0].count, 2);
    assert_true(row->reactions[0].mine);
    assert_string_equal(row->reactions[1].emoji, "-");
    assert_int_equal(row->reactions[1].count, 1);
    assert_false(row->reactions[1].mine);
    off = react;
    off.on = false;
    log_help_number(help, off);
    log_help_number(help, off);
    row = log_help_row(help, LOG_LOBBY, 1);
    assert_int_equal(row->reaction_count, 1);
    assert_int_equal(row->changed, 7);
}

static void
twenty_different_reactions_are_enough(void **state)
{
    struct log_help *help = *state;
    struct log_entry react = log_help_change(LOG_REACT, 2, 1);
    char emoji[8];

    react.emoji = emoji;
    log_help_number(help, log_help_say(1, NULL, "x"));
    for (int i = 0; i < 20; i++) {
        snprintf(emoji, sizeof(emoji), "e%d", i);
        log_help_number(help, react);
    }
    snprintf(emoji, sizeof(emoji), "e20");
    assert_string_equal(log_help_refusal(help, react), "full");
    react.on = false;
    log_help_number(help, react);
    react.on = true;
    react.account = 3;
    snprintf(emoji, sizeof(emoji), "e7");
    assert_int_equal(log_help_number(help, react), 23);
}

/* ---- Rooms ---- */

static void
rooms_keep_name_port_and_topic(void **state)
{
    struct log_help *help = *state;
    struct log_entry topic = log_help_say(1, NULL, "the new topic");
    struct log_event event;
    struct log_room room;

    assert_true(log_room(help->log, 0, &room));
    assert_int_equal(room.id, LOG_LOBBY);
    assert_string_equal(room.name, "lobby");
    assert_int_equal(room.port, 2014);
    assert_false(log_room(help->log, 1, &room));
    log_help_open_room(help, "dev", 3, &event);
    assert_null(event.code);
    assert_true(event.fresh);
    assert_int_equal(event.room.port, 2015);
    assert_int_equal(event.room.head, 0);
    assert_int_equal(event.room.first, 1);
    assert_string_equal(event.room.topic, "a topic");
    log_help_open_room(help, "ops", 3, &event);
    assert_int_equal(event.room.port, 2016);
    log_help_open_room(help, "more", 3, &event);
    assert_string_equal(event.code, "full");
    topic.kind = LOG_TOPIC;
    topic.room = 2;
    log_help_number(help, topic);
    topic.kind = LOG_SAY;
    log_help_number(help, topic);
    log_help_open_room(help, "dev", 3, &event);
    assert_false(event.fresh);
    assert_int_equal(event.room.id, 2);
    assert_int_equal(event.room.head, 2);
    assert_int_equal(event.room.said, 1);
    assert_string_equal(event.room.topic, "the new topic");
    if (durability == LOG_NONE)
        return;
    log_help_reopen(help);
    assert_true(log_room(help->log, 1, &room));
    assert_string_equal(room.name, "dev");
    assert_int_equal(room.port, 2015);
    assert_int_equal(room.head, 2);
    assert_int_equal(room.said, 1);
    assert_string_equal(room.topic, "the new topic");
    assert_true(log_room(help->log, 2, &room));
    assert_string_equal(room.name, "ops");
    assert_false(log_room(help->log, 3, &room));
    topic.room = 2;
    assert_int_equal(log_help_number(help, topic), 3);
}

static void
a_redacted_topic_is_no_topic(void **state)
{
    struct log_help *help = *state;
    struct log_entry topic = log_help_say(1, NULL, "old");
    struct log_event event;

    topic.kind = LOG_TOPIC;
    log_help_number(help, topic);
    topic.text = "new";
    log_help_number(help, topic);
    log_help_number(help, log_help_change(LOG_REDACT, 1, 1));
    log_help_open_room(help, "lobby", 1, &event);
    assert_string_equal(event.room.topic, "new");
    log_help_number(help, log_help_change(LOG_REDACT, 1, 2));
    log_help_open_room(help, "lobby", 1, &event);
    assert_string_equal(event.room.topic, "");
}

/* ---- Accounts ---- */

static void
a_key_is_an_account(void **state)
{
    struct log_help *help = *state;
    struct log_event event;
    int64_t ann = log_help_identify(help, "key of ann", &event), bob;

    assert_null(event.nick);
    assert_int_equal(event.mark_count, 0);
    bob = log_help_identify(help, "key of bob", &event);
    assert_int_not_equal(ann, bob);
    if (durability != LOG_NONE)
        log_help_reopen(help);
    assert_int_equal(log_help_identify(help, "key of ann", &event), ann);
    assert_int_equal(log_identify(help->log, LOG_KEY_CERTIFICATE, "key of ann", 10, 5),
                     LAZYCHAT_OK);
    log_help_await(help, 5, &event);
    assert_int_not_equal(event.account, ann); /* another kind of key */
}

static const char *
name(struct log_help *help, int64_t account, const char *nick, const char *skeleton)
{
    static char code[32];
    struct log_event event;

    assert_int_equal(log_name(help->log, account, nick, skeleton, 77), LAZYCHAT_OK);
    log_help_await(help, 77, &event);
    assert_int_equal(event.type, LOG_NAMED);
    assert_int_equal(event.account, account);
    assert_string_equal(event.nick, nick);
    snprintf(code, sizeof(code), "%s", event.code == NULL ? "" : event.code);
    return code;
}

static void
names_that_look_alike_collide(void **state)
{
    struct log_help *help = *state;
    struct log_event event;
    int64_t ann = log_help_identify(help, "a", &event), bob = log_help_identify(help, "b", &event);

    assert_string_equal(name(help, ann, "Ann", "ann"), "");
    assert_string_equal(name(help, bob, "ANN", "ann"), "nick-taken");
    assert_string_equal(name(help, ann, "aNN", "ann"), "");
    assert_string_equal(name(help, ann, "Anna", "anna"), "");
    assert_string_equal(name(help, bob, "ann", "ann"), "");
    assert_string_equal(name(help, log_guest(help->log), "x", "x"), "not-joined");
    if (durability != LOG_NONE)
        log_help_reopen(help);
    log_help_identify(help, "a", &event);
    assert_string_equal(event.nick, "Anna");
    log_help_identify(help, "b", &event);
    assert_string_equal(event.nick, "ann");
}

static void
guests_have_numbers_of_their_own(void **state)
{
    struct log_help *help = *state;
    static bool used[40000];
    struct log_event event;
    int64_t highest = 0;

    memset(used, 0, sizeof(used));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3000; i++) {
            char key[32];
            int64_t account = log_guest(help->log);

            if (i % 500 == 0) {
                snprintf(key, sizeof(key), "%d %d", round, i);
                assert_in_range(account, 1, 39999);
                assert_false(used[account]);
                used[account] = true;
                account = log_help_identify(help, key, &event);
            }
            assert_in_range(account, 1, 39999);
            assert_false(used[account]);
            used[account] = true;
            highest = account > highest ? account : highest;
        }
        if (durability == LOG_NONE)
            return;
        log_help_reopen(help);
    }
    assert_in_range(highest, 12000, 12100); /* none is wasted when it ends well */
}

static void
marks_move_forward_and_count(void **state)
{
    struct log_help *help = *state;
    struct log_event event;
    int64_t ann = log_help_identify(help, "a", &event);

    for (int i = 0; i < 5; i++)
        log_help_number(help, log_help_say(1, NULL, "x"));   /* 1 to 5 */
    log_help_number(help, log_help_change(LOG_REACT, 1, 1)); /* 6 */
    log_help_number(help, log_help_say(1, NULL, "x"));       /* 7 */
    assert_int_equal(log_help_count(help, LOG_LOBBY, 0), 0);
    assert_int_equal(log_help_count(help, LOG_LOBBY, 3), 3);
    assert_int_equal(log_help_count(help, LOG_LOBBY, 6), 5);
    assert_int_equal(log_help_count(help, LOG_LOBBY, 7), 6);
    assert_int_equal(log_help_count(help, LOG_LOBBY, 1000), 6);
    log_mark(help->log, ann, LOG_LOBBY, 6);
    log_mark(help->log, ann, LOG_LOBBY, 2);
    log_mark(help->log, ann, 44, 2); /* no such room */
    log_mark(help->log, log_guest(help->log), LOG_LOBBY, 2);
    log_help_identify(help, "a", &event); /* at once, though it is not kept yet */
    assert_int_equal(event.mark_count, 1);
    assert_int_equal(event.marks[0].room, LOG_LOBBY);
    assert_int_equal(event.marks[0].seq, 6);
    assert_int_equal(event.marks[0].said, 5);
    log_mark(help->log, ann, LOG_LOBBY, 4);
    log_mark(help->log, ann, LOG_LOBBY, 1000);
    if (durability != LOG_NONE)
        log_help_reopen(help); /* closing keeps them */
    log_help_identify(help, "a", &event);
    assert_int_equal(event.mark_count, 1);
    assert_int_equal(event.marks[0].seq, 7);
    assert_int_equal(event.marks[0].said, 6);
    log_mark(help->log, ann, LOG_LOBBY, 3);
    log_help_identify(help, "a", &event);
    assert_int_equal(event.marks[0].seq, 7);
}

/* ---- Pages ---- */

static void
say_many(struct log_help *help, int count)
{
    for (int i = 0; i < count; i++)
        log_help_number(help, log_help_say(1, NULL, "0123456789"));
}

static void
pages_go_forwards(void **state)
{
    struct log_help *help = *state;
    struct log_range range = {.room = LOG_LOBBY, .limit = 4, .bytes = 10000};
    struct log_event event;

    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 1);
    assert_int_equal(event.until, 0);
    assert_int_equal(event.row_count, 0);
    say_many(help, 10);
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 1);
    assert_int_equal(event.until, 4);
    assert_int_equal(event.row_count, 4);
    assert_int_equal(event.head, 10);
    assert_int_equal(event.first, 1);
    assert_int_equal(event.room.id, LOG_LOBBY);
    assert_false(event.backwards);
    range.since = 4;
    range.until = 6;
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 5);
    assert_int_equal(event.until, 6);
    range.until = 0;
    range.bytes = 25;
    log_help_read(help, &range, &event);
    assert_int_equal(event.until, 6);
    range.bytes = 1; /* at least one */
    log_help_read(help, &range, &event);
    assert_int_equal(event.row_count, 1);
    range.since = 10;
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 11);
    assert_int_equal(event.until, 10);
    range.since = INT64_C(1) << 52;
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 11);
    assert_int_equal(event.row_count, 0);
    range.room = 9;
    log_help_read(help, &range, &event);
    assert_string_equal(event.code, "no-room");
}

static void
pages_go_backwards(void **state)
{
    struct log_help *help = *state;
    struct log_range range = {.room = LOG_LOBBY, .limit = 4, .bytes = 10000, .before = 1000};
    struct log_event event;

    log_help_read(help, &range, &event);
    assert_int_equal(event.row_count, 0);
    assert_int_equal(event.from, event.until + 1);
    say_many(help, 6);
    log_help_number(help, log_help_change(LOG_REACT, 1, 1)); /* 7 */
    log_help_read(help, &range, &event);
    assert_true(event.backwards);
    assert_int_equal(event.until, 7);
    assert_int_equal(event.from, 3);
    assert_int_equal(event.row_count, 4);
    assert_int_equal(event.rows[0].seq, 3);
    assert_int_equal(event.rows[3].seq, 6);
    range.before = 3;
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 1);
    assert_int_equal(event.until, 2);
    assert_int_equal(event.row_count, 2);
    range.before = 1;
    log_help_read(help, &range, &event);
    assert_int_equal(event.row_count, 0);
    assert_int_equal(event.from, event.until + 1);
}

/* Who has a hole at a change gets the message that it changed, even if it was changed again since.
 */
static void
a_page_brings_older_messages_that_its_numbers_changed(void **state)
{
    struct log_help *help = *state;
    struct log_range range = {
        .room = LOG_LOBBY, .limit = 10, .bytes = 10000, .since = 2, .until = 3};
    struct log_event event;

    say_many(help, 2);
    log_help_number(help, log_help_change(LOG_EDIT, 1, 1));  /* 3 */
    log_help_number(help, log_help_change(LOG_REACT, 2, 1)); /* 4 */
    log_help_number(help, log_help_change(LOG_REACT, 2, 2)); /* 5 */
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, 3);
    assert_int_equal(event.until, 3);
    assert_int_equal(event.row_count, 1);
    assert_int_equal(event.rows[0].seq, 1);
    assert_int_equal(event.rows[0].changed, 4);
    assert_string_equal(event.rows[0].text, "edited");
    range.until = 0;
    log_help_read(help, &range, &event);
    assert_int_equal(event.until, 5);
    assert_int_equal(event.row_count, 2);
    assert_int_equal(event.rows[0].seq, 1);
    assert_int_equal(event.rows[1].seq, 2);
    range.limit = 1;
    log_help_read(help, &range, &event);
    assert_int_equal(event.until, 4);
    range.since = 0;
    range.limit = 10;
    log_help_read(help, &range, &event);
    assert_int_equal(event.row_count, 2);
    assert_int_equal(event.until, 5);
}

/* ---- What is kept ---- */

static bool
has_dropped(struct log_help *help, const void *first)
{
    return help->first[LOG_LOBBY] == *(const int64_t *)first;
}

static void
only_the_latest_are_kept(void **state)
{
    struct log_help *help = *state;
    struct log_range range = {.room = LOG_LOBBY, .limit = 100, .bytes = 10000};
    struct log_entry edit = log_help_change(LOG_EDIT, 1, 1);
    struct log_event event;
    struct log_room room;
    int64_t first = 8;

    for (int i = 0; i < 10; i++) {
        char id[8];

        snprintf(id, sizeof(id), "i%d", i);
        log_help_number(help, log_help_say(1, id, "dropping"));
    }
    log_help_number(help, log_help_change(LOG_REACT, 1, 2));
    log_keep(help->log, LOG_LOBBY, 0, 3);
    log_flush(help->log);
    assert_true(log_help_until(help, has_dropped, &first));
    log_help_read(help, &range, &event);
    assert_int_equal(event.first, 8);
    assert_int_equal(event.from, 1);
    assert_int_equal(event.until, 11);
    assert_int_equal(event.row_count, 3);
    assert_string_equal(log_help_refusal(help, edit), "no-message");
    assert_int_equal(log_help_count(help, LOG_LOBBY, 3), 7); /* what is gone is no longer unread */
    assert_int_equal(log_help_count(help, LOG_LOBBY, 8), 8);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "dropping"), "10 9 8");
    edit = log_help_say(1, "i0", "again"); /* its id is still known */
    log_help_append(help, &edit, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.seq, 1);
    assert_string_equal(event.entry.text, "again");
    if (durability == LOG_NONE)
        return;
    log_help_reopen(help);
    assert_true(log_room(help->log, 0, &room));
    assert_int_equal(room.first, 8);
    assert_int_equal(room.head, 11);
    assert_int_equal(room.said, 10);
}

static void
the_old_are_not_kept_and_their_ids_a_week(void **state)
{
    struct log_help *help = *state;
    const int64_t day = 86400000;
    struct log_entry entry = log_help_say(1, "id", "old");
    struct log_event event;
    int64_t first = 3;

    log_help_close(help);
    help->config.now = log_help_now;
    log_help_set_now(100 * day);
    log_help_open(help);
    log_help_number(help, entry);
    log_help_set_now(102 * day);
    log_help_number(help, log_help_say(1, NULL, "x"));
    log_keep(help->log, LOG_LOBBY, 3 * day, 0);
    log_help_set_now(105 * day);
    log_flush(help->log);
    assert_true(log_help_until(help, has_dropped, &first));
    log_help_append(help, &entry, &event);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.at, 100 * day);
    log_help_set_now(107 * day + 1);
    for (int i = 0; i < 1000; i++) { /* it is forgotten soon, not at once */
        log_help_append(help, &entry, &event);
        if (!event.duplicate)
            break;
        poll(NULL, 0, 10);
    }
    assert_false(event.duplicate);
    assert_int_equal(event.entry.seq, 3);
}

/* ---- Searching ---- */

static void
words_are_found_by_their_beginnings(void **state)
{
    struct log_help *help = *state;
    struct log_event event;

    log_help_number(help, log_help_say(1, NULL, "The Release is on Friday")); /* 1 */
    log_help_number(help,
                    log_help_say(1, NULL, "released last friday; caf\u00e9 cr\u00e8me")); /* 2 */
    log_help_number(
        help,
        log_help_say(1, NULL, "\u4eca\u65e5\u306f\u826f\u3044\u5929\u6c17\u3067\u3059")); /* 3 */
    log_help_number(help, log_help_change(LOG_EDIT, 1, 1));                               /* 4 */
    assert_string_equal(log_help_found(help, LOG_LOBBY, "release"), "2");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "FRI rel"), "2");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "edit"), "1");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "eleased"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "friday monday"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "cafe"), "2");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "Cr\u00c8ME"), "2");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "\u5929\u6c17"), "3");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "\u6c17\u5929"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "\u4eca\u65e5 \u5929\u6c17"), "3");
    log_help_number(help, log_help_change(LOG_REDACT, 1, 2)); /* 5 */
    assert_string_equal(log_help_found(help, LOG_LOBBY, "release"), "");
    log_help_search(help, 9, "release", 0, 5, &event);
    assert_null(event.code);
    assert_int_equal(event.row_count, 0);
    assert_string_equal(event.query, "release");
}

static void
no_text_is_a_query_language(void **state)
{
    static const char *const texts[] = {"\"",       "\"\"", "*",      "a*b",      "NEAR(a b)",
                                        "a AND b",  "a OR", "NOT a",  "text:a",   "(",
                                        "^a",       "{",    "-a",     "+",        "a\"b\" OR \"c",
                                        "'",        "\\",   "\u2026", "a \u2026", "\xff\xfe",
                                        "\xe4\xbb", "",     " \t\n"};
    struct log_help *help = *state;
    struct log_event event;

    log_help_number(help, log_help_say(1, NULL, "a b near and or not text"));
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        log_help_search(help, LOG_LOBBY, texts[i], 0, 5, &event);
        if (event.code != NULL)
            fail_msg("%s: %s", texts[i], event.text);
    }
    assert_string_equal(log_help_found(help, LOG_LOBBY, "a \u2026 !"), "1");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "a OR zebra"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "!"), "");
}

static void
found_comes_in_pages_latest_first(void **state)
{
    struct log_help *help = *state;
    struct log_event event;

    log_help_close(help);
    help->config.piece = 16; /* so that it goes over several pieces */
    log_help_open(help);
    for (int i = 1; i <= 100; i++)
        log_help_number(help, log_help_say(1, NULL, i % 2 == 0 ? "even number" : "odd number"));
    log_help_search(help, LOG_LOBBY, "number", 0, 10, &event);
    assert_true(event.more);
    assert_int_equal(event.row_count, 10);
    assert_int_equal(event.rows[0].seq, 100);
    assert_int_equal(event.rows[9].seq, 91);
    log_help_search(help, LOG_LOBBY, "even", 7, 10, &event);
    assert_false(event.more);
    assert_int_equal(event.row_count, 3);
    assert_int_equal(event.rows[0].seq, 6);
    assert_int_equal(event.rows[2].seq, 2);
    log_help_search(help, LOG_LOBBY, "even", 7, 3, &event);
    assert_false(event.more);
    log_help_search(help, LOG_LOBBY, "even", 7, 2, &event);
    assert_true(event.more);
}

#define each(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        each(numbers_count_up_by_room),
        each(answers_say_what_was_asked_and_what_it_became),
        each(a_turn_is_one_commit_and_answers_come_in_order),
        each(the_descriptor_is_quiet_when_all_is_taken),
        each(time_never_goes_back),
        each(the_queue_has_an_end),
        each(what_is_not_whole_is_invalid),
        each(an_id_is_kept_once_for_each_account),
        each(an_id_twice_in_one_turn_is_kept_once),
        each(changes_have_ids_too),
        each(edits_change_the_text),
        each(redacted_is_without_text_for_ever),
        each(reactions_are_counted),
        each(twenty_different_reactions_are_enough),
        each(rooms_keep_name_port_and_topic),
        each(a_redacted_topic_is_no_topic),
        each(a_key_is_an_account),
        each(names_that_look_alike_collide),
        each(guests_have_numbers_of_their_own),
        each(marks_move_forward_and_count),
        each(pages_go_forwards),
        each(pages_go_backwards),
        each(a_page_brings_older_messages_that_its_numbers_changed),
        each(only_the_latest_are_kept),
        each(the_old_are_not_kept_and_their_ids_a_week),
        each(words_are_found_by_their_beginnings),
        each(no_text_is_a_query_language),
        each(found_comes_in_pages_latest_first),
    };

    if (argc != 2 || !log_durability_find(argv[1], &durability)) {
        fprintf(stderr, "usage: %s full|normal|none\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
