/* test_client.c: a client before a server that says exactly what the test wants. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOBBY 2014
#define ROOM  2015

static int
end(void **state)
{
    (void)state;
    stage_close();
    return 0;
}

/* In the lobby of a log that has `head` messages. */
static void
in_lobby(const struct lazychat_config *config, int64_t head)
{
    stage_open(config, NULL);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", head);
    stage_until(stage.events[LAZYCHAT_JOINED] == 1);
}

/* Another's message. */
static void
say(uint16_t port, int64_t seq)
{
    stage_say(port, "{'t':'say','seq':%lld,'at':%lld,'from':9,'nick':'bob','text':'m%lld'}",
              (long long)seq, (long long)seq, (long long)seq);
}

/* The client's own, logged. */
static void
ack(uint16_t port, int64_t seq, const char *id)
{
    stage_say(port, "{'t':'say','seq':%lld,'at':%lld,'from':7,'nick':'ann','id':'%s','text':'own'}",
              (long long)seq, (long long)seq, id);
}

/* An answer with `from` to `until`, all of them plain messages. */
static void
batch(uint16_t port, int64_t from, int64_t until, int64_t head)
{
    char text[16000];
    int used = snprintf(text, sizeof(text),
                        "{'t':'batch','from':%lld,'until':%lld,'first':1,'head':%lld,'items':[",
                        (long long)from, (long long)until, (long long)head);

    for (int64_t seq = from; seq <= until; seq++)
        used += snprintf(text + used, sizeof(text) - (size_t)used,
                         "%s{'t':'say','seq':%lld,'at':1,'from':9,'nick':'bob','text':'m%lld'}",
                         seq > from ? "," : "", (long long)seq, (long long)seq);
    stage_say(port, "%s]}", text);
}

/* Numbers from..until were handed over, once each and in order, and nothing else. */
static void
assert_heard(size_t at, int64_t from, int64_t until)
{
    assert_int_equal(stage.heard_count - at, until - from + 1);
    for (int64_t seq = from; seq <= until; seq++)
        assert_int_equal(stage.heard[at++].seq, seq);
}

/* ---- Joining ---- */

static void
test_joins_says_hears(void **state)
{
    const struct lazychat_config config = {.nick = "ann"};
    char id[LAZYCHAT_ID_SIZE], second[LAZYCHAT_ID_SIZE];
    json_t *json;

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    assert_int_equal(lazychat_say(stage.room, "early", id), 0);
    json = stage_welcome(LOBBY, "lobby", "L", 41);
    assert_string_equal(json_string_value(json_object_get(json, "nick")), "ann");
    assert_int_equal(json_string_length(json_object_get(json, "secret")), 32);
    assert_int_equal(stage_number(json, "since"), -1);
    assert_int_equal(stage_number(json, "last"), -1);
    json = stage_expect(LOBBY, "say");
    assert_string_equal(json_string_value(json_object_get(json, "id")), id);
    assert_string_equal(json_string_value(json_object_get(json, "text")), "early");
    assert_int_equal(lazychat_unsent(stage.chat), 1);
    ack(LOBBY, 42, id);
    say(LOBBY, 43);
    stage_until(stage.heard_count == 2);
    assert_heard(0, 42, 43);
    assert_true(stage.heard[0].own && !stage.heard[1].own && !stage.heard[1].old);
    assert_int_equal(stage.sent_count, 1);
    assert_string_equal(stage.sent[0].id, id);
    assert_int_equal(stage.sent[0].seq, 42);
    assert_int_equal(lazychat_unsent(stage.chat), 0);
    assert_int_equal(lazychat_room_account(stage.room), 7);
    assert_true(lazychat_room_joined(stage.room));
    assert_int_equal(lazychat_say(stage.room, "x", second), 0);
    assert_string_not_equal(id, second);
}

/* The association is aborted: it comes back after a short pause, says what it knows, and says again
 * what was not acknowledged. */
static void
test_comes_back(void **state)
{
    const struct lazychat_config config = {0};
    char id[LAZYCHAT_ID_SIZE];
    json_t *json;

    (void)state;
    in_lobby(&config, 10);
    say(LOBBY, 11);
    stage_until(stage.heard_count == 1);
    assert_int_equal(lazychat_say(stage.room, "lost", id), 0);
    stage_expect(LOBBY, "say");
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_until(stage.events[LAZYCHAT_LOST] == 1);
    assert_in_range(stage.retry, 0, 500);
    json = stage_welcome(LOBBY, "lobby", "L", 13);
    assert_int_equal(stage_number(json, "since"), 11);
    batch(LOBBY, 12, 13, 13);
    json = stage_expect(LOBBY, "say");
    assert_string_equal(json_string_value(json_object_get(json, "id")), id);
    ack(LOBBY, 14, id);
    stage_until(stage.sent_count == 1);
    assert_heard(0, 11, 14);
    assert_true(stage.heard[1].old && !stage.heard[3].old);
}

static void
test_room_by_the_lobby(void **state)
{
    const struct lazychat_config config = {.last = 5};
    struct lazychat_room *dev;
    json_t *json;

    (void)state;
    stage_open(&config, NULL);
    stage_listen(ROOM);
    dev = stage_join(STAGE_HOST "/dev");
    json = stage_welcome(LOBBY, "lobby", "L", 10);
    assert_int_equal(stage_number(json, "last"), -1); /* the lobby is there for its ports only */
    json = stage_expect(LOBBY, "open");
    assert_string_equal(json_string_value(json_object_get(json, "room")), "dev");
    say(LOBBY, 11);
    stage_say(LOBBY, "{'t':'room','room':'dev','port':%d}", ROOM);
    json = stage_welcome(ROOM, "dev", "D", 20);
    assert_int_equal(stage_number(json, "last"), 5);
    batch(ROOM, 16, 20, 20);
    say(ROOM, 21);
    stage_until(stage.heard_count == 6);
    assert_heard(0, 16, 21);
    assert_int_equal(stage.events[LAZYCHAT_JOINED], 1);
    assert_true(lazychat_room_joined(dev));
    stage_expect_nothing(LOBBY, 1000);
    lazychat_leave(dev);
    stage_until(stage_port(ROOM)->downs == 1 && stage_port(LOBBY)->downs == 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_joins_says_hears, end),
        cmocka_unit_test_teardown(test_comes_back, end),
        cmocka_unit_test_teardown(test_room_by_the_lobby, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
