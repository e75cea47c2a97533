/* test_message.c: what clients may send and what they are told when it is wrong; what is written.
 */
#include "message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIGGEST      9007199254740991

/* What docs/protocol.md says, written down a second time. */
enum kind { TEXT, LINE, ID, HEX, NAME, NUMBER, BOOL };

struct field {
    const char *name;
    enum kind kind;
    bool needed;
    int64_t min, max;
    const char *good; /* a valid value */
};

#define NEEDED true
#define MAY    false
#define SAID   "text", TEXT, NEEDED, 1, 6144, "\"good morning\""
#define SEQ    "seq", NUMBER, NEEDED, 1, BIGGEST, "4712"
#define OF_ID  "id", ID, MAY, 1, 32, "\"echo-1\""

static const struct type {
    const char *name;
    struct field fields[5];
} types[] = {
    {"join",
     {{"nick", LINE, MAY, 1, 128, "\"ann\""},
      {"secret", HEX, MAY, 32, 32, "\"0f1e2d3c4b5a69788796a5b4c3d2e1F0\""},
      {"since", NUMBER, MAY, 0, BIGGEST, "4711"},
      {"last", NUMBER, MAY, 1, 500, "100"}}},
    {"say",
     {{SAID},
      {OF_ID},
      {"reply", NUMBER, MAY, 1, BIGGEST, "1"},
      {"action", BOOL, MAY, 0, 0, "true"}}},
    {"edit", {{SEQ}, {SAID}, {OF_ID}}},
    {"redact", {{SEQ}, {OF_ID}}},
    {"react",
     {{SEQ}, {"emoji", LINE, NEEDED, 1, 32, "\"+1\""}, {OF_ID}, {"on", BOOL, MAY, 0, 0, "false"}}},
    {"topic", {{"text", LINE, NEEDED, 0, 512, "\"release\""}, {OF_ID}}},
    {"nick", {{"nick", LINE, NEEDED, 1, 128, "\"Ann\""}, {OF_ID}}},
    {"typing", {{"on", BOOL, MAY, 0, 0, "false"}}},
    {"read", {{SEQ}, {"room", NAME, MAY, 1, 32, "\"dev\""}}},
    {"whisper", {{"to", LINE, NEEDED, 1, 128, "\"bob\""}, {SAID}, {OF_ID}}},
    {"history",
     {{"since", NUMBER, NEEDED, 0, BIGGEST, "7"},
      {"until", NUMBER, MAY, 0, BIGGEST, "9"},
      {"limit", NUMBER, MAY, 1, 500, "100"}}},
    {"history", {{"before", NUMBER, MAY, 1, BIGGEST, "9"}, {"limit", NUMBER, MAY, 1, 500, "100"}}},
    {"search",
     {{"text", LINE, NEEDED, 1, 256, "\"release\""},
      {"before", NUMBER, MAY, 1, BIGGEST, "9"},
      {"limit", NUMBER, MAY, 1, 500, "100"}}},
    {"names", {{"after", NUMBER, MAY, 0, BIGGEST, "17"}}},
    {"rooms", {{"after", NUMBER, MAY, 0, BIGGEST, "17"}}},
    {"open",
     {{"room", NAME, NEEDED, 1, 32, "\"dev\""}, {"topic", LINE, MAY, 0, 512, "\"what\""}, {OF_ID}}},
};

#define EACH_FIELD(type, field)                                                                    \
    for (const struct type *type = types; type < types + COUNT(types); type++)                     \
        for (const struct field *field = type->fields;                                             \
             field < type->fields + COUNT(type->fields) && field->name != NULL; field++)

static char json[3 * MESSAGE_MAX];

/* A message of that type, all fields in it, but of `field` the JSON `value`; without it for NULL.
 * Each has an id, whether its type knows of ids or not. */
static void
compose(const struct type *type, const struct field *field, const char *value)
{
    bool has_id = false;
    int n = snprintf(json, sizeof(json), "{\"t\":\"%s\"", type->name);

    for (const struct field *f = type->fields;
         f < type->fields + COUNT(type->fields) && f->name != NULL; f++) {
        const char *it = f == field ? value : f->good;

        has_id = has_id || strcmp(f->name, "id") == 0;
        if (it != NULL)
            n += snprintf(json + n, sizeof(json) - (size_t)n, ",\"%s\":%s", f->name, it);
        assert_in_range(n, 1, sizeof(json) - 100);
    }
    snprintf(json + n, sizeof(json) - (size_t)n, has_id ? "}" : ",\"id\":\"echo-1\"}");
}

static int
parse(const char *bytes, size_t length, struct message_fault *fault)
{
    /* Of the exact size, so that a sanitizer sees who reads beyond it. */
    char *copy = malloc(length == 0 ? 1 : length);
    struct message message;
    int result;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    result = message_parse(&message, MESSAGE_OF_CLIENT, copy, length, fault);
    free(copy);
    message_free(&message); /* allowed after a failure too */
    return result;
}

static void
expect_ok(const char *bytes)
{
    struct message_fault fault;
    int result = parse(bytes, strlen(bytes), &fault);

    if (result != LAZYCHAT_OK)
        fail_msg("%.200s: %d, %s", bytes, result, fault.text);
}

/* A fault, with words that can be shown to anybody; `field` and `id` NULL: none. */
static void
expect_fault_in(const char *bytes, size_t length, const char *code, const char *field,
                const char *id)
{
    struct message_fault fault;
    int result = parse(bytes, length, &fault);

    if (result != LAZYCHAT_INVALID)
        fail_msg("%.200s: %d", bytes, result);
    if (fault.field == NULL ? field != NULL : field == NULL || strcmp(fault.field, field) != 0)
        fail_msg("%.200s: field %s", bytes, fault.field);
    assert_string_equal(fault.code, code);
    assert_string_equal(fault.id, id == NULL ? "" : id);
    assert_true(fault.text[0] != '\0' && strlen(fault.text) < sizeof(fault.text) - 1);
    for (const char *c = fault.text; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7e);
}

/* The composed message's `field` is at fault; its id comes back if it is not that. */
static void
expect_field(const struct field *field)
{
    const char *id = strcmp(field->name, "id") == 0 ? NULL : "echo-1";

    expect_fault_in(json, strlen(json), "bad-field", field->name, id);
}

static void
expect_bad(const char *bytes)
{
    expect_fault_in(bytes, strlen(bytes), "bad-message", NULL, NULL);
}

static bool
is_text(const struct field *field)
{
    return field->kind != NUMBER && field->kind != BOOL;
}

/* ---- Fields ---- */

static void
test_missing(void **state)
{
    (void)state;
    EACH_FIELD(type, field)
    {
        compose(type, field, field->good);
        expect_ok(json);
        compose(type, field, NULL);
        if (field->needed)
            expect_field(field);
        else if (strcmp(field->name, "before") != 0 || strcmp(type->name, "history") != 0)
            expect_ok(json);
    }
}

static void
test_history(void **state)
{
    static const char *const wrong[] = {"", ",\"since\":1,\"before\":2", ",\"until\":2"};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        snprintf(json, sizeof(json), "{\"t\":\"history\",\"id\":\"a\"%s}", wrong[i]);
        expect_fault_in(json, strlen(json), "bad-field", "since", "a");
    }
}

static void
test_wrong_types(void **state)
{
    static const struct {
        const char *value;
        enum kind right; /* for that one it is not wrong */
    } values[] = {
        {"null", TEXT}, {"true", BOOL}, {"false", BOOL},   {"7", NUMBER},       {"7.5", TEXT},
        {"[]", TEXT},   {"{}", TEXT},   {"[\"x\"]", TEXT}, {"{\"a\":1}", TEXT},
    };

    (void)state;
    EACH_FIELD(type, field)
    {
        for (size_t i = 0; i < COUNT(values); i++)
            if (values[i].right != field->kind || is_text(field)) {
                compose(type, field, values[i].value);
                expect_field(field);
            }
        if (!is_text(field)) {
            compose(type, field, "\"7\"");
            expect_field(field);
        }
    }
}

/* `length` bytes in quotes, of what every text may hold. */
static const char *
quoted(int64_t length)
{
    static char text[MESSAGE_MAX];

    memset(text, 'a', sizeof(text));
    text[0] = text[length + 1] = '"';
    text[length + 2] = '\0';
    return text;
}

static void
test_lengths(void **state)
{
    (void)state;
    EACH_FIELD(type, field)
    {
        if (!is_text(field))
            continue;
        compose(type, field, quoted(field->min));
        expect_ok(json);
        compose(type, field, quoted(field->max));
        expect_ok(json);
        compose(type, field, quoted(field->max + 1));
        expect_field(field);
        compose(type, field, quoted(2 * field->max));
        expect_field(field);
        if (field->min > 0) {
            compose(type, field, quoted(field->min - 1));
            expect_field(field);
        }
    }
}

/* Lengths are bytes, of what is meant and not of how it is written. */
static void
test_lengths_in_bytes(void **state)
{
    char *said = json;

    (void)state;
    for (int more = 0; more < 2; more++) {
        said = json + sprintf(json, "{\"t\":\"say\",\"id\":\"a\",\"text\":\"");
        for (int i = 0; i < 3072 + more; i++)
            said += sprintf(said, "\xc3\xa9");
        strcpy(said, "\"}");
        if (more == 0)
            expect_ok(json);
        else
            expect_fault_in(json, strlen(json), "bad-field", "text", "a");
        said = json + sprintf(json, "{\"t\":\"react\",\"seq\":1,\"id\":\"a\",\"emoji\":\"");
        for (int i = 0; i < 8 + more; i++)
            said += sprintf(said, "\\ud83d\\ude00");
        strcpy(said, "\"}");
        if (more == 0)
            expect_ok(json);
        else
            expect_fault_in(json, strlen(json), "bad-field", "emoji", "a");
    }
}

/* Is that ASCII character allowed in such a text? */
static bool
allows(enum kind kind, int c)
{
    bool digit = c >= '0' && c <= '9';
    bool lower = c >= 'a' && c <= 'z';

    switch (kind) {
    case TEXT:
        return c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f);
    case LINE:
        return c >= 0x20 && c < 0x7f;
    case ID:
        return digit || lower || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    case HEX:
        return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    default:
        return digit || lower || c == '-' || c == '_';
    }
}

/* Each ASCII character, as an escape, at the end of each text; and C1's. */
static void
test_characters(void **state)
{
    (void)state;
    EACH_FIELD(type, field)
    {
        int64_t length = field->min > 1 ? field->min - 1 : 0;
        char value[100];

        for (int c = 1; c < 0xa0 && is_text(field); c++) {
            snprintf(value, sizeof(value), "\"%.*s\\u%04x\"", (int)length, quoted(length) + 1, c);
            compose(type, field, value);
            if (allows(field->kind, c))
                expect_ok(json);
            else
                expect_field(field);
        }
    }
}

/* What is no JSON or no text is so in any field, and in one that nobody knows. */
static void
test_bad_strings(void **state)
{
    static const char *const strings[] = {
        "\"a\\u0000b\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83dx\"",
        "\"\\x41\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"a\x1b[2J\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xc1\xbf\"",
        "\"\xe0\x80\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf8\x88\x80\x80\x80\"",
        "\"\xe4\xbd\"",
        "\"\x80\"",
        "\"\xc3\"",
        "\"abc",
        "'a'",
        "\"\\u12\"",
        "\"\\",
    };

    (void)state;
    EACH_FIELD(type, field)
    {
        for (size_t i = 0; i < COUNT(strings); i++) {
            compose(type, field, strings[i]);
            expect_bad(json);
        }
    }
    for (size_t i = 0; i < COUNT(strings); i++) {
        snprintf(json, sizeof(json), "{\"t\":\"say\",\"text\":\"x\",\"x\":%s}", strings[i]);
        expect_bad(json);
        snprintf(json, sizeof(json), "{\"t\":\"say\",\"text\":\"x\",%s:1}", strings[i]);
        expect_bad(json);
    }
}

/* ---- Numbers ---- */

static const char *const wrong_numbers[] = {
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "18446744073709551617",
    "1000000000000000000",
    "10000000000000000000",
    "-9223372036854775808",
    "-9223372036854775809",
    "-18446744073709551616",
    "1e999",
    "-1e999",
    "1E+999",
    "1e99999999999999999999",
    "1.5e400",
    "1e-999",
    "-1",
    "1.5",
    "1.0",
    "1e0",
    "0.1",
    "-0.0",
    "99999999999999999999999999999999999999999999999999999999999999999",
};

static void
test_numbers(void **state)
{
    char value[32];

    (void)state;
    EACH_FIELD(type, field)
    {
        if (field->kind != NUMBER)
            continue;
        for (size_t i = 0; i < COUNT(wrong_numbers); i++) {
            compose(type, field, wrong_numbers[i]);
            expect_field(field);
        }
        for (int more = 0; more < 2; more++) {
            snprintf(value, sizeof(value), "%lld", (long long)(field->max + more));
            compose(type, field, value);
            if (more == 0)
                expect_ok(json);
            else
                expect_field(field);
            snprintf(value, sizeof(value), "%lld", (long long)(field->min - more));
            compose(type, field, value);
            if (more == 0)
                expect_ok(json);
            else
                expect_field(field);
        }
    }
}

/* No number costs a message whose known fields are right, and nothing else in it changes. */
static void
test_numbers_unknown(void **state)
{
    struct message message;
    struct message_fault fault;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong_numbers); i++) {
        int n = snprintf(json, sizeof(json),
                         "{\"x\":[%s,{\"y\":-1},%s],\"t\":\"say\",\"reply\":9007199254740991,"
                         "\"text\":\"\\\\ 1e999 \\\" %s\",\"z\":%s}",
                         wrong_numbers[i], wrong_numbers[i], wrong_numbers[i], wrong_numbers[i]);
        char text[120];

        snprintf(text, sizeof(text), "\\ 1e999 \" %s", wrong_numbers[i]);
        assert_int_equal(message_parse(&message, MESSAGE_OF_CLIENT, json, (size_t)n, &fault), 0);
        assert_string_equal(message.text, text);
        assert_int_equal(message.reply, BIGGEST);
        message_free(&message);
    }
}

/* A number that is too big makes nothing valid that is not JSON. */
static void
test_numbers_malformed(void **state)
{
    static const char *const malformed[] = {
        "01",
        "-",
        "--1",
        "1.",
        "1e",
        "1e+",
        "1e5e5",
        "+1",
        ".5",
        "-018446744073709551616",
        "018446744073709551616",
        "1-1",
        "1.2.3",
        "0x10",
        "1e1.5",
        "1e999.",
        "1e999e",
        "NaN",
        "-Infinity",
        "1 1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        snprintf(json, sizeof(json), "{\"t\":\"say\",\"text\":\"x\",\"x\":1e999,\"y\":%s}",
                 malformed[i]);
        expect_bad(json);
        snprintf(json, sizeof(json), "{\"t\":\"say\",\"text\":\"x\",\"y\":%s}", malformed[i]);
        expect_bad(json);
    }
}

/* ---- Shapes ---- */

static void
test_depth(void **state)
{
    static const int depths[] = {14, 15, 16, 1000, 8000};

    (void)state;
    for (size_t i = 0; i < COUNT(depths); i++)
        for (int kind = 0; kind < 2; kind++) {
            char *end =
                json + sprintf(json, "{\"t\":\"say\",\"text\":\"[[[[[[[[[[[[[[[[[[[\",\"x\":");

            for (int n = 0; n < depths[i] && end < json + MESSAGE_MAX; n++)
                end = strcpy(end, kind == 0 ? "[" : "{\"\":") + (kind == 0 ? 1 : 4);
            end = strcpy(end, kind == 0 ? "" : "1") + (kind == 0 ? 0 : 1);
            for (int n = 0; n < depths[i] && end < json + 2 * MESSAGE_MAX; n++)
                end = strcpy(end, kind == 0 ? "]" : "}") + 1;
            strcpy(end, "}");
            if (depths[i] < 16)
                expect_ok(json);
            else
                expect_bad(json);
        }
}

static void
test_duplicates(void **state)
{
    static const char *const bad[] = {
        "{\"t\":\"say\",\"text\":\"a\",\"text\":\"b\"}",
        "{\"t\":\"say\",\"t\":\"say\",\"text\":\"a\"}",
        "{\"t\":\"say\",\"text\":\"a\",\"\\u0074ext\":\"b\"}",
        "{\"t\":\"say\",\"text\":\"a\",\"x\":1,\"x\":1}",
        "{\"t\":\"say\",\"text\":\"a\",\"x\":{\"y\":1,\"y\":1}}",
        "{\"t\":\"say\",\"text\":\"a\",\"x\":[{\"y\":1e999,\"y\":1}]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        expect_bad(bad[i]);
    expect_ok("{\"t\":\"say\",\"text\":\"a\",\"x\":{\"text\":1},\"y\":{\"text\":1}}");
}

static void
test_shapes(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "true",
        "0",
        "\"say\"",
        "[]",
        "[{}]",
        "{}",
        "{",
        "}",
        "{\"t\"}",
        "{\"t\":}",
        "{t:1}",
        "{,}",
        "{\"t\":\"say\",}",
        "hello",
        "\xff\xfe{\0}\0",
        "{\"t\":\"say\",\"text\":\"a\"} x",
        "{\"t\":\"say\",\"text\":\"a\"}{}",
        "{\"t\":\"say\",\"text\":\"a\"},",
        "\xef\xbb\xbf{\"t\":\"say\",\"text\":\"a\"}",
        "{\"t\":\"say\",\"text\":\"a\"/**/}",
        "{\"t\":\"say\" \"text\":\"a\"}",
        "]]]]]]]]]]]]]]]]]]]]]]]]{\"t\":\"say\",\"text\":\"a\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        expect_bad(bad[i]);
    expect_ok(" \t\r\n{ \"text\" : \"a\" , \"t\" : \"say\" } \t\r\n");
}

static void
test_nul(void **state)
{
    static const char whole[] = "{\"t\":\"say\",\"text\":\"a\"}\0";

    (void)state;
    /* With the NUL that ends a C string, and with one at any place. */
    expect_fault_in(whole, sizeof(whole) - 1, "bad-message", NULL, NULL);
    for (size_t i = 0; i < sizeof(whole) - 2; i++) {
        char copy[sizeof(whole)];

        memcpy(copy, whole, sizeof(copy));
        copy[i] = '\0';
        expect_fault_in(copy, sizeof(whole) - 2, "bad-message", NULL, NULL);
    }
}

/* Nothing of a message that was cut off is taken for a message. */
static void
test_truncated(void **state)
{
    static const char whole[] = "{\"t\":\"react\",\"seq\":12,\"emoji\":\"\xf0\x9f\x91\x8d\\u00e9\","
                                "\"on\":false,\"x\":[1e999]}";

    (void)state;
    expect_ok(whole);
    for (size_t length = 0; length < sizeof(whole) - 1; length++)
        expect_fault_in(whole, length, "bad-message", NULL, NULL);
}

static void
test_size(void **state)
{
    static const char begin[] = "{\"t\":\"say\",\"text\":\"a\",\"x\":\"";

    (void)state;
    for (size_t size = MESSAGE_MAX; size <= MESSAGE_MAX + 1; size++) {
        memset(json, 'a', sizeof(json));
        memcpy(json, begin, sizeof(begin) - 1);
        strcpy(json + size - 2, "\"}");
        assert_int_equal(strlen(json), size);
        if (size == 16384)
            expect_ok(json);
        else
            expect_bad(json);
    }
}

static void
test_types(void **state)
{
    static const char *const unknown[] = {"unheard-of", "",      "Say",    "say ",
                                          "welcome",    "batch", "edited", "element"};
    static const char *const wrong[] = {"", ",\"t\":1", ",\"t\":null", ",\"t\":[\"say\"]",
                                        ",\"T\":\"say\""};
    struct message_fault fault;

    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        int n = snprintf(json, sizeof(json), "{\"t\":\"%s\",\"text\":1}", unknown[i]);

        assert_int_equal(parse(json, (size_t)n, &fault), LAZYCHAT_UNSUPPORTED);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int n = snprintf(json, sizeof(json), "{\"id\":\"echo-1\"%s}", wrong[i]);

        expect_fault_in(json, (size_t)n, "bad-message", NULL, "echo-1");
    }
}

/* An id comes back only if it is one; the first fault is told. */
static void
test_ids(void **state)
{
    static const char *const bad[] = {
        "1", "null", "\"\"", "\"a b\"", "\"\\u001b\"", "\"abcdefghijklmnopqrstuvwxyz0123456\"",
        "[]"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        int n = snprintf(json, sizeof(json), "{\"t\":\"say\",\"id\":%s}", bad[i]);

        expect_fault_in(json, (size_t)n, "bad-field", "text", NULL);
        n = snprintf(json, sizeof(json), "{\"t\":\"say\",\"text\":\"a\",\"id\":%s}", bad[i]);
        expect_fault_in(json, (size_t)n, "bad-field", "id", NULL);
    }
    expect_ok("{\"t\":\"say\",\"text\":\"a\",\"id\":\"abcdefghijklmnopqrstuvwxyz012345\"}");
}

static void
test_members(void **state)
{
    static const char said[] =
        "{\"t\":\"say\",\"unheard-of\":{\"text\":1},\"text\":\"a\\n\\\"\\u00e9\",\"id\":\"b\"}";
    struct message message;
    struct message_fault fault;

    (void)state;
    assert_int_equal(message_parse(&message, MESSAGE_OF_CLIENT, said, sizeof(said) - 1, &fault),
                     LAZYCHAT_OK);
    assert_int_equal(message.type, MESSAGE_SAY);
    assert_string_equal(message.text, "a\n\"\xc3\xa9");
    assert_string_equal(message.id, "b");
    assert_null(message.nick);
    assert_int_equal(message.reply, MESSAGE_ABSENT);
    assert_int_equal(message.seq, MESSAGE_ABSENT);
    assert_false(message.action);
    assert_true(message.on);
    message_free(&message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_lengths_in_bytes),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_unknown),
        cmocka_unit_test(test_numbers_malformed),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
