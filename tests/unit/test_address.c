/* test_address.c: addresses from text and back. */
#include "address.h"

#include "lazychat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_good(void **state)
{
    static const struct {
        const char *text, *again;
    } good[] = {
        {"127.0.0.1", "127.0.0.1:9"},
        {"127.0.0.1:5", "127.0.0.1:5"},
        {"0.0.0.0:65535", "0.0.0.0:65535"},
        {"::1", "[::1]:9"},
        {"[::1]", "[::1]:9"},
        {"[::1]:5", "[::1]:5"},
        {"2001:db8::2", "[2001:db8::2]:9"},
        {"1.2.3.4:0", "1.2.3.4"},
        {"fe80::1%lo", "[fe80::1%lo]:9"},
    };
    char text[ADDRESS_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct address address;

        assert_int_equal(address_parse(&address, good[i].text, 9), LAZYCHAT_OK);
        assert_string_equal(address_format(&address, text), good[i].again);
    }
}

static void
test_bad(void **state)
{
    static const char *const bad[] = {
        "",           ":",
        ":5",         "1.2.3",
        "1.2.3.4:",   "1.2.3.4:65536",
        "1.2.3.4:-1", "1.2.3.4:5x",
        "[::1",       "[::1]5",
        "[]:5",       "::1%nosuchinterface",
        "localhost",  "1.2.3.4:000005",
        "[1.2.3.4]x",
    };
    struct address address;
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(address_parse(&address, bad[i], 9), LAZYCHAT_INVALID);
    memset(longest, '1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(address_parse(&address, longest, 9), LAZYCHAT_INVALID);
}

static void
test_compare(void **state)
{
    struct address a, b, mapped;

    (void)state;
    address_parse(&a, "10.0.0.1:1", 0);
    address_parse(&b, "10.0.0.1:2", 0);
    assert_true(address_same_host(&a, &b));
    assert_false(address_equal(&a, &b));
    assert_true(address_hash(&a) != address_hash(&b));
    address_parse(&b, "[::1]:1", 0);
    assert_false(address_same_host(&a, &b));
    assert_true(address_is_loopback(&b));
    assert_false(address_is_loopback(&a));
    address_parse(&mapped, "[::ffff:10.0.0.1]:1", 0);
    assert_int_equal(address_from_sockaddr(&b, &mapped.any), LAZYCHAT_OK);
    assert_true(address_equal(&a, &b));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
