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
    uint8_t bytes[1000];
    struct endpoint_message message = {.data = bytes, .length = length, .ppid = (uint32_t)number};

    memset(bytes, (int)(number & 0xff), length);
    assert_int_equal(backlog->end, number);
    assert_int_equal(backlog_append(backlog, &message), LAZYCHAT_OK);
}

static void
test_keeps_the_newest(void **state)
{
    struct backlog backlog;

    (void)state;
    backlog_init(&backlog, 20000);
    for (uint64_t n = 0; n < 10000; n++) {
        append(&backlog, n, 1 + (size_t)(n % 999));
        assert_true(backlog.bytes <= 20000);
        for (uint64_t k = backlog.first; k < backlog.end; k++) {
            const struct endpoint_message *kept = backlog_get(&backlog, k);

            assert_int_equal(kept->ppid, k);
            assert_int_equal(kept->length, 1 + k % 999);
            assert_int_equal(((const uint8_t *)kept->data)[kept->length - 1], k & 0xff);
        }
    }
    assert_true(backlog.end - backlog.first > 10);
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
    assert_int_equal(backlog.first, 2);
    backlog_clear(&backlog);
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
        cmocka_unit_test(test_larger_than_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
