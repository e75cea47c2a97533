/* test_message_write.c: messages as they are written, and the lists in them, both ways. */
#include "message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char bytes[4 * MESSAGE_MAX];

static void
expect_json(const struct message *message, enum message_side side, const char *json)
{
    int length = message_encode(message, side, bytes, sizeof(bytes) - 1);

    if (length < 0)
        fail_msg("%s: %s", json, lazychat_strerror(length));
    bytes[length] = '\0';
    assert_string_equal(bytes, json);
}

static void
expect_invalid(const struct message *message, enum message_side side)
{
    assert_int_equal(message_encode(message, side, bytes, sizeof(bytes)), LAZYCHAT_INVALID);
}

static struct message
a_say(void)
{
    struct message say;

    message_init(&say, MESSAGE_SAY);
    say.seq = 4712;
    say.at = 1795500000123;
    say.from = 7;
    say.nick = "ann";
    say.text = "hi";
    return say;
}

#define SAY "{\"t\":\"say\",\"seq\":4712,\"at\":1795500000123,\"from\":7,\"nick\":\"ann\""

/* What is not there is not written; what has its default neither, unless it is required. */
static void
test_absent(void **state)
{
    struct message message;

    (void)state;
    message_init(&message, MESSAGE_JOIN);
    expect_json(&message, MESSAGE_OF_CLIENT, "{\"t\":\"join\"}");
    message.since = 0;
    message.nick = "ann";
    message.text = "not of a join";
    message.seq = 5;
    expect_json(&message, MESSAGE_OF_CLIENT, "{\"t\":\"join\",\"nick\":\"ann\",\"since\":0}");

    message_init(&message, MESSAGE_TYPING);
    expect_json(&message, MESSAGE_OF_CLIENT, "{\"t\":\"typing\"}");
    message.on = false;
    expect_json(&message, MESSAGE_OF_CLIENT, "{\"t\":\"typing\",\"on\":false}");
    message.from = 9;
    message.nick = "bob";
    expect_json(&message, MESSAGE_OF_SERVER,
                "{\"t\":\"typing\",\"from\":9,\"nick\":\"bob\",\"on\":false}");
    message.on = true;
    expect_json(&message, MESSAGE_OF_SERVER,
                "{\"t\":\"typing\",\"from\":9,\"nick\":\"bob\",\"on\":true}");

    message_init(&message, MESSAGE_YOU);
    message.account = 7;
    message.nick = "Ann";
    expect_json(&message, MESSAGE_OF_SERVER,
                "{\"t\":\"you\",\"account\":7,\"nick\":\"Ann\",\"verified\":false}");

    message_init(&message, MESSAGE_HEADS);
    expect_json(&message, MESSAGE_OF_SERVER, "{\"t\":\"heads\",\"items\":[]}");
}

/* Without what is required nothing is written. */
static void
test_required(void **state)
{
    struct message say = a_say(), history;

    (void)state;
    expect_json(&say, MESSAGE_OF_SERVER, SAY ",\"text\":\"hi\"}");
    say.seq = MESSAGE_ABSENT;
    expect_invalid(&say, MESSAGE_OF_SERVER);
    say = a_say();
    say.nick = NULL;
    expect_invalid(&say, MESSAGE_OF_SERVER);
    say = a_say();
    say.text = NULL;
    expect_invalid(&say, MESSAGE_OF_SERVER);
    expect_invalid(&say, MESSAGE_OF_CLIENT);
    say.redacted = true;
    expect_json(&say, MESSAGE_OF_SERVER, SAY ",\"redacted\":true}");

    message_init(&history, MESSAGE_HISTORY);
    expect_invalid(&history, MESSAGE_OF_CLIENT);
    history.since = history.before = 7;
    expect_invalid(&history, MESSAGE_OF_CLIENT);
    history.since = MESSAGE_ABSENT;
    expect_json(&history, MESSAGE_OF_CLIENT, "{\"t\":\"history\",\"before\":7}");
    /* Servers send none. */
    expect_invalid(&history, MESSAGE_OF_SERVER);
    message_init(&history, MESSAGE_TYPES);
    expect_invalid(&history, MESSAGE_OF_SERVER);
}

/* In a buffer of exactly its length, in none that is smaller, and never beyond. */
static void
test_buffers(void **state)
{
    struct message say = a_say();
    char buffer[200];
    int length = message_encode(&say, MESSAGE_OF_SERVER, buffer, sizeof(buffer));

    (void)state;
    assert_in_range(length, 1, 150);
    for (int size = 0; size <= length; size++) {
        memset(buffer, 'x', sizeof(buffer));
        assert_int_equal(
            message_encode(&say, MESSAGE_OF_SERVER, size == 0 ? NULL : buffer, (size_t)size),
            size < length ? LAZYCHAT_TOO_LARGE : length);
        for (size_t i = (size_t)size; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], 'x');
    }
    buffer[length] = '\0';
    assert_string_equal(buffer, SAY ",\"text\":\"hi\"}");
}

static void
test_not_utf8(void **state)
{
    static const char *const texts[] = {"\xff",         "a\x80",    "\xc0\x80",
                                        "\xed\xa0\x80", "\xe4\xbd", "\xf4\x90\x80\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct message say = a_say();
        struct json_t *list = NULL;

        say.text = texts[i];
        expect_invalid(&say, MESSAGE_OF_SERVER);
        expect_invalid(&say, MESSAGE_OF_CLIENT);
        assert_int_equal(message_add(&list, &say), LAZYCHAT_INVALID);
        assert_int_equal(message_count(list), 0);
        say.text = "hi";
        say.id = texts[i]; /* optional */
        expect_invalid(&say, MESSAGE_OF_SERVER);
    }
}

/* Whatever a text holds, what is read is what was written. */
static void
test_texts(void **state)
{
    static const char *const texts[] = {"\"\\/\n\t",     "\xc3\xa9 \xe4\xbd\xa0 \xf0\x9f\x98\x80",
                                        "\xe2\x80\xa8",  "{\"t\":\"say\"}",
                                        "\\u0041 1e999", "\xef\xbf\xbf"};
    struct message_fault fault;
    struct message say, read;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        int length;

        message_init(&say, MESSAGE_SAY);
        say.text = texts[i];
        length = message_encode(&say, MESSAGE_OF_CLIENT, bytes, sizeof(bytes));
        assert_int_equal(message_parse(&read, MESSAGE_OF_CLIENT, bytes, (size_t)length, &fault),
                         LAZYCHAT_OK);
        assert_string_equal(read.text, texts[i]);
        message_free(&read);
    }
}

/* The longest text fits, however it is written. */
static void
test_longest(void **state)
{
    static char text[MESSAGE_TEXT_MAX + 1];
    struct message say = a_say();

    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    say.text = text;
    say.id = "abcdefghijklmnopqrstuvwxyz012345";
    assert_in_range(message_encode(&say, MESSAGE_OF_SERVER, bytes, MESSAGE_MAX),
                    2 * MESSAGE_TEXT_MAX, MESSAGE_MAX);
}

/* ---- Lists ---- */

/* An element adds to the message what message_add says, so that it is known when it is full. */
static void
test_growth(void **state)
{
    static const char *const texts[] = {"x", "\"\n\xc3\xa9", "\\/\t\x7f", "\x01\x1f\b\f\r"};
    struct message batch, say = a_say(), reaction;
    int length, added, total;

    (void)state;
    message_init(&reaction, MESSAGE_REACTION);
    reaction.emoji = "\"";
    message_init(&batch, MESSAGE_BATCH);
    batch.from = batch.first = 1;
    batch.until = batch.head = 0;
    total = message_encode(&batch, MESSAGE_OF_SERVER, bytes, sizeof(bytes));
    for (int i = 0; i < 100; i++) {
        say.seq = i == 50 ? MESSAGE_NUMBER_MAX : i + 1;
        say.text = texts[i % 4];
        say.edited = i % 3 == 0;
        reaction.count = i;
        reaction.mine = i % 2 == 0;
        if (i % 10 > 7)
            assert_true(message_add(&say.reactions, &reaction) > 0);
        added = message_add(&batch.items, &say);
        message_free(&say);
        assert_in_range(added, 50, 250);
        total += added;
        length = message_encode(&batch, MESSAGE_OF_SERVER, bytes, sizeof(bytes));
        /* Before the first there is no comma. */
        assert_int_equal(length, total - 1);
    }
    assert_int_equal(message_count(batch.items), 100);
    message_free(&batch);
    assert_null(batch.items);
}

/* A batch with everything that may be in it, and back. */
static void
test_batch(void **state)
{
    struct message batch, say = a_say(), topic, reaction, read, element;
    struct message_fault fault;
    int length;

    (void)state;
    message_init(&reaction, MESSAGE_REACTION);
    reaction.emoji = "\xf0\x9f\x91\x8d";
    reaction.count = 2;
    reaction.mine = true;
    assert_true(message_add(&say.reactions, &reaction) > 0);
    message_init(&topic, MESSAGE_TOPIC);
    topic.seq = 4713;
    topic.at = topic.from = 1;
    topic.nick = "bob";
    topic.text = "";
    message_init(&batch, MESSAGE_BATCH);
    batch.from = batch.first = 4712;
    batch.until = batch.head = 4713;
    assert_true(message_add(&batch.items, &say) > 0);
    assert_true(message_add(&batch.items, &topic) > 0);
    message_free(&say);
    length = message_encode(&batch, MESSAGE_OF_SERVER, bytes, sizeof(bytes));
    message_free(&batch);

    assert_int_equal(message_parse(&read, MESSAGE_OF_SERVER, bytes, (size_t)length, &fault), 0);
    assert_int_equal(message_count(read.items), 2);
    assert_int_equal(message_element(read.items, 0, MESSAGE_SAY, &element), LAZYCHAT_OK);
    assert_int_equal(element.type, MESSAGE_SAY);
    assert_int_equal(element.seq, 4712);
    assert_string_equal(element.text, "hi");
    assert_int_equal(message_count(element.reactions), 1);
    assert_int_equal(message_element(element.reactions, 0, MESSAGE_REACTION, &reaction), 0);
    assert_string_equal(reaction.emoji, "\xf0\x9f\x91\x8d");
    assert_int_equal(reaction.count, 2);
    assert_true(reaction.mine);
    assert_int_equal(message_element(read.items, 1, MESSAGE_SAY, &element), LAZYCHAT_OK);
    assert_int_equal(element.type, MESSAGE_TOPIC);
    assert_string_equal(element.text, "");
    assert_int_equal(message_element(read.items, 2, MESSAGE_SAY, &element), LAZYCHAT_INVALID);
    assert_int_equal(message_element(NULL, 0, MESSAGE_SAY, &element), LAZYCHAT_INVALID);
    /* No list has such elements. */
    assert_int_equal(message_element(read.items, 0, MESSAGE_JOIN, &element), LAZYCHAT_INVALID);
    message_free(&read);
}

/* What a batch may not hold is told from what a later version puts there. */
static void
test_elements(void **state)
{
    static const struct {
        const char *json;
        int result;
    } elements[] = {
        {SAY ",\"text\":\"hi\",\"new\":[1]}", LAZYCHAT_OK},
        {SAY ",\"redacted\":true}", LAZYCHAT_OK},
        {"{\"t\":\"unheard-of\"}", LAZYCHAT_UNSUPPORTED},
        {"{\"t\":\"head\",\"head\":1,\"first\":1}", LAZYCHAT_UNSUPPORTED},
        {"{\"t\":\"read\",\"room\":\"dev\",\"seq\":1,\"unread\":1}", LAZYCHAT_UNSUPPORTED},
        {SAY "}", LAZYCHAT_INVALID},
        {"{\"t\":\"say\",\"text\":\"hi\"}", LAZYCHAT_INVALID},
        {SAY ",\"text\":\"a\\u001bb\"}", LAZYCHAT_INVALID},
        {"{}", LAZYCHAT_INVALID},
        {"null", LAZYCHAT_INVALID},
        {"[]", LAZYCHAT_INVALID},
        {"\"say\"", LAZYCHAT_INVALID},
    };
    struct message found, element;
    struct message_fault fault;

    (void)state;
    for (size_t i = 0; i < COUNT(elements); i++) {
        int n = snprintf(bytes, sizeof(bytes), "{\"t\":\"found\",\"text\":\"x\",\"items\":[%s]}",
                         elements[i].json);

        assert_int_equal(message_parse(&found, MESSAGE_OF_SERVER, bytes, (size_t)n, &fault), 0);
        assert_int_equal(message_element(found.items, 0, MESSAGE_SAY, &element),
                         elements[i].result);
        message_free(&found);
    }
}

static void
test_people(void **state)
{
    struct message presence, person;

    (void)state;
    message_init(&presence, MESSAGE_PRESENCE);
    presence.roster = 18;
    presence.people = 3;
    message_init(&person, MESSAGE_PERSON);
    person.account = 11;
    assert_true(message_add(&presence.out, &person) > 0);
    person.account = 9;
    person.nick = "bob";
    assert_true(message_add(&presence.in, &person) > 0);
    expect_json(&presence, MESSAGE_OF_SERVER,
                "{\"t\":\"presence\",\"roster\":18,\"people\":3,"
                "\"in\":[{\"account\":9,\"nick\":\"bob\"}],\"out\":[{\"account\":11}]}");
    message_free(&presence);
}

static void
test_names(void **state)
{
    static const char *const good[] = {"a", "dev", "a-b_9", "abcdefghijklmnopqrstuvwxyz-_0123"};
    static const char *const bad[] = {
        "", "A", "a b", "a.b", "a/b", "\xc3\xa9", "a\n", "abcdefghijklmnopqrstuvwxyz-_01234"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(message_room_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(message_room_valid(bad[i]));
    assert_string_equal(message_type_name(MESSAGE_SAY), "say");
    assert_string_equal(message_type_name(MESSAGE_PERSON), "element");
    for (int type = 0; type < MESSAGE_PERSON; type++)
        assert_string_not_equal(message_type_name((enum message_type)type), "element");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent),   cmocka_unit_test(test_required),
        cmocka_unit_test(test_buffers),  cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_longest),
        cmocka_unit_test(test_growth),   cmocka_unit_test(test_batch),
        cmocka_unit_test(test_elements), cmocka_unit_test(test_people),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
