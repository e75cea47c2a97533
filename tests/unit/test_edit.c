/* test_edit.c: what keys do to the typed line, and what is shown of it. */
#include "edit.h"

#include "text.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum edit_result
type(struct edit *edit, const char *keys)
{
    enum edit_result result = EDIT_NOTHING;

    for (; *keys != '\0'; keys++)
        result = edit_key(edit, *keys);
    return result;
}

/* `|` stands for the cursor. */
static void
assert_line(const struct edit *edit, const char *expected)
{
    char line[EDIT_MAX + 2];

    memcpy(line, edit->text, edit->cursor);
    line[edit->cursor] = '|';
    strcpy(line + edit->cursor + 1, edit->text + edit->cursor);
    assert_string_equal(line, expected);
}

static void
test_keys(void **state)
{
    static const struct {
        const char *keys, *line;
    } table[] = {
        {"hello", "hello|"},
        {"hello\x7f\b", "hel|"},
        {"hello\x01", "|hello"},
        {"hello\x1b[D\x1b[DX", "helX|lo"},
        {"hello\x1bOD\x1bOCX", "helloX|"},
        {"hello\x1b[H\x1b[3~", "|ello"},
        {"hello\x1b[H\x1b[FX", "helloX|"},
        {"hello\x1b[1~X\x1b[4~Y", "XhelloY|"},
        {"one two three\x17", "one two |"},
        {"one two three\x17\x17\x17", "|"},
        {"one two\x1b"
         "bX",
         "one X|two"},
        {"one two\x01\x1b"
         "f",
         "one| two"},
        {"one two\x1b\x7f", "one |"},
        {"hello\x1b[D\x1b[D\x0b", "hel|"},
        {"hello\x1b[D\x1b[D\x15", "|lo"},
        {"hello\x02\x02\x06X", "hellX|o"},
        {"hello\x01\x04\x04", "|llo"},
        {"gr\xc3\xbc\xc3\x9f\x1b[D\x7f", "gr|\xc3\x9f"},
        {"\xe4\xbd\xa0\xe5\xa5\xbd\x01\x1b[C", "\xe4\xbd\xa0|\xe5\xa5\xbd"},
        {"a\xf0\x9f\xa6\xa5\x08", "a|"},
        /* what is no key and no text is dropped, and what follows is read again */
        {"a\x1b[99;99~b\x1b[Zc\x1bqd\te\x07", "abcde|"},
        {"a\xff"
         "b\xc3"
         "c\xe4\xbd"
         "d",
         "abcd|"},
        {"a\x1b[12345678901234567890b", "a567890b|"},
        /* line feeds only by a paste, or Alt-Enter */
        {"\x1b[200~one\ntwo\rthree\x1b[201~", "one\ntwo\nthree|"},
        {"\x1b[200~\t\x03\x04\x7f\x17x\x1b[201~\x17", "\t|"},
        {"one\x1b\ntwo", "one\ntwo|"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct edit *edit = malloc(sizeof(*edit));

        edit_init(edit);
        type(edit, table[i].keys);
        assert_line(edit, table[i].line);
        edit_free(edit);
        free(edit);
    }
}

static void
test_lines_before(void **state)
{
    struct edit edit;
    char line[EDIT_MAX + 1];

    (void)state;
    edit_init(&edit);
    assert_int_equal(type(&edit, "one\n"), EDIT_ENTERED);
    edit_take(&edit, line);
    assert_string_equal(line, "one");
    type(&edit, "two\r");
    edit_take(&edit, line);
    type(&edit, "draft");
    type(&edit, "\x1b[A");
    assert_line(&edit, "two|");
    type(&edit, "\x1b[A\x1b[A\x1b[A");
    assert_line(&edit, "one|");
    type(&edit, "\x1b[B\x1b[B\x1b[B");
    assert_line(&edit, "draft|");
    type(&edit, "\x10!\n");
    edit_take(&edit, line);
    assert_string_equal(line, "two!");
    for (int i = 0; i < 3 * EDIT_LINES; i++) {
        type(&edit, i % 2 ? "x\n" : "y\n");
        edit_take(&edit, line);
    }
    assert_int_equal(edit.line_count, EDIT_LINES);
    assert_int_equal(type(&edit, "\x04"), EDIT_END);
    edit_free(&edit);
}

/* However much is typed, and whatever it is. */
static void
test_full(void **state)
{
    struct edit edit;
    char line[EDIT_MAX + 1], view[EDIT_MAX * 2];
    uint32_t random = 1;

    (void)state;
    edit_init(&edit);
    for (int i = 0; i < EDIT_MAX; i++)
        type(&edit, "\xc3\xa4");
    assert_int_equal(edit.length, EDIT_MAX);
    type(&edit, "\x01x");
    assert_int_equal(edit.length, EDIT_MAX);
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        if (edit_key(&edit, (char)(random >> 24)) == EDIT_ENTERED)
            edit_take(&edit, line);
        assert_true(edit.cursor <= edit.length && edit.length <= EDIT_MAX);
        assert_int_equal(strlen(edit.text), edit.length);
        if (i % 64 == 0)
            assert_true(edit_view(&edit, 20, view, sizeof(view)) <= 20);
    }
    edit_free(&edit);
}

static void
test_view(void **state)
{
    static const struct {
        const char *keys;
        size_t columns;
        const char *view;
        size_t cursor;
    } table[] = {
        {"hello", 20, "hello", 5},
        {"hello\x01", 20, "hello", 0},
        {"\xe4\xbd\xa0\xe5\xa5\xbd", 20, "\xe4\xbd\xa0\xe5\xa5\xbd", 4}, /* two columns each */
        {"e\xcc\x81x", 20, "e\xcc\x81x", 2},                             /* a combining accent */
        {"a\x1b\nb", 20,
         "a\xe2\x8f\x8e"
         "b",
         3},
        {"a\xe2\x80\xae"
         "b",
         20, "a\\u{202e}b", 10}, /* nor does one's own text turn the line round */
        {"abcdefghijklmnopqrstuvwxyz", 10, "uvwxyz", 6},
        {"abcdefghijklmnopqrstuvwxyz\x01", 10, "abcdefghij", 0},
        {"abcdefghijklmnopqrstuvwxyz\x01\x06\x06", 10, "abcdefghij", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct edit edit;
        char view[200];

        edit_init(&edit);
        type(&edit, table[i].keys);
        assert_int_equal(edit_view(&edit, table[i].columns, view, sizeof(view)), table[i].cursor);
        assert_string_equal(view, table[i].view);
        edit_free(&edit);
    }
}

static void
test_sayable(void **state)
{
    char out[TEXT_SIZE], *much = malloc(20000);
    size_t taken;

    (void)state;
    assert_int_equal(text_sayable(out, "a\tb\nc\x1b[2J\x7f\0x\xff", 13), 13);
    assert_string_equal(out, "a\tb\nc\\x1b[2J\\x7f\\x00x\\xff");
    assert_int_equal(text_sayable(out, "\xc2\x9b\xe2\x80\xae", 5), 5);
    assert_string_equal(out, "\\u{9b}\xe2\x80\xae"); /* who shows it takes care of the other */
    for (int i = 0; i < 20000; i += 2)
        memcpy(much + i, "\xc3\xa4", 2);
    taken = text_sayable(out, much, 20000);
    assert_int_equal(taken, LAZYCHAT_TEXT_MAX);
    taken = text_sayable(out, much + 1, 19999); /* never half a character */
    assert_true(taken % 2 == 1 && strlen(out) <= LAZYCHAT_TEXT_MAX);
    assert_string_equal(text_short(out, sizeof(out),
                                   "gr\xc3\xbc\xc3\x9f"
                                   "e\nmore",
                                   4),
                        "gr\xc3\xbc\xc3\x9f\xe2\x80\xa6");
    free(much);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_lines_before),
        cmocka_unit_test(test_full),    cmocka_unit_test(test_view),
        cmocka_unit_test(test_sayable),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
