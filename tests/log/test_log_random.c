/* test_log_random.c: the log against a model of it, a few arrays: 500 rounds of random requests
 * with a fixed seed; then everything that can be read is compared. Each tenth round is over files
 * and opens them again in between. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "log_help.h"

#define ROUNDS       500
#define STEPS        60
#define ROOMS        3
#define ACCOUNTS     4
#define EMOJI        23
#define NUMBERS      (STEPS + 1)
#define WORDS        6
#define TEXT_OF_SIZE 96

struct message {
    enum log_kind kind;
    int64_t account, at, target, changed;
    bool edited, redacted, classic, verified;
    char text[TEXT_OF_SIZE], id[16];
    int64_t reacted[EMOJI][ACCOUNTS + 1]; /* the number of the reaction, 0: none */
};

struct room {
    struct message messages[NUMBERS + 1]; /* by number */
    int64_t head, first;
};

static struct room rooms[ROOMS + 1];
static uint64_t seed;

static int
below(int limit)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((seed >> 33) % (uint64_t)limit);
}

static const char *const vocabulary[WORDS] = {"apple", "apply",  "banana",
                                              "band",  "cherry", "chess"};

static void
make_text(char *text)
{
    int count = 1 + below(3), used = 0;

    for (int i = 0; i < count; i++)
        used += snprintf(text + used, (size_t)(TEXT_OF_SIZE - used), "%s%s", i == 0 ? "" : " ",
                         vocabulary[below(WORDS)]);
}

/* ---- The model ---- */

static bool
is_change(enum log_kind kind)
{
    return kind == LOG_EDIT || kind == LOG_REDACT || kind == LOG_REACT;
}

static int
count_emoji(const struct message *message)
{
    int count = 0;

    for (int e = 0; e < EMOJI; e++) {
        bool any = false;

        for (int a = 1; a <= ACCOUNTS; a++)
            any = any || message->reacted[e][a] != 0;
        count += any;
    }
    return count;
}

static bool
has_emoji(const struct message *message, int emoji)
{
    for (int a = 1; a <= ACCOUNTS; a++)
        if (message->reacted[emoji][a] != 0)
            return true;
    return false;
}

/* The code that the log should refuse it with; "" for none. */
static const char *
judge(const struct room *room, const struct log_entry *entry, int emoji)
{
    const struct message *target;

    if (!is_change(entry->kind))
        return "";
    if (entry->target < room->first || entry->target > room->head)
        return "no-message";
    target = &room->messages[entry->target];
    if (is_change(target->kind) || target->redacted ||
        (entry->kind == LOG_EDIT && target->kind == LOG_TOPIC))
        return "no-message";
    if (entry->kind != LOG_REACT && target->account != entry->account && !entry->force)
        return "not-yours";
    if (entry->kind == LOG_REACT && entry->on && !has_emoji(target, emoji) &&
        count_emoji(target) >= 20)
        return "full";
    return "";
}

static void
apply(struct room *room, const struct log_entry *entry, int emoji)
{
    struct message *message = &room->messages[entry->seq], *target;

    memset(message, 0, sizeof(*message));
    message->kind = entry->kind;
    message->account = entry->account;
    message->at = entry->at;
    message->target = entry->target;
    message->classic = entry->classic;
    message->verified = entry->verified;
    snprintf(message->text, sizeof(message->text), "%s", entry->text == NULL ? "" : entry->text);
    snprintf(message->id, sizeof(message->id), "%s", entry->id == NULL ? "" : entry->id);
    room->head = entry->seq;
    if (!is_change(entry->kind))
        return;
    target = &room->messages[entry->target];
    target->changed = entry->seq;
    if (entry->kind == LOG_EDIT) {
        target->edited = true;
        snprintf(target->text, sizeof(target->text), "%s", entry->text);
    } else if (entry->kind == LOG_REDACT) {
        target->redacted = true;
    } else if (!entry->on) {
        target->reacted[emoji][entry->account] = 0;
    } else if (target->reacted[emoji][entry->account] == 0) {
        target->reacted[emoji][entry->account] = entry->seq;
    }
}

/* ---- A step ---- */

static void
step(struct log_help *help, int number)
{
    static const enum log_kind kinds[] = {LOG_SAY,  LOG_SAY,    LOG_SAY,   LOG_ACTION, LOG_TOPIC,
                                          LOG_EDIT, LOG_REDACT, LOG_REACT, LOG_REACT,  LOG_REACT};
    int which = 1 + below(ROOMS), emoji = below(EMOJI);
    struct room *room = &rooms[which];
    struct log_entry entry = log_help_say(1 + below(ACCOUNTS), NULL, NULL);
    char text[TEXT_OF_SIZE], id[16], emoji_text[8];
    struct log_event event;
    const char *expected;

    make_text(text);
    snprintf(id, sizeof(id), "id-%d", number);
    snprintf(emoji_text, sizeof(emoji_text), "e%d", emoji);
    entry.room = which;
    entry.kind = kinds[below(10)];
    entry.text = entry.kind == LOG_REDACT || entry.kind == LOG_REACT ? NULL : text;
    entry.emoji = entry.kind == LOG_REACT ? emoji_text : NULL;
    entry.on = below(4) > 0;
    entry.id = below(2) == 0 ? id : NULL;
    entry.force = below(2) == 0;
    entry.classic = below(5) == 0;
    entry.verified = below(5) == 0;
    entry.target = is_change(entry.kind) ? below((int)room->head + 3) : below(3);
    expected = judge(room, &entry, emoji);
    log_help_append(help, &entry, &event);
    assert_string_equal(event.code == NULL ? "" : event.code, expected);
    if (event.code != NULL)
        return;
    assert_false(event.duplicate);
    assert_int_equal(event.entry.seq, room->head + 1);
    entry.seq = event.entry.seq;
    entry.at = event.entry.at;
    apply(room, &entry, emoji);
    if (entry.id == NULL)
        return;
    log_help_append(help, &entry, &event); /* said again: nothing happens */
    assert_null(event.code);
    assert_true(event.duplicate);
    assert_int_equal(event.entry.seq, entry.seq);
    assert_int_equal(event.entry.at, entry.at);
}

/* ---- Comparing ---- */

static void
compare_reactions(const struct message *message, const struct log_row *row)
{
    int64_t earliest = 0;

    assert_int_equal(row->reaction_count, count_emoji(message));
    for (size_t i = 0; i < row->reaction_count; i++) {
        int emoji = atoi(row->reactions[i].emoji + 1);
        int64_t first = INT64_MAX, count = 0;

        for (int a = 1; a <= ACCOUNTS; a++)
            if (message->reacted[emoji][a] != 0) {
                count++;
                if (message->reacted[emoji][a] < first)
                    first = message->reacted[emoji][a];
            }
        assert_int_equal(row->reactions[i].count, count);
        assert_int_equal(row->reactions[i].mine, message->reacted[emoji][1] != 0);
        assert_true(first > earliest); /* in the order in which they came */
        earliest = first;
    }
}

static void
compare_row(const struct message *message, const struct log_row *row)
{
    assert_int_equal(row->kind, message->kind);
    assert_int_equal(row->account, message->account);
    assert_int_equal(row->at, message->at);
    assert_int_equal(row->reply, message->target);
    assert_int_equal(row->changed, message->changed);
    assert_int_equal(row->edited, message->edited);
    assert_int_equal(row->classic, message->classic);
    assert_int_equal(row->verified, message->verified);
    assert_string_equal(row->nick, "ann");
    assert_string_equal(row->id == NULL ? "" : row->id, message->id);
    if (message->redacted)
        assert_null(row->text);
    else
        assert_string_equal(row->text, message->text);
    compare_reactions(message, row);
}

/* Should this number be among the rows of a page? */
static bool
belongs(const struct room *room, int64_t number, int64_t from, int64_t until, bool backwards)
{
    if (number < room->first || is_change(room->messages[number].kind))
        return false;
    if (number >= from)
        return number <= until;
    for (int64_t n = from; n <= until && !backwards; n++)
        if (n >= room->first && is_change(room->messages[n].kind) &&
            room->messages[n].target == number)
            return true;
    return false;
}

static void
compare_page(const struct room *room, const struct log_event *event, const struct log_range *range)
{
    size_t next = 0;

    assert_null(event->code);
    assert_int_equal(event->head, room->head);
    assert_int_equal(event->first, room->first);
    assert_true(event->row_count <= range->limit);
    for (int64_t n = 1; n <= room->head; n++)
        if (belongs(room, n, event->from, event->until, event->backwards)) {
            assert_true(next < event->row_count);
            assert_int_equal(event->rows[next].seq, n);
            compare_row(&room->messages[n], &event->rows[next++]);
        }
    assert_int_equal(next, event->row_count);
}

static void
compare_forwards(struct log_help *help, int which)
{
    struct room *room = &rooms[which];
    struct log_range range = {.room = which, .bytes = 100, .account = 1};
    struct log_event event;

    range.since = below((int)room->head + 1);
    while (range.since < room->head) {
        range.limit = 1 + (size_t)below(8);
        range.until = below(2) == 0 ? 0 : range.since + 1 + below(10);
        log_help_read(help, &range, &event);
        assert_int_equal(event.from, range.since + 1);
        assert_in_range(event.until, event.from,
                        range.until == 0 || range.until > room->head ? room->head : range.until);
        compare_page(room, &event, &range);
        range.since = event.until;
    }
    log_help_read(help, &range, &event);
    assert_int_equal(event.from, event.until + 1);
    assert_int_equal(event.row_count, 0);
}

static void
compare_backwards(struct log_help *help, int which)
{
    struct room *room = &rooms[which];
    struct log_range range = {.room = which, .bytes = 100, .account = 1};
    struct log_event event;

    range.before = 1 + below((int)room->head + 3);
    for (;;) {
        int64_t before = range.before > room->head ? room->head + 1 : range.before;

        range.limit = 1 + (size_t)below(8);
        log_help_read(help, &range, &event);
        assert_true(event.backwards);
        assert_int_equal(event.until, before - 1);
        compare_page(room, &event, &range);
        if (event.from > event.until)
            break;
        range.before = event.from;
    }
    assert_true(event.until < room->first);
}

static bool
matches(const struct message *message, const char *a, const char *b)
{
    char spaced[TEXT_OF_SIZE + 2], word_a[20], word_b[20];

    snprintf(spaced, sizeof(spaced), " %s", message->text);
    snprintf(word_a, sizeof(word_a), " %s", a);
    snprintf(word_b, sizeof(word_b), " %s", b);
    return message->kind <= LOG_ACTION && !message->redacted && strstr(spaced, word_a) != NULL &&
           strstr(spaced, word_b) != NULL;
}

static void
compare_search(struct log_help *help, int which)
{
    const struct room *room = &rooms[which];
    char a[8], b[8], query[20];
    size_t limit = 1 + (size_t)below(5);
    struct log_event event;
    int64_t n = room->head;

    snprintf(a, sizeof(a), "%.*s", 1 + below(6), vocabulary[below(WORDS)]);
    snprintf(b, sizeof(b), "%.*s", below(4), vocabulary[below(WORDS)]);
    snprintf(query, sizeof(query), "%s %s", a, b);
    do {
        log_help_search(help, which, query, n + 1, limit, &event);
        assert_null(event.code);
        assert_true(event.row_count <= limit);
        for (size_t i = 0; i < event.row_count; i++, n--) {
            while (n >= room->first && !matches(&room->messages[n], a, b))
                n--;
            assert_int_equal(event.rows[i].seq, n);
            compare_row(&room->messages[n], &event.rows[i]);
        }
        while (n >= room->first && !matches(&room->messages[n], a, b))
            n--;
        assert_int_equal(event.more, n >= room->first);
        assert_true(!event.more || event.row_count == limit);
    } while (event.more);
}

static void
compare_counts(struct log_help *help, int which)
{
    const struct room *room = &rooms[which];
    int64_t said = 0, upto = below((int)room->head + 2);

    for (int64_t n = 1; n <= upto && n <= room->head; n++)
        said += room->messages[n].kind <= LOG_ACTION;
    if (room->first == 1)
        assert_int_equal(log_help_count(help, which, upto), said);
}

static void
compare(struct log_help *help)
{
    for (int which = 1; which <= ROOMS; which++) {
        compare_forwards(help, which);
        compare_backwards(help, which);
        compare_search(help, which);
        compare_counts(help, which);
    }
}

/* ---- A round ---- */

static bool
has_kept(struct log_help *help, const void *room)
{
    const int *which = room;

    return help->first[*which] > rooms[*which].first;
}

/* Has the log drop what is older than the latest few, and the model too. */
static void
drop(struct log_help *help)
{
    int which = 1 + below(ROOMS);
    struct room *room = &rooms[which];
    int64_t said = 0, keep = 1 + below(5), first = room->first;

    for (int64_t n = 1; n <= room->head; n++)
        said += room->messages[n].kind <= LOG_ACTION;
    for (int64_t n = 1, nth = 0; n <= room->head; n++) {
        nth += room->messages[n].kind <= LOG_ACTION;
        if (nth <= said - keep)
            first = n + 1;
    }
    if (first <= room->first)
        return;
    help->first[which] = 0;
    log_keep(help->log, which, 0, keep);
    log_flush(help->log);
    assert_true(log_help_until(help, has_kept, &which));
    assert_int_equal(help->first[which], first);
    log_keep(help->log, which, 0, 0);
    room->first = first;
}

static void
round_of(int number)
{
    struct log_help help;
    bool files = number % 10 == 0;

    seed = 1000 + (uint64_t)number;
    memset(rooms, 0, sizeof(rooms));
    log_help_init(&help, files ? LOG_NORMAL : LOG_NONE);
    help.config.piece = 8;
    log_help_open(&help);
    for (int which = 1; which <= ROOMS; which++) {
        char name[8];
        struct log_event event;

        rooms[which].first = 1;
        snprintf(name, sizeof(name), "room%d", which);
        if (which > 1)
            log_help_open_room(&help, name, ROOMS, &event);
    }
    for (int i = 0; i < STEPS; i++) {
        step(&help, i);
        if (below(20) == 0)
            compare(&help);
        if (below(60) == 0)
            drop(&help);
        if (files && below(20) == 0)
            log_help_reopen(&help);
    }
    compare(&help);
    drop(&help);
    compare(&help);
    log_help_finish(&help);
}

static void
the_log_is_what_the_model_is(void **state)
{
    (void)state;
    for (int number = 0; number < ROUNDS; number++) {
        if (number % 10 == 0)
            print_message("# round %d\n", number); /* where it was when it failed */
        round_of(number);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_log_is_what_the_model_is)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
