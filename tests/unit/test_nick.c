/* test_nick.c: which nicknames there may be, which are the same, and that ICU holds what nick.h
 * says of it, character by character. */
#include "nick.h"

#include "lazychat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <unicode/uchar.h>
#include <unicode/uclean.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEN          "abcdefghij"

struct nick {
    char text[NICK_SIZE], skeleton[NICK_SKELETON_SIZE];
    const char *why;
};

static int
check(struct nick *nick, const char *text)
{
    return nick_check(text, nick->text, nick->skeleton, &nick->why);
}

/* It must be accepted. */
static struct nick
nick_of(const char *text)
{
    struct nick nick;

    if (check(&nick, text) != LAZYCHAT_OK)
        fail_msg("'%s' was refused: %s", text, nick.why);
    return nick;
}

static void
test_accepted(void **state)
{
    static const char *const texts[] = {
        "a",          "Ann",
        "ann_2",      "Ann-Marie O'Neill",
        "42",         "-",
        "a/b",        "a@b",
        "a#1",        "C*",
        "(away)",     "guest",
        "guest-",     "guest-ann",
        "guest-3x",   "guests-3",
        "my-guest-3", TEN TEN TEN "ab", /* 32 */
        "Zoë",        "Ægir",
        "Łukasz",     "Nguyễn Thị Ánh", /* Latin */
        "Иван",       "Ђорђе",
        "Ελένη",      "Արամ",
        "ანა", /* Cyrillic, Greek, Armenian, Georgian */
        "שרה",        "محمد",
        "مُحَمَّد", /* Hebrew, Arabic, with its vowels */
        "अनिता",      "রহিম",
        "தமிழ்",       "สมชาย",
        "ကျော်", /* India, Thai, Burmese */
        "田中さくら", "김민준",
        "陳大文",     "𠮷野家", /* the last begins beyond 16 bits */
        "አበበ",        "ᏣᎳᎩ",
        "ᠪᠠᠲᠤ", /* Ethiopic, Cherokee, Mongolian */
        "😀",          "Ann 🎉",
        "☺\ufe0f",    "❤\ufe0f Bob",
        "👍🏽", /* with a selector, with a skin tone */
        "🇩🇪",         "∀x",
        "①",          "ﷺ",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_string_equal(nick_of(texts[i]).text, texts[i]);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *text, *why; /* a part of it */
    } refused[] = {
        {"", "1 to 32 characters"},
        {TEN TEN TEN "abc", "has more"},
        {TEN TEN TEN "ab\u0439", "has more"},
        {TEN TEN TEN "a\U0001f600\U0001f600", "has more"},
        {"\xff", "UTF-8"},
        {"a\xc3", "UTF-8"},            /* cut off */
        {"\xc0\x80", "UTF-8"},         /* overlong NUL */
        {"a\xed\xa0\x80", "UTF-8"},    /* a surrogate */
        {"\xf4\x90\x80\x80", "UTF-8"}, /* above U+10FFFF */
        {"a\nb", "control"},
        {"a\tb", "control"},
        {"a\x1b[2J", "control"},
        {"a\x7f", "control"},
        {"a\xc2\x9b", "control"},  /* CSI as C1 */
        {"a\u202eb", "invisible"}, /* right-to-left override */
        {"a\u200fb", "invisible"}, /* right-to-left mark */
        {"a\u2066b", "invisible"}, /* isolate */
        {"a\u061cb", "invisible"}, /* Arabic letter mark */
        {"a\u200bb", "invisible"}, /* zero-width space */
        {"a\u200cb", "invisible"}, /* ... non-joiner */
        {"👨\u200d👩", "invisible"}, /* ... joiner */
        {"a\u2060b", "invisible"}, /* word joiner */
        {"\ufeff"
         "a",
         "invisible"},             /* byte order mark */
        {"a\u00adb", "invisible"}, /* soft hyphen */
        {"a\u034fb", "invisible"}, /* grapheme joiner */
        {"a\u3164", "invisible"},  /* Hangul fillers */
        {"\uffa0", "invisible"},
        {"\u115f", "invisible"},
        {"a\u2800", "invisible"}, /* Braille blank */
        {"a\ufffc", "invisible"}, /* object replacement */
        {"a\u180e", "invisible"}, /* Mongolian vowel separator */
        {"a\ufe0f", "invisible"}, /* the emoji selector, but no emoji */
        {"1\ufe0f\u20e3", "invisible"},
        {"☺\ufe0f\ufe0f", "invisible"},
        {"\ufe0f☺", "invisible"},
        {"☺\ufe0e", "invisible"},        /* the text selector */
        {"葛\U000e0100", "invisible"},   /* an ideographic selector */
        {"🏴\U000e0067", "invisible"}, /* a tag */
        {"a\u2028b", "white space"},     /* line and paragraph separator */
        {"a\u2029b", "white space"},
        {"a\u00a0b", "white space"},
        {"a\u3000b", "white space"},
        {"a\u2003b", "white space"},
        {" a", "single spaces"},
        {"a ", "single spaces"},
        {"a  b", "single spaces"},
        {" ", "single spaces"},
        {"a\ue000", "Unicode"}, /* private use */
        {"a\U000f0000", "Unicode"},
        {"a\u0378", "Unicode"},     /* unassigned */
        {"a\U0010ffff", "Unicode"}, /* a noncharacter */
        {"a\ufffd", "Unicode"},
        {"\u0301", "combining mark"},
        {"\u0301"
         "a",
         "combining mark"},
        {"a \u0301", "combining mark"},
        {"a\u0316\u0317\u0318\u0319\u031c", "combining marks in a row"},
        {"a\u0488\u0488\u0488\u0488\u0488", "combining marks in a row"},
        {"/quit", "begin"},
        {"@ann", "begin"},
        {"#lobby", "begin"},
        {"* ann", "begin"},
        {"／quit", "begin"}, /* fullwidth */
        {"﹫ann", "begin"},
        {"ann:", "colon"},
        {"ann: hi", "colon"},
        {"ann： hi", "colon"},
        {"guest-7", "server"},
        {"guest-0123456789", "server"},
        {"GUEST-7", "server"},
        {"GuEsT-7", "server"},
        {"guest-lO", "server"},     /* letters for digits */
        {"gu\u0435st-7", "server"}, /* Cyrillic е */
        {"guest\u20117", "server"}, /* another hyphen */
        {"ｇｕｅｓｔ－７", "server"},
        {"guest-²", "server"},
        {"guest-\u0417", "server"}, /* Cyrillic З */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct nick nick = {.text = "before", .skeleton = "before"};

        if (check(&nick, refused[i].text) != LAZYCHAT_INVALID)
            fail_msg("'%s' was accepted", refused[i].text);
        if (strstr(nick.why, refused[i].why) == NULL)
            fail_msg("'%s': '%s', not '%s'", refused[i].text, nick.why, refused[i].why);
        assert_string_equal(nick.text, "before");
        assert_string_equal(nick.skeleton, "before");
    }
}

/* Each row is one name: nobody can have one while somebody has another. */
static void
test_same(void **state)
{
    static const char *const same[][6] = {
        {"Ann", "ann", "ANN", "\u0430nn", "ＡＮＮ",
         "\u0391\u039d\u039d"}, /* Cyrillic а, Greek ΑΝΝ */
        {"Ann", "𝐀𝓷𝕟", "ⓐⓝⓝ"},
        {"Mary", "mary", "MARY", "rnary", "\u041cary", "ｍary"},
        {"Alice", "AIice", "A1ice", "A|ice", "ALICE", "\u0410l\u0456ce"},
        {"Bob", "b0b", "B\u043eb", "BOB", "\u0392\u039f\u0392"},
        {"boba", "BOBA", "\u0412\u041e\u0412\u0410", "\u0432\u043e\u0432\u0430"}, /* ВОВА, вова */
        {"paypal", "PayPaI", "\u0440\u0430\u0443\u0440\u0430l"},
        {"ivan", "i\u03bdan", "\u0456van"},
        {"scope", "\u0455\u0441\u043e\u0440\u0435"}, /* Cyrillic from end to end */
        {"Иван", "иван", "ИВАН"},
        {"DJ Вова", "dj вова", "Dj ВОВА"},
        {"Νίκος", "νίκος", "ΝΊΚΟΣ"},
        {"Guðrún", "GUÐRÚN", "guðrún"},
        {"Straße", "STRASSE", "strasse"},
        {"Արամ", "արամ", "ԱՐԱՄ"},
        {"Ꮳ", "ꮳ"}, /* Cherokee */
        {"Zoë", "zoe\u0308", "ZOË"},
        {"fi", "ﬁ"},
        {"☺", "☺\ufe0f"},
        {"Ⅷ", "VIII", "vlll"},
        {"カナ", "ｶﾅ"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        struct nick first = nick_of(same[i][0]);

        for (size_t j = 1; j < COUNT(same[i]) && same[i][j] != NULL; j++)
            assert_string_equal(nick_of(same[i][j]).skeleton, first.skeleton);
    }
}

static void
test_different(void **state)
{
    static const char *const texts[] = {
        "Ann",   "Anna",  "An n", "An-n",  "An_n",     "Annn",  "Hanna",  "Nanna",  "Vanna",
        "Jan",   "Jah",   "Zoe",  "Zoë",   "Bob",      "Rob",   "Иван",   "Ирина",  "Олег",
        "Ольга", "Νίκος", "Νίκη", "Ελένη", "田中",     "中田",  "김민준", "김민주", "شادی",
        "شادان", "😀",     "😁",    "👍",     "👍🏽", "guest", "guest-", "Kay",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(nick_of(texts[i]).skeleton, nick_of(texts[j]).skeleton);
}

/* Whatever form it comes in, one form is kept; the limits count that one. */
static void
test_normal_form(void **state)
{
    static const char angstrom[] = "a\u030a\u0301"; /* three in, one kept: ǻ */
    char many[sizeof(angstrom) * NICK_CHARACTERS_MAX + 1] = "", one_more[sizeof(many) + 8];
    char in_place[NICK_SIZE] = "Zoe\u0308", skeleton[NICK_SKELETON_SIZE];
    const char *why;

    (void)state;
    assert_string_equal(nick_of("Zoe\u0308").text, "Zo\u00eb");
    assert_string_equal(nick_of("\u212bsa").text, "\u00c5sa");          /* the Ångström sign */
    assert_string_equal(nick_of("\u1100\u1161\u11a8").text, "\uac01");  /* Hangul */
    assert_string_equal(nick_of("a\u0301\u0316").text, "\u00e1\u0316"); /* reordered */
    assert_string_equal(nick_of("e\u0316\u0317\u0318\u0319").text, "e\u0316\u0317\u0318\u0319");
    for (int i = 0; i < NICK_CHARACTERS_MAX; i++)
        strcat(many, angstrom);
    assert_int_equal(strlen(nick_of(many).text), 2 * NICK_CHARACTERS_MAX);
    snprintf(one_more, sizeof(one_more), "%sa", many);
    assert_int_equal(nick_check(one_more, in_place, skeleton, &why), LAZYCHAT_INVALID);
    assert_int_equal(nick_check(in_place, in_place, skeleton, &why), LAZYCHAT_OK);
    assert_string_equal(in_place, "Zo\u00eb");
}

/* The longest there may be: 32 times four bytes. */
static void
test_longest(void **state)
{
    char text[NICK_SIZE + 4] = "", *endless;
    struct nick nick;

    (void)state;
    for (int i = 0; i < NICK_CHARACTERS_MAX; i++)
        strcat(text, "😀");
    assert_int_equal(strlen(text), NICK_BYTES_MAX);
    assert_string_equal(nick_of(text).text, text);
    text[0] = '\0';
    for (int i = 0; i < NICK_CHARACTERS_MAX; i++)
        strcat(text, "ﷺ");
    assert_true(strlen(nick_of(text).skeleton) > NICK_SKELETON_MAX * 3 / 4);
    endless = test_malloc(100000);
    memset(endless, 'a', 99999);
    endless[99999] = '\0';
    assert_int_equal(check(&nick, endless), LAZYCHAT_INVALID);
    test_free(endless);
}

/* U+0001 to U+10FFFF as UTF-8; surrogates too, as nonsense. */
static void
encode(char text[5], UChar32 c)
{
    int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    text[length] = '\0';
    for (int i = length - 1; i > 0; i--, c >>= 6)
        text[i] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)(lead[length] | (uint32_t)c);
}

/* What nick.h says is never in a nickname; written down by number, apart from nick.c's way. */
static bool
is_hidden(UChar32 c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 ||
           c == 0xfeff || (c >= 0xfff0 && c <= 0xfffd) || (c >= 0xe000 && c <= 0xf8ff) ||
           (c >= 0xd800 && c <= 0xdfff) || c >= 0xe0000;
}

static void
test_every_character(void **state)
{
    char text[8], twin[8];
    struct nick nick, other;
    int accepted = 0;

    (void)state;
    for (UChar32 c = 1; c <= 0x10ffff; c++) {
        encode(text, c);
        if (check(&nick, text) != LAZYCHAT_OK)
            continue;
        accepted++;
        if (is_hidden(c))
            fail_msg("U+%04X was accepted", (unsigned int)c);
        assert_in_range(strlen(nick.skeleton), 1, NICK_SKELETON_MAX / NICK_CHARACTERS_MAX);
        assert_string_equal(nick_of(nick.text).text, nick.text);
        assert_string_equal(nick_of(nick.text).skeleton, nick.skeleton);
        /* Of two cases, and simple ones: İ has a dot that i has not; Ƽ looks like 5, ƽ like s;
         * ꞟ like u, Ꞟ not. */
        encode(twin, u_tolower(c));
        if (c == 0x130 || c == 0x1bc || c == 0xa79e || check(&other, twin) != LAZYCHAT_OK)
            continue;
        if (strcmp(nick.skeleton, other.skeleton) != 0)
            fail_msg("%s is not %s", text, twin);
    }
    assert_true(accepted > 140000);
}

/* It opens by itself, again after the end, and the end may come twice. */
static void
test_open_close(void **state)
{
    struct nick nick;

    (void)state;
    nick_close();
    nick_close();
    assert_int_equal(check(&nick, "ann"), LAZYCHAT_OK);
    assert_null(nick.why);
    assert_int_equal(nick_open(), LAZYCHAT_OK);
    assert_int_equal(nick_open(), LAZYCHAT_OK);
    assert_non_null(strstr(nick_version(), "Unicode "));
}

/* For the leak checker. */
static int
clean_up(void **state)
{
    (void)state;
    nick_close();
    u_cleanup();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_different),
        cmocka_unit_test(test_normal_form),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_open_close),
    };

    return cmocka_run_group_tests(tests, NULL, clean_up);
}
