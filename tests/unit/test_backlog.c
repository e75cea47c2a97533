/* test_backlog.c: bounded, numbered, the oldest dropped. */
#include "backlog.h"
#include "endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
append(struct backlog *backlog, uint64_t number, size_t length)
{
    static uint8_t bytes[20000];
    struct endpoint_message message = {.data = bytes, .length = length, .ppid = (uint32_t)number};

    memset(bytes, (int)(number & 0xff), length);
    assert_int_equal(backlog->end, number);
    assert_int_equal(backlog_append(backlog, &message), LAZYCHAT_OK);
}

/* Every message kept is what it was. */
static void
check(const struct backlog *backlog, size_t (*length)(uint64_t number))
{
    size_t bytes = 0;

    for (uint64_t n = backlog->first; n < backlog->end; n++) {
        const struct endpoint_message *kept = backlog_get(backlog, n);
        const uint8_t *data = kept->data;

        assert_int_equal(kept->ppid, n);
        assert_int_equal(kept->length, length(n));
        assert_int_equal(data[0], n & 0xff);
        assert_int_equal(data[kept->length / 2], n & 0xff);
        assert_int_equal(data[kept->length - 1], n & 0xff);
        bytes += kept->length;
    }
    assert_int_equal(bytes, backlog->bytes);
}

static size_t
sawtooth(uint64_t number)
{
    return 1 + (size_t)(number * 37 % 999);
}

static size_t
uneven(uint64_t number)
{
    return number % 7 == 0 ? 15000 : 1 + (size_t)(number * number % 50);
}

static void
test_keeps_the_newest(void **state)
{
    size_t (*const lengths[])(uint64_t) = {sawtooth, uneven};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct backlog backlog;

        backlog_init(&backlog, 20000);
        for (uint64_t n = 0; n < 5000; n++) {
            append(&backlog, n, lengths[i](n));
            assert_true(backlog.size <= 20000);
            check(&backlog, lengths[i]);
            if (n % 1000 == 999)
                backlog_clear(&backlog, BACKLOG_KEEP);
        }
        backlog_free(&backlog);
    }
}

/* It is not dropped early: as much as fits is kept. */
static void
test_keeps_as_much_as_it_may(void **state)
{
    struct backlog backlog;

    (void)state;
    backlog_init(&backlog, 1 << 20);
    for (uint64_t n = 0; n < 4000; n++)
        append(&backlog, n, 1024);
    assert_true(backlog.end - backlog.first >= 1022);
    backlog_free(&backlog);
}

/* One that is larger than everything it may keep is kept alone: it is due to those behind. */
static void
test_larger_than_the_limit(void **state)
{
    struct backlog backlog;

    (void)state;
    backlog_init(&backlog, 500);
    append(&backlog, 0, 100);
    append(&backlog, 1, 1000);
    assert_int_equal(backlog.first, 1);
    append(&backlog, 2, 10);
    assert_true(backlog.first <= 2);
    backlog_clear(&backlog, BACKLOG_KEEP);
    assert_int_equal(backlog.bytes, 0);
    assert_int_equal(backlog.first, 3);
    append(&backlog, 3, 10);
    backlog_free(&backlog);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_newest),
        cmocka_unit_test(test_keeps_as_much_as_it_may),
        cmocka_unit_test(test_larger_than_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
