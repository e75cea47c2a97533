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

/* No welcome within 10 s: given up, and tried again with longer and longer pauses. */
static void
test_backoff(void **state)
{
    const struct lazychat_config config = {0};
    int64_t began;
    unsigned int tries, most = 0;

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_expect(LOBBY, "join");
    began = fake_now();
    stage_until(stage.events[LAZYCHAT_LOST] == 1);
    assert_in_range(fake_now() - began, 9000, 10100);
    assert_string_equal(stage.text, "the server did not answer");
    assert_in_range(stage.retry, 0, 500);
    stage_unlisten(LOBBY);
    for (int64_t end = fake_now() + 600000; fake_now() < end;) {
        stage_turn(20);
        if (stage.retry > (int64_t)most)
            most = (unsigned int)stage.retry;
    }
    tries = stage.events[LAZYCHAT_CONNECTING];
    print_message("# %u tries in 10 minutes, the longest pause %u ms\n", tries, most);
    assert_in_range(tries, 16, 50); /* 30 s +-50 %, and what a refusal takes */
    assert_in_range(most, 30000, 45000);
    assert_true(stage.events[LAZYCHAT_LOST] >= tries - 1);
    stage_listen(LOBBY);
    stage_welcome(LOBBY, "lobby", "L", 0);
    stage_until(stage.events[LAZYCHAT_JOINED] == 1);
    stage_pass(6000);
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    tries = stage.events[LAZYCHAT_LOST];
    stage_until(stage.events[LAZYCHAT_LOST] > tries);
    assert_in_range(stage.retry, 0, 500); /* it held: the pauses begin anew */
}

/* The server vanishes without a word and another stands in its place later: PATH tells, within
 * seconds if something is outstanding, and a second association finds the new one, without waiting
 * for the next heartbeat of the first. */
static void
vanish(bool idle)
{
    const struct lazychat_config config = {0};
    struct address address;
    char id[LAZYCHAT_ID_SIZE];
    int64_t began;

    in_lobby(&config, 3);
    stage_pass(6000);
    address_parse(&address, STAGE_HOST, 9899);
    fake_cut(stage.fake, &address, 0);
    began = fake_now();
    if (!idle)
        assert_int_equal(lazychat_say(stage.room, "hello?", id), 0);
    stage_until(stage.events[LAZYCHAT_PATH] == 1);
    assert_true(fake_now() - began < (idle ? 20000 : 7000));
    stage_unlisten(LOBBY); /* its ABORT is lost as well */
    stage_pass(30000);
    stage_listen(LOBBY);
    fake_mend(stage.fake);
    began = fake_now();
    assert_int_equal(stage_number(stage_welcome(LOBBY, "lobby", "L", 3), "since"), 3);
    print_message("# found after %d ms\n", (int)(fake_now() - began));
    assert_true(fake_now() - began < 2500);
    if (!idle) {
        assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                            id);
        ack(LOBBY, 4, id);
        stage_until(stage.sent_count == 1);
        assert_heard(0, 4, 4);
    }
    stage_close();
}

static void
test_server_vanishes(void **state)
{
    (void)state;
    vanish(false);
    vanish(true);
}

/* ---- Order ---- */

static void
test_hole(void **state)
{
    const struct lazychat_config config = {0};
    json_t *json;

    (void)state;
    in_lobby(&config, 10);
    say(LOBBY, 11);
    say(LOBBY, 13);
    say(LOBBY, 13);
    say(LOBBY, 11);
    json = stage_expect(LOBBY, "history");
    assert_int_equal(stage_number(json, "since"), 11);
    assert_int_equal(stage_number(json, "until"), 12);
    say(LOBBY, 14);
    stage_pass(1000);
    assert_heard(0, 11, 11);
    batch(LOBBY, 12, 12, 14);
    stage_until(stage.heard_count == 4);
    say(LOBBY, 12);
    say(LOBBY, 15);
    stage_until(stage.json_last == 15);
    assert_heard(0, 11, 15);
    assert_true(stage.heard[1].old && !stage.heard[2].old);
    stage_expect_nothing(LOBBY, 30000);
}

/* Skipped at the end of the log: only `head` tells. One number of the batch is gone. */
static void
test_head(void **state)
{
    const struct lazychat_config config = {0};
    json_t *json;

    (void)state;
    in_lobby(&config, 10);
    stage_say(LOBBY, "{'t':'head','head':13,'first':1}");
    json = stage_expect(LOBBY, "history");
    assert_int_equal(stage_number(json, "since"), 10);
    stage_say(LOBBY, "{'t':'batch','from':11,'until':13,'first':1,'head':13,'items':["
                     "{'t':'say','seq':11,'at':1,'from':9,'nick':'bob','text':'a'},"
                     "{'t':'say','seq':13,'at':1,'from':9,'nick':'bob','redacted':true}]}");
    say(LOBBY, 14);
    stage_until(stage.heard_count == 3);
    assert_int_equal(stage.heard[0].seq, 11);
    assert_int_equal(stage.heard[1].seq, 13);
    assert_true(stage.heard[1].redacted);
    assert_int_equal(stage.heard[2].seq, 14);
    stage_expect_nothing(LOBBY, 30000);
}

/* An answer to `history` as a server gives it, of at most `most` numbers. */
static void
answer(uint16_t port, int64_t head, int64_t most)
{
    json_t *json = stage_expect(port, "history");
    int64_t since = stage_number(json, "since"), until = stage_number(json, "until");

    assert_true(until > since && until <= head);
    batch(port, since + 1, until - since > most ? since + most : until, head);
}

/* Far behind, with live messages meanwhile, and a server that gives less than was asked for. */
static void
test_far_behind(void **state)
{
    const struct lazychat_config config = {0};
    struct stage_message *message;
    int64_t head = 5000, asked = 0, since[4];
    size_t count = 0;

    (void)state;
    in_lobby(&config, 10);
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_welcome(LOBBY, "lobby", "L", 5000);
    batch(LOBBY, 11, 70, 5000);
    stage_until(stage.heard_count == 60);
    stage_pass(500);
    for (message = stage_port(LOBBY)->inbox; message != NULL; message = message->next) {
        assert_true(count < 4);
        since[count] = stage_number(message->json, "since");
        asked += stage_number(message->json, "until") - since[count];
        for (size_t i = 0; i < count; i++)
            assert_int_not_equal(since[i], since[count]);
        count++;
    }
    assert_int_equal(count, 4);
    assert_int_equal(asked, 400);
    while (stage.heard_count < 4990 + (size_t)(head - 5000) || head < 7000) {
        while (stage_port(LOBBY)->inbox != NULL)
            answer(LOBBY, head, 60);
        for (int i = 0; i < 20 && head < 7000; i++)
            say(LOBBY, ++head);
        stage_turn(20);
    }
    assert_heard(0, 11, 7000);
    assert_int_equal(stage.json_last, 7000);
    stage_expect_nothing(LOBBY, 30000);
}

/* The answer does not come; then it does not help; then it does. */
static void
test_asks_again(void **state)
{
    const struct lazychat_config config = {0};
    int64_t began;

    (void)state;
    in_lobby(&config, 10);
    say(LOBBY, 12);
    stage_expect(LOBBY, "history");
    began = fake_now();
    stage_expect(LOBBY, "history");
    assert_in_range(fake_now() - began, 9000, 11000);
    stage_say(LOBBY, "{'t':'batch','from':11,'until':10,'first':1,'head':12,'items':[]}");
    began = fake_now();
    stage_expect(LOBBY, "history");
    assert_in_range(fake_now() - began, 4000, 6000);
    stage_say(LOBBY, "{'t':'error','code':'slow-down','text':'too many','retry':3000}");
    began = fake_now();
    stage_expect(LOBBY, "history");
    assert_in_range(fake_now() - began, 2900, 4000);
    batch(LOBBY, 11, 11, 12);
    stage_until(stage.heard_count == 2);
    assert_heard(0, 11, 12);
}

/* More than can be held is dropped and asked for later: memory stays bounded. */
static void
test_held_is_bounded(void **state)
{
    const struct lazychat_config config = {0};
    int64_t head = 10;

    (void)state;
    in_lobby(&config, 10);
    for (head = 12; head <= 3000; head++)
        say(LOBBY, head);
    head--;
    stage_until(stage.room->sequence.head == head);
    assert_true(stage.room->sequence.held_count <= SEQUENCE_HELD_MAX);
    assert_int_equal(stage.heard_count, 0);
    while (stage.heard_count < (size_t)(head - 10)) {
        while (stage_port(LOBBY)->inbox != NULL)
            answer(LOBBY, head, 100);
        stage_turn(20);
    }
    assert_heard(0, 11, head);
}

/* Edits and reactions, live and folded, each counts once. */
static void
test_changes(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    in_lobby(&config, 10);
    say(LOBBY, 11);
    stage_say(LOBBY, "{'t':'reacted','seq':12,'at':1,'from':9,'nick':'bob','target':11,"
                     "'emoji':'x','on':true}");
    stage_until(stage.heard_count == 2);
    assert_int_equal(stage.heard[1].kind, LAZYCHAT_REACTED);
    assert_int_equal(stage.heard[1].target, 11);
    assert_false(stage.heard[1].applied);
    /* 13 to 15 are missed: an edit of 11, a say, a reaction to 11. The reaction 16 comes live, and
     * the batch, made after it, has it in already. */
    stage_say(LOBBY, "{'t':'reacted','seq':16,'at':1,'from':9,'nick':'bob','target':14,"
                     "'emoji':'x','on':true}");
    stage_expect(LOBBY, "history");
    stage_say(LOBBY, "{'t':'batch','from':13,'until':15,'first':1,'head':16,'items':["
                     "{'t':'say','seq':11,'at':1,'from':9,'nick':'bob','text':'new','edited':true,"
                     "'changed':15,'reactions':[{'emoji':'x','count':2}]},"
                     "{'t':'say','seq':14,'at':1,'from':9,'nick':'bob','text':'b','changed':16,"
                     "'reactions':[{'emoji':'x','count':1}]}]}");
    stage_until(stage.heard_count == 5);
    assert_int_equal(stage.heard[2].kind, LAZYCHAT_CHANGED);
    assert_int_equal(stage.heard[2].seq, 11);
    assert_string_equal(stage.heard[2].text, "new");
    assert_int_equal(stage.heard[2].reactions, 2);
    assert_int_equal(stage.heard[3].seq, 14);
    assert_int_equal(stage.heard[3].reactions, 1);
    assert_int_equal(stage.heard[4].seq, 16);
    assert_true(stage.heard[4].applied); /* counted in 14 already */
    stage_say(LOBBY, "{'t':'reacted','seq':17,'at':1,'from':9,'nick':'bob','target':14,"
                     "'emoji':'y','on':true}");
    stage_until(stage.heard_count == 6);
    assert_false(stage.heard[5].applied);
}

/* A batch on its own stream overtakes a live message that it tells a change of: the message is told
 * as the batch knows it, for the change itself will not be told. */
static void
test_batch_overtakes(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    in_lobby(&config, 10);
    say(LOBBY, 14);
    stage_expect(LOBBY, "history");
    stage_say(LOBBY, "{'t':'batch','from':13,'until':13,'first':1,'head':14,'items':["
                     "{'t':'say','seq':11,'at':1,'from':9,'nick':'bob','text':'b','changed':13,"
                     "'reactions':[{'emoji':'x','count':1}]}]}");
    stage_pass(100);
    say(LOBBY, 11);
    say(LOBBY, 12);
    stage_until(stage.heard_count == 3);
    assert_int_equal(stage.heard[0].seq, 11);
    assert_int_equal(stage.heard[1].seq, 12);
    assert_int_equal(stage.heard[0].reactions, 1);
    assert_int_equal(stage.heard[2].seq, 14);
}

/* Answers to what was asked before "slow down" come when other things were asked meanwhile: they
 * count for their own numbers and for no others. */
static void
test_late_answers(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    in_lobby(&config, 10);
    stage_say(LOBBY, "{'t':'head','head':300,'first':1}");
    for (int i = 0; i < 3; i++)
        stage_expect(LOBBY, "history");
    batch(LOBBY, 11, 50, 300);
    stage_expect(LOBBY, "history");
    stage_say(LOBBY, "{'t':'error','code':'slow-down','text':'no','retry':1000}");
    stage_until(stage_port(LOBBY)->inbox != NULL);
    stage_pass(100);
    batch(LOBBY, 111, 170, 300);
    stage_pass(100);
    while (stage.heard_count < 290) {
        while (stage_port(LOBBY)->inbox != NULL)
            answer(LOBBY, 300, 60);
        stage_turn(20);
    }
    assert_heard(0, 11, 300);
}

/* The numbers of another log mean other messages; and so does a log that lost its end. */
static void
test_other_log(void **state)
{
    const struct lazychat_config config = {.last = 3};

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", 10);
    batch(LOBBY, 8, 10, 10);
    stage_until(stage.heard_count == 3);
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_until(stage_port(LOBBY)->ups == 2);
    say(LOBBY, 51); /* before the welcome: nobody knows yet of which log */
    stage_welcome(LOBBY, "lobby", "M", 51);
    answer(LOBBY, 51, 100);
    stage_until(stage.heard_count == 6);
    assert_heard(3, 49, 51);
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_welcome(LOBBY, "lobby", "M", 2);
    answer(LOBBY, 2, 100);
    stage_until(stage.heard_count == 8);
    assert_heard(6, 1, 2);
}

/* `last` when the server has nothing to give for it, and when it gives less. */
static void
test_last(void **state)
{
    const struct lazychat_config config = {.last = 50};

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", 100);
    say(LOBBY, 101);
    stage_pass(2000);
    assert_int_equal(stage.heard_count, 0);
    batch(LOBBY, 81, 90, 101);
    answer(LOBBY, 101, 100);
    stage_until(stage.heard_count == 21);
    assert_heard(0, 81, 101);
    stage_end_client();
    stage.heard_count = 0;
    stage_begin_client(&config);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", 101);
    answer(LOBBY, 101, 100); /* no batch came: it asks in the end */
    stage_until(stage.heard_count == 50);
    assert_heard(0, 52, 101);
}

/* ---- The outbox ---- */

static void
test_outbox(void **state)
{
    enum { SAID = 40 };
    const struct lazychat_config config = {0};
    char ids[SAID][LAZYCHAT_ID_SIZE];
    int64_t seq = 10, began;

    (void)state;
    in_lobby(&config, 10);
    for (int i = 0; i < SAID; i++)
        assert_int_equal(lazychat_say(stage.room, "x", ids[i]), 0);
    for (int i = 0; i < OUTBOX_FLIGHT; i++)
        assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                            ids[i]);
    stage_expect_nothing(LOBBY, 1000);
    /* The first is logged, the second comes too fast, the third is refused. */
    ack(LOBBY, ++seq, ids[0]);
    assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                        ids[OUTBOX_FLIGHT]);
    stage_say(LOBBY, "{'t':'error','code':'bad-field','text':'no','id':'%s'}", ids[2]);
    stage_expect(LOBBY, "say");
    assert_int_equal(lazychat_unsent(stage.chat), SAID - 2);
    assert_int_equal(stage.retry, -1);
    stage_say(LOBBY, "{'t':'error','code':'slow-down','text':'no','id':'%s','retry':2000}", ids[1]);
    began = fake_now();
    assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                        ids[1]);
    assert_in_range(fake_now() - began, 1990, 2200);
    assert_int_equal(stage.events[LAZYCHAT_REFUSED], 2);
    assert_string_equal(stage.code, "slow-down");
    for (int i = 3; i < OUTBOX_FLIGHT + 2; i++)
        assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                            ids[i]);
    /* An acknowledgement comes twice; another's id is not ours. */
    ack(LOBBY, ++seq, ids[1]);
    ack(LOBBY, seq, ids[1]);
    stage_say(LOBBY, "{'t':'say','seq':%d,'at':1,'from':9,'nick':'eve','id':'%s','text':'x'}",
              (int)++seq, ids[3]);
    stage_until(stage.heard_count == 3);
    assert_int_equal(stage.sent_count, 2);
    assert_int_equal(lazychat_unsent(stage.chat), SAID - 3);
    /* Nobody acknowledges: said again after a while. */
    stage_expect(LOBBY, "say");
    assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                        ids[3]);
}

/* It was logged, but the news of it was lost with the association: the batch has it, and what is
 * said again comes back with its old number. */
static void
test_lost_acknowledgement(void **state)
{
    const struct lazychat_config config = {0};
    char ids[2][LAZYCHAT_ID_SIZE];

    (void)state;
    in_lobby(&config, 10);
    assert_int_equal(lazychat_say(stage.room, "one", ids[0]), 0);
    assert_int_equal(lazychat_edit(stage.room, 10, "two", ids[1]), 0);
    stage_expect(LOBBY, "say");
    stage_expect(LOBBY, "edit");
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_welcome(LOBBY, "lobby", "L", 12);
    stage_say(LOBBY,
              "{'t':'batch','from':11,'until':12,'first':1,'head':12,'items':["
              "{'t':'say','seq':10,'at':1,'from':7,'nick':'ann','text':'two','changed':12},"
              "{'t':'say','seq':11,'at':1,'from':7,'nick':'ann','id':'%s','text':'one'}]}",
              ids[0]);
    stage_until(stage.sent_count == 1);
    assert_string_equal(stage.sent[0].id, ids[0]);
    stage_until(stage_port(LOBBY)->inbox != NULL);
    while (stage_port(LOBBY)->inbox->next != NULL) /* the say too, if the batch came after it */
        stage_expect(LOBBY, "say");
    assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "edit"), "id")),
                        ids[1]);
    stage_say(LOBBY,
              "{'t':'edited','seq':12,'at':1,'from':7,'nick':'ann','id':'%s','target':10,"
              "'text':'two'}",
              ids[1]);
    stage_until(stage.sent_count == 2);
    assert_int_equal(lazychat_unsent(stage.chat), 0);
    assert_int_equal(stage.heard_count, 2); /* 10 changed, 11; the edit itself is in 10 */
}

static void
test_bad_arguments(void **state)
{
    const struct lazychat_config config = {0};
    struct lazychat_config bad = {.secret = "short"};
    struct lazychat_room *room;
    char text[LAZYCHAT_TEXT_MAX + 2], why[200];
    struct lazychat *chat;

    (void)state;
    assert_int_equal(lazychat_open(&chat, &bad), LAZYCHAT_INVALID);
    bad = (struct lazychat_config){.profile = "fast"};
    assert_int_equal(lazychat_open(&chat, &bad), LAZYCHAT_INVALID);
    stage_open(&config, NULL);
    assert_int_equal(lazychat_open(&chat, &config), LAZYCHAT_IN_USE);
    assert_int_equal(lazychat_join(stage.chat, "/x", &room), LAZYCHAT_INVALID);
    assert_int_equal(lazychat_join(stage.chat, STAGE_HOST "/Not Good", &room), LAZYCHAT_INVALID);
    assert_int_equal(lazychat_join(stage.chat, STAGE_HOST, &room), 0);
    assert_ptr_equal(stage_join(STAGE_HOST "/lobby"), room);
    memset(text, 'x', sizeof(text));
    text[LAZYCHAT_TEXT_MAX + 1] = '\0';
    assert_int_equal(lazychat_say(room, text, NULL), LAZYCHAT_TOO_LARGE);
    text[LAZYCHAT_TEXT_MAX] = '\0';
    assert_int_equal(lazychat_say(room, text, NULL), 0);
    assert_int_equal(lazychat_say(room, "", NULL), LAZYCHAT_INVALID);
    assert_int_equal(lazychat_say(room, "\x1b[2J", NULL), LAZYCHAT_INVALID);
    assert_int_equal(lazychat_say(room, "\xff", NULL), LAZYCHAT_INVALID);
    assert_int_equal(lazychat_typing(room, true), LAZYCHAT_GONE);
    assert_int_equal(lazychat_send_json(room, "{\"t\":\"join\"}", 12, why), LAZYCHAT_INVALID);
    assert_string_equal(why, "the client joins by itself");
    assert_int_equal(lazychat_send_json(room, "{\"t\":\"say\"}", 11, why), LAZYCHAT_INVALID);
    assert_string_equal(why, "text is missing");
    assert_int_equal(lazychat_send_json(room, "{\"t\":\"say\",\"text\":\"x\"}", 22, why), 0);
    assert_int_equal(lazychat_unsent(stage.chat), 2);
    for (int i = 2; i < OUTBOX_MAX; i++)
        assert_int_equal(lazychat_say(room, "x", NULL), 0);
    assert_int_equal(lazychat_say(room, "x", NULL), LAZYCHAT_WOULD_BLOCK);
}

/* ---- The rest ---- */

static void
test_read_markers(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    in_lobby(&config, 10);
    for (int64_t seq = 1; seq <= 5; seq++)
        assert_int_equal(lazychat_read(stage.room, seq), 0);
    assert_int_equal(stage_number(stage_expect(LOBBY, "read"), "seq"), 5);
    assert_int_equal(lazychat_read(stage.room, 6), 0);
    assert_int_equal(lazychat_read(stage.room, 3), 0);
    stage_expect_nothing(LOBBY, 1500);
    assert_int_equal(lazychat_read(stage.room, 7), 0);
    assert_int_equal(stage_number(stage_expect(LOBBY, "read"), "seq"), 7);
    stage_say(LOBBY, "{'t':'read','room':'lobby','seq':9,'unread':1}");
    stage_until(stage.events[LAZYCHAT_READ] == 1);
    assert_int_equal(lazychat_read(stage.room, 8), 0); /* another client was faster */
    stage_expect_nothing(LOBBY, 5000);
    assert_int_equal(lazychat_read(stage.room, 10), 0);
    lazychat_leave(stage.room);
    assert_int_equal(stage_number(stage_expect(LOBBY, "read"), "seq"), 10);
    stage_until(stage_port(LOBBY)->downs == 1);
}

static void
test_lists(void **state)
{
    const struct lazychat_config config = {0};
    json_t *json;

    (void)state;
    in_lobby(&config, 10);
    stage_say(LOBBY, "{'t':'presence','roster':2,'people':2,'in':[{'account':9,'nick':'bob'}]}");
    stage_until(stage.events[LAZYCHAT_PRESENCE] == 1);
    assert_int_equal(stage.listed, 1);
    /* 3 was lost: the names are asked for, and come in pages. */
    stage_say(LOBBY, "{'t':'presence','roster':4,'people':3,'out':[{'account':9}]}");
    json = stage_expect(LOBBY, "names");
    assert_int_equal(stage_number(json, "after"), -1);
    stage_say(LOBBY, "{'t':'names','roster':4,'people':3,'items':[{'account':7,'nick':'ann'},"
                     "{'account':8,'nick':'cay'}],'next':8}");
    assert_int_equal(stage_number(stage_expect(LOBBY, "names"), "after"), 8);
    stage_say(LOBBY, "{'t':'names','roster':4,'people':3,'items':[{'account':11,'nick':'d'}]}");
    stage_until(stage.events[LAZYCHAT_NAMES] == 1);
    assert_int_equal(stage.listed, 3);
    assert_int_equal(stage.people, 3);
    stage_say(LOBBY, "{'t':'presence','roster':3,'people':9}"); /* late */
    assert_int_equal(lazychat_rooms(stage.room), 0);
    stage_expect(LOBBY, "rooms");
    stage_say(LOBBY, "{'t':'rooms','items':[{'room':'lobby','port':2014,'unread':2}],'next':2014}");
    assert_int_equal(stage_number(stage_expect(LOBBY, "rooms"), "after"), 2014);
    stage_say(LOBBY, "{'t':'rooms','items':[{'room':'dev','port':2015}]}");
    stage_until(stage.events[LAZYCHAT_ROOMS] == 1);
    assert_int_equal(stage.listed, 2);
    stage_say(LOBBY, "{'t':'heads','items':[{'room':'dev','head':9,'said':8}]}");
    stage_until(stage.events[LAZYCHAT_ROOMS] == 2);
    assert_int_equal(stage.events[LAZYCHAT_PRESENCE], 2);
    assert_int_equal(lazychat_history(stage.room, 8, 2), 0);
    json = stage_expect(LOBBY, "history");
    assert_int_equal(stage_number(json, "before"), 8);
    assert_int_equal(stage_number(json, "limit"), 2);
    batch(LOBBY, 6, 7, 10);
    stage_until(stage.events[LAZYCHAT_HISTORY] == 1);
    assert_int_equal(stage.listed, 2);
    assert_int_equal(lazychat_search(stage.room, "m", 0, 0), 0);
    stage_expect(LOBBY, "search");
    stage_say(LOBBY, "{'t':'found','text':'m','items':[{'t':'say','seq':6,'at':1,'from':9,"
                     "'nick':'bob','text':'m6'}]}");
    stage_until(stage.events[LAZYCHAT_FOUND] == 1);
    assert_int_equal(stage.heard_count, 0);
    assert_int_equal(lazychat_whisper(stage.room, "bob", "psst", NULL), 0);
    stage_expect(LOBBY, "whisper");
    assert_int_equal(lazychat_set_nick(stage.room, "eve"), 0);
    stage_expect(LOBBY, "nick");
    stage_say(LOBBY, "{'t':'you','account':7,'nick':'eve','verified':false}");
    stage_until(stage.events[LAZYCHAT_YOU] == 1);
    assert_string_equal(lazychat_room_nick(stage.room), "eve");
}

/* A question is asked again after the association was lost. */
static void
test_question_survives(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    in_lobby(&config, 10);
    assert_int_equal(lazychat_history(stage.room, 8, 2), 0);
    stage_expect(LOBBY, "history");
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_welcome(LOBBY, "lobby", "L", 10);
    assert_int_equal(stage_number(stage_expect(LOBBY, "history"), "before"), 8);
    batch(LOBBY, 6, 7, 10);
    stage_until(stage.events[LAZYCHAT_HISTORY] == 1);
}

/* The lobby was there for the sake of a room; then one joins it too. */
static void
test_lobby_later(void **state)
{
    const struct lazychat_config config = {.last = 2};
    struct lazychat_room *lobby;

    (void)state;
    stage_open(&config, NULL);
    stage_listen(ROOM);
    stage_join(STAGE_HOST "/dev");
    stage_welcome(LOBBY, "lobby", "L", 10);
    stage_expect(LOBBY, "open");
    stage_say(LOBBY, "{'t':'room','room':'dev','port':%d}", ROOM);
    stage_welcome(ROOM, "dev", "D", 0);
    stage_until(stage.events[LAZYCHAT_JOINED] == 1);
    say(LOBBY, 11);
    stage_pass(100);
    lobby = stage_join(STAGE_HOST);
    assert_int_equal(stage_number(stage_welcome(LOBBY, "lobby", "L", 11), "last"), 2);
    batch(LOBBY, 10, 11, 11);
    stage_until(stage.heard_count == 2);
    assert_heard(0, 10, 11);
    lazychat_leave(lobby);
    stage_pass(5000);
    assert_int_equal(stage_port(LOBBY)->downs, 0); /* it is still there for the room's sake */
    say(LOBBY, 12);
    stage_pass(1000);
    assert_int_equal(stage.heard_count, 2);
}

/* Out and in again: at once, on the same association; while that one ends, on another. What was
 * said before is said, and nothing that was said meanwhile is missed. */
static void
test_leaves_and_returns(void **state)
{
    const struct lazychat_config config = {0};
    struct lazychat_room *room;
    char id[LAZYCHAT_ID_SIZE];

    (void)state;
    in_lobby(&config, 10);
    assert_int_equal(lazychat_say(stage.room, "hi", id), 0);
    stage_expect(LOBBY, "say");
    lazychat_leave(stage.room);
    say(LOBBY, 11);
    stage_turn(10);
    stage_turn(10);
    room = stage_join(STAGE_HOST);
    assert_int_equal(stage_number(stage_welcome(LOBBY, "lobby", "L", 11), "since"), 10);
    batch(LOBBY, 11, 11, 11);
    stage_until(stage.heard_count == 1);
    assert_int_equal(stage_port(LOBBY)->ups, 1);
    ack(LOBBY, 11, id);
    stage_until(lazychat_unsent(stage.chat) == 0);
    assert_int_equal(lazychat_say(room, "bye", id), 0);
    lazychat_leave(room);
    stage_expect(LOBBY, "say");
    stage_pass(1000);
    assert_int_equal(stage_port(LOBBY)->downs, 0);
    ack(LOBBY, 12, id);
    stage_turn(10);
    stage_turn(1);
    assert_int_equal(lazychat_unsent(stage.chat), 0);
    room = stage_join(STAGE_HOST);
    assert_int_equal(stage_number(stage_welcome(LOBBY, "lobby", "L", 12), "since"), 11);
    stage_say(LOBBY,
              "{'t':'batch','from':12,'until':12,'first':1,'head':12,'items':[{'t':'say','seq':12,"
              "'at':1,'from':7,'nick':'ann','id':'%s','text':'bye'}]}",
              id);
    stage_until(stage.heard_count == 2);
    assert_int_equal(stage_port(LOBBY)->ups, 2);
    lazychat_leave(room);
    stage_until(stage_port(LOBBY)->downs == 2);
}

/* A server that was set up anew has another room behind the port. */
static void
test_port_of_another(void **state)
{
    const struct lazychat_config config = {0};

    (void)state;
    stage_open(&config, NULL);
    stage_listen(ROOM);
    stage_listen(ROOM + 1);
    stage_join(STAGE_HOST "/dev");
    stage_welcome(LOBBY, "lobby", "L", 0);
    stage_expect(LOBBY, "open");
    stage_say(LOBBY, "{'t':'room','room':'dev','port':%d}", ROOM);
    stage_welcome(ROOM, "ops", "O", 0);
    stage_expect(LOBBY, "open");
    stage_say(LOBBY, "{'t':'room','room':'dev','port':%d}", ROOM + 1);
    stage_welcome(ROOM + 1, "dev", "D", 0);
    stage_until(stage.events[LAZYCHAT_JOINED] == 1);
}

static void
test_raw(void **state)
{
    const struct lazychat_config config = {.raw = true};
    static char big[ENDPOINT_MESSAGE_MAX];
    unsigned int sent = 0;

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_until(stage.events[LAZYCHAT_JOINED] == 1);
    stage_say(LOBBY, "{'t':'say','seq':5,'at':1,'from':9}");
    stage_say(LOBBY, "{'t':'nonsense'}");
    stage_until(stage.json_count == 2);
    stage_expect_nothing(LOBBY, 20000);
    assert_int_equal(lazychat_send_json(stage.room, "{\"t\":\"join\",\"x\":1}", 18, NULL), 0);
    assert_int_equal(stage_number(stage_expect(LOBBY, "join"), "x"), 1);
    memset(big, ' ', sizeof(big));
    memcpy(big, "{\"t\":1}", 7);
    while (lazychat_send_json(stage.room, big, sizeof(big), NULL) == 0)
        sent++;
    assert_in_range(sent, 1, 10);
    stage_pass(1000);
    assert_int_equal(lazychat_send_json(stage.room, big, sizeof(big), NULL), 0);
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_until(stage.events[LAZYCHAT_LOST] == 1);
    assert_int_equal(stage.retry, -1);
    stage_pass(60000);
    assert_int_equal(stage.events[LAZYCHAT_CONNECTING], 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_joins_says_hears, end),
        cmocka_unit_test_teardown(test_comes_back, end),
        cmocka_unit_test_teardown(test_room_by_the_lobby, end),
        cmocka_unit_test_teardown(test_backoff, end),
        cmocka_unit_test_teardown(test_server_vanishes, end),
        cmocka_unit_test_teardown(test_hole, end),
        cmocka_unit_test_teardown(test_head, end),
        cmocka_unit_test_teardown(test_far_behind, end),
        cmocka_unit_test_teardown(test_asks_again, end),
        cmocka_unit_test_teardown(test_held_is_bounded, end),
        cmocka_unit_test_teardown(test_changes, end),
        cmocka_unit_test_teardown(test_batch_overtakes, end),
        cmocka_unit_test_teardown(test_late_answers, end),
        cmocka_unit_test_teardown(test_other_log, end),
        cmocka_unit_test_teardown(test_last, end),
        cmocka_unit_test_teardown(test_outbox, end),
        cmocka_unit_test_teardown(test_lost_acknowledgement, end),
        cmocka_unit_test_teardown(test_bad_arguments, end),
        cmocka_unit_test_teardown(test_read_markers, end),
        cmocka_unit_test_teardown(test_lists, end),
        cmocka_unit_test_teardown(test_question_survives, end),
        cmocka_unit_test_teardown(test_lobby_later, end),
        cmocka_unit_test_teardown(test_leaves_and_returns, end),
        cmocka_unit_test_teardown(test_port_of_another, end),
        cmocka_unit_test_teardown(test_raw, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
