/* test_classic.c: the classic lobby's bytes as texts, and what is said in the lobby as its lines.
 */
#include "classic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
text_is(const char *bytes, size_t length, const char *expected)
{
    char text[MESSAGE_TEXT_MAX + 1];

    assert_int_equal(classic_text((const uint8_t *)bytes, length, text), length);
    assert_string_equal(text, expected);
}

static void
texts(void **state)
{
    (void)state;
    text_is("hello\n", 6, "hello");
    text_is("hello", 5, "hello");
    text_is("hello\r\n", 7, "hello");
    text_is("a\nb\r\n\nc", 7, "a\nb\n\nc");
    text_is("\n", 1, "");
    text_is("\n\n", 2, "\n");
    text_is("\tspaces  ", 9, "\tspaces  ");
    text_is("a\0b", 3, "a\\x00b");
    text_is("\x1b[2J\x7f", 5, "\\x1b[2J\\x7f");
    text_is("caf\xc3\xa9 \xf0\x9f\xa6\xa5", 10, "caf\xc3\xa9 \xf0\x9f\xa6\xa5");
    text_is("\xff\xc3", 2, "\\xff\\xc3");
    text_is("\xc2\x9b", 2, "\\xc2\\x9b");
    text_is("\r", 1, "\\x0d");
}

/* However long, and whatever bytes: nothing is lost, nothing is over the limit. */
static void
long_ones(void **state)
{
    static uint8_t bytes[65536];
    char text[MESSAGE_TEXT_MAX + 1];
    size_t done = 0, all = 0;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    while (done < sizeof(bytes)) {
        done += classic_text(bytes + done, sizeof(bytes) - done, text);
        assert_true(strlen(text) <= MESSAGE_TEXT_MAX);
        all += strlen(text);
    }
    assert_int_equal(all, sizeof(bytes));
    memset(bytes, 0xff, sizeof(bytes));
    for (done = 0, all = 0; done < sizeof(bytes); all += strlen(text)) {
        size_t took = classic_text(bytes + done, sizeof(bytes) - done, text);

        assert_true(took > 0 && strlen(text) <= MESSAGE_TEXT_MAX);
        done += took;
    }
    assert_int_equal(all, 4 * sizeof(bytes));
}

/* A character is never cut in two at the limit. */
static void
whole_characters(void **state)
{
    static uint8_t bytes[MESSAGE_TEXT_MAX + 3];
    char text[MESSAGE_TEXT_MAX + 1];
    size_t done;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes + MESSAGE_TEXT_MAX - 1, "\xf0\x9f\xa6\xa5", 4);
    done = classic_text(bytes, sizeof(bytes), text);
    assert_int_equal(done, MESSAGE_TEXT_MAX - 1);
    assert_int_equal(classic_text(bytes + done, sizeof(bytes) - done, text), 4);
    assert_string_equal(text, "\xf0\x9f\xa6\xa5");
}

static void
lines_are(enum log_kind kind, const char *nick, const char *text, const char *expected)
{
    struct log_entry entry = {.kind = kind, .nick = nick, .text = text};
    char out[CLASSIC_LINE_MAX];
    char all[4 * CLASSIC_LINE_MAX] = "";
    size_t offset = 0, length, used = 0;

    while ((length = classic_lines(&entry, &offset, out, sizeof(out))) > 0) {
        memcpy(all + used, out, length);
        used += length;
    }
    assert_int_equal(used, strlen(expected));
    assert_memory_equal(all, expected, used);
}

static void
lines(void **state)
{
    (void)state;
    lines_are(LOG_SAY, "ann", "hello", "ann: hello\n");
    lines_are(LOG_SAY, "ann", "one\n\nthree", "ann: one\nann: \nann: three\n");
    lines_are(LOG_ACTION, "ann", "waves", "* ann waves\n");
    lines_are(LOG_EDIT, "ann", "hallo", "ann: hallo (edited)\n");
    lines_are(LOG_TOPIC, "ann", "news", "* ann sets the topic: news\n");
    lines_are(LOG_TOPIC, "ann", "", "* ann sets the topic: \n");
    lines_are(LOG_REACT, "ann", NULL, "");
    lines_are(LOG_REDACT, "ann", NULL, "");
    lines_are(LOG_SAY, "ann",
              "\xe2\x80\xae"
              "evil",
              "ann: \\u{202e}evil\n");
}

/* A text of nothing but lines comes out in several messages, none too long. */
static void
many_lines(void **state)
{
    static char text[MESSAGE_TEXT_MAX + 1];
    struct log_entry entry = {.kind = LOG_SAY, .nick = "somebody", .text = text};
    static char out[65536];
    size_t offset = 0, length, count = 0, messages = 0;

    (void)state;
    memset(text, '\n', MESSAGE_TEXT_MAX);
    while ((length = classic_lines(&entry, &offset, out, sizeof(out))) > 0) {
        assert_true(length <= sizeof(out) && out[length - 1] == '\n');
        for (size_t i = 0; i < length; i++)
            count += out[i] == '\n';
        messages++;
    }
    assert_int_equal(count, MESSAGE_TEXT_MAX + 1);
    assert_true(messages > 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts), cmocka_unit_test(long_ones),  cmocka_unit_test(whole_characters),
        cmocka_unit_test(lines), cmocka_unit_test(many_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
