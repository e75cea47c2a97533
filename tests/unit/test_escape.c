/* test_escape.c: nothing hostile gets through, and nothing harmless is touched. */
#include "escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_texts(void **state)
{
    static const struct {
        const char *from, *to;
    } texts[] = {
        {"", ""},
        {"plain text, with \\ and \"", "plain text, with \\ and \""},
        {"gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80"},
        {"a\nb\tc\rd", "a\\nb\\tc\\x0dd"},
        {"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\u{9b}31m"}, /* CSI as C1 */
        {"\xe2\x80\xae"
         "evil",
         "\\u{202e}evil"}, /* right-to-left override */
        {"a\xe2\x80\x8b"
         "b",
         "a\\u{200b}b"}, /* zero-width space */
        {"\xef\xbb\xbf", "\\u{feff}"},
        {"\xf3\xa0\x81\x81", "\\u{e0041}"}, /* a tag */
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc0\x80", "\\xc0\\x80"},                   /* overlong NUL */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {"\xe4\xbd", "\\xe4\\xbd"},                   /* cut off */
        {"\x80", "\\x80"},
    };
    char out[200];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t length = strlen(texts[i].from);

        assert_int_equal(escape(out, sizeof(out), texts[i].from, length), length);
        assert_string_equal(out, texts[i].to);
    }
}

/* Whatever the bytes and however small the room: it ends with NUL, and nothing is cut in half. */
static void
test_room(void **state)
{
    static const char from[] = "a\x1b\xe4\xbd\xa0\xe2\x80\xae";
    char out[64];

    (void)state;
    for (size_t size = 1; size < sizeof(out); size++) {
        memset(out, '#', sizeof(out));
        escape(out, size, from, sizeof(from) - 1);
        assert_true(strlen(out) < size);
        for (size_t i = size; i < sizeof(out); i++)
            assert_int_equal(out[i], '#');
        if (size >= 2 && size < 6)
            assert_string_equal(out, "a");
    }
}

static void
test_every_byte_pair(void **state)
{
    char out[2 * ESCAPE_FACTOR + 1];

    (void)state;
    for (unsigned int pair = 0; pair < 65536; pair++) {
        const uint8_t bytes[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};

        assert_int_equal(escape(out, sizeof(out), bytes, 2), 2);
        for (const char *c = out; *c != '\0'; c++)
            assert_true((uint8_t)*c >= 0x20 && *c != 0x7f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_every_byte_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
