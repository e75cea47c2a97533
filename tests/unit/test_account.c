/* test_account.c: who is here by number and by nickname, and read markers that go to the log once.
 */
#include "account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 2000

/* What would go to the log: account.c asks nothing else of it. */
static struct {
    int count;
    int64_t account, room, seq;
} marked;

void
log_mark(struct log *log, int64_t account, int64_t room, int64_t seq)
{
    (void)log;
    marked.count++;
    marked.account = account;
    marked.room = room;
    marked.seq = seq;
}

static struct accounts accounts;

static void
names(void **state)
{
    struct account *ann = account_create(&accounts, 7, true);
    struct account *guest = account_create(&accounts, 8, false);

    (void)state;
    assert_string_equal(ann->nick, "guest-7");
    assert_ptr_equal(account_by_guest_name(&accounts, "guest-7"), ann);
    assert_int_equal(account_name(&accounts, ann, "Ann", "ann"), LAZYCHAT_OK);
    assert_ptr_equal(account_by_skeleton(&accounts, "ann"), ann);
    /* Who has chosen a name is no guest any more. */
    assert_null(account_by_guest_name(&accounts, "guest-7"));
    assert_ptr_equal(account_by_guest_name(&accounts, "guest-8"), guest);
    assert_null(account_by_guest_name(&accounts, "guest-8x"));
    assert_null(account_by_guest_name(&accounts, "guest-"));
    assert_null(account_by_guest_name(&accounts, "guest--8"));

    assert_int_equal(account_name(&accounts, ann, "Anna", "anna"), LAZYCHAT_OK);
    assert_null(account_by_skeleton(&accounts, "ann"));
    assert_ptr_equal(account_by_skeleton(&accounts, "anna"), ann);
    account_destroy(&accounts, ann, NULL);
    assert_null(account_by_skeleton(&accounts, "anna"));
    assert_null(account_find(&accounts, 7));
    account_destroy(&accounts, guest, NULL);
}

static void
many(void **state)
{
    char name[32];

    (void)state;
    for (int64_t i = 1; i <= MANY; i++) {
        struct account *account = account_create(&accounts, i, true);

        snprintf(name, sizeof(name), "n%d", (int)i);
        assert_int_equal(account_name(&accounts, account, name, name), LAZYCHAT_OK);
    }
    for (int64_t i = 1; i <= MANY; i++) {
        struct account *account = account_find(&accounts, i);

        snprintf(name, sizeof(name), "n%d", (int)i);
        assert_non_null(account);
        assert_ptr_equal(account_by_skeleton(&accounts, name), account);
        account_destroy(&accounts, account, NULL);
    }
    assert_int_equal(accounts.by_id.count, 0);
    assert_int_equal(accounts.by_skeleton.count, 0);
}

/* Markers move forward only; the log hears of each change once, the latest. */
static void
marks(void **state)
{
    struct account *ann = account_create(&accounts, 7, true);
    struct account *bob = account_create(&accounts, 9, true);

    (void)state;
    memset(&marked, 0, sizeof(marked));
    assert_null(account_mark(ann, 1, false));
    assert_true(account_read(&accounts, ann, 1, 5, 4));
    assert_false(account_read(&accounts, ann, 1, 5, 4));
    assert_false(account_read(&accounts, ann, 1, 4, 3));
    assert_true(account_read(&accounts, ann, 1, 9, MARK_UNKNOWN));
    assert_true(account_read(&accounts, bob, 2, 1, 1));
    assert_int_equal(account_mark(ann, 1, false)->seq, 9);

    accounts_save(&accounts, NULL);
    assert_int_equal(marked.count, 2);
    accounts_save(&accounts, NULL);
    assert_int_equal(marked.count, 2);

    assert_true(account_read(&accounts, ann, 1, 10, 8));
    assert_true(account_read(&accounts, bob, 2, 2, 2));
    account_destroy(&accounts, bob, NULL); /* in the middle of the list of dirty ones */
    assert_int_equal(marked.count, 3);
    assert_int_equal(marked.account, 9);
    accounts_save(&accounts, NULL);
    assert_int_equal(marked.count, 4);
    assert_int_equal(marked.seq, 10);
    account_destroy(&accounts, ann, NULL);
}

/* A guest's markers end with it. */
static void
guest_marks(void **state)
{
    struct account *guest = account_create(&accounts, 8, false);

    (void)state;
    memset(&marked, 0, sizeof(marked));
    assert_true(account_read(&accounts, guest, 1, 5, 4));
    assert_int_equal(account_mark(guest, 1, false)->said, 4);
    accounts_save(&accounts, NULL);
    account_destroy(&accounts, guest, NULL);
    assert_int_equal(marked.count, 0);
}

static int
end(void **state)
{
    (void)state;
    accounts_free(&accounts);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(many),
        cmocka_unit_test(marks),
        cmocka_unit_test(guest_marks),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
