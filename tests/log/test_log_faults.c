/* test_log_faults.c: the log when something is wrong with its files or its disk: what is refused,
 * what the operator is told, and that it goes on by itself.
 *
 * A full and a read-only disk are small file systems in memory, mounted in a namespace that only
 * this program sees. Where that is not allowed, those tests are skipped. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_help.h"
#include "log_schema.h"

static char why_no_mounts[128];

static int
set_up(void **state)
{
    struct log_help *help = malloc(sizeof(*help));

    assert_non_null(help);
    log_help_init(help, LOG_FULL);
    *state = help;
    return 0;
}

static int
tear_down(void **state)
{
    struct log_help *help = *state;

    log_help_close(help);
    umount2(help->directory, MNT_DETACH);
    log_help_finish(help);
    free(help);
    return 0;
}

/* Opening fails with this error, and the operator is told what has these words in it. */
static void
assert_refused(const struct log_help *help, int expected, const char *first, const char *second)
{
    char *text = NULL;
    size_t size;
    FILE *errors = open_memstream(&text, &size);
    struct log *log;
    int error = log_open(&log, &help->config, errors);

    fclose(errors);
    assert_int_equal(error, expected);
    assert_null(log);
    if (strstr(text, first) == NULL || strstr(text, second) == NULL)
        fail_msg("neither %s nor %s is in: %s", first, second, text);
    free(text);
}

static const char *
path_of(const struct log_help *help, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", help->directory, name);
    return path;
}

/* Another program's SQLite does something to a file. */
static void
run_sql(const struct log_help *help, const char *name, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path_of(help, name), &db), SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, &message);
    if (message != NULL)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void
say_many(struct log_help *help, int64_t room, int count, const char *before, int width)
{
    for (int i = 1; i <= count; i++) {
        char text[600];
        struct log_entry entry = log_help_say(1, NULL, text);

        snprintf(text, sizeof(text), "%s%0*d", before, width, i);
        entry.room = room;
        log_help_number(help, entry);
    }
}

/* ---- Opening ---- */

static void
a_second_server_is_refused(void **state)
{
    struct log_help *help = *state;
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    log_help_open(help);
    assert_refused(help, LAZYCHAT_IN_USE, pid, "--data");
    log_help_number(help, log_help_say(1, NULL, "undisturbed"));
    log_help_reopen(help);
}

static void
missing_directories_are_made(void **state)
{
    struct log_help *help = *state;
    char path[128];
    struct stat st;

    snprintf(path, sizeof(path), "%s/a/b", help->directory);
    help->config.directory = path;
    log_help_open(help);
    log_help_close(help);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(path_of(help, "a/b/log.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void
a_file_is_no_directory(void **state)
{
    struct log_help *help = *state;
    int fd = open(path_of(help, "file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    char path[256];

    close(fd);
    snprintf(path, sizeof(path), "%s", path_of(help, "file"));
    help->config.directory = path;
    assert_refused(help, LAZYCHAT_SYSTEM, path, "--data");
}

static void
in_memory_the_directory_is_not_touched(void **state)
{
    struct log_help *help = *state;

    help->config.durability = LOG_NONE;
    help->config.directory = "/proc/nothing/can/be/made/here";
    log_help_open(help);
    say_many(help, LOG_LOBBY, 100, "", 1);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "77"), "77");
}

static void
an_older_log_becomes_a_newer_one(void **state)
{
    struct log_help *help = *state;
    struct log_entry again = log_help_say(7, "id", "again");
    struct log_event event;
    struct log_room room;

    run_sql(help, "log.db", log_schema_step(1));
    run_sql(help, "log.db",
            "PRAGMA application_id = 0x6c617a79; PRAGMA user_version = 1;"
            "UPDATE meta SET value = '0123456789abcdef' WHERE name = 'id';"
            "UPDATE meta SET value = 8 WHERE name = 'accounts';"
            "UPDATE room SET head = 2, said = 2, at = 5;"
            "INSERT INTO message VALUES(1 << 40 | 1, 5, 7, 0, 0, 1, 0, 0, 'ann', 'id', 'old text'),"
            "  (1 << 40 | 2, 5, 7, 0, 0, 2, 0, 0, 'ann', NULL, 'second');"
            "INSERT INTO said VALUES(7, 'id', 1, 1, 5);");
    log_help_open(help);
    assert_string_equal(log_id(help->log), "0123456789abcdef");
    assert_true(log_room(help->log, 0, &room));
    assert_int_equal(room.head, 2);
    log_help_append(help, &again, &event);
    assert_true(event.duplicate);
    assert_string_equal(event.entry.text, "old text");
    assert_int_equal(log_guest(help->log), 8);
    assert_int_equal(log_help_number(help, log_help_change(LOG_REDACT, 7, 1)), 3);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "old"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "second"), "2");
}

static void
a_newer_log_is_refused(void **state)
{
    struct log_help *help = *state;

    log_help_open(help);
    log_help_close(help);
    run_sql(help, "log.db", "PRAGMA user_version = 99");
    assert_refused(help, LAZYCHAT_UNSUPPORTED, "newer", "99");
}

static void
another_programs_database_is_refused(void **state)
{
    struct log_help *help = *state;

    run_sql(help, "log.db", "CREATE TABLE recipes(name)");
    assert_refused(help, LAZYCHAT_UNSUPPORTED, "no log", "--data");
    run_sql(help, "log.db", "SELECT name FROM recipes");
}

/* ---- Damage ---- */

static void
overwrite(const struct log_help *help, const char *name, off_t from, size_t length)
{
    int fd = open(path_of(help, name), O_WRONLY | O_CLOEXEC);
    char *garbage = malloc(length);

    assert_true(fd >= 0);
    assert_non_null(garbage);
    memset(garbage, 0xa5, length);
    assert_int_equal(pwrite(fd, garbage, length, from), length);
    free(garbage);
    close(fd);
}

static void
a_destroyed_log_is_refused(void **state)
{
    struct log_help *help = *state;

    log_help_open(help);
    log_help_close(help);
    overwrite(help, "log.db", 0, 4096);
    assert_refused(help, LAZYCHAT_SYSTEM, "damaged", "backup");
}

/* Where this text is, to the page. */
static off_t
page_with(const struct log_help *help, const char *text)
{
    FILE *file = fopen(path_of(help, "log.db"), "r");
    char page[4096];

    assert_non_null(file);
    for (off_t at = 0; fread(page, sizeof(page), 1, file) == 1; at += (off_t)sizeof(page))
        if (memmem(page, sizeof(page), text, strlen(text)) != NULL) {
            fclose(file);
            return at;
        }
    fclose(file);
    fail_msg("%s is nowhere", text);
    return 0;
}

/* The last page of the lobby's messages is broken; the other room's are not. */
static void
damage_is_told_to_those_whom_it_concerns(void **state)
{
    struct log_help *help = *state;
    struct log_entry mine = log_help_say(1, NULL, "mine"), theirs = log_help_say(2, NULL, "theirs");
    struct log_range range = {.room = LOG_LOBBY, .limit = 10, .bytes = 1000000, .since = 395};
    struct log_event event;

    log_help_open(help);
    log_help_open_room(help, "dev", 10, &event);
    say_many(help, LOG_LOBBY, 400, "", 500);
    say_many(help, 2, 400, "in the other room ", 400);
    mine.room = LOG_LOBBY;
    theirs.room = 2;
    log_help_close(help);
    overwrite(help, "log.db", page_with(help, "0000000400"), 4096);
    log_help_open(help);
    for (uint64_t i = 1; i <= 6; i++)
        log_append(help->log, i % 2 == 0 ? &mine : &theirs, NULL, i);
    for (uint64_t i = 1; i <= 6; i++) {
        log_help_await(help, i, &event);
        if (i % 2 == 0) {
            assert_string_equal(event.code, "log-damaged");
            assert_non_null(strstr(event.text, "backup"));
        } else {
            assert_null(event.code);
            assert_int_equal(event.entry.seq, 401 + (int64_t)(i - 1) / 2);
        }
    }
    log_help_read(help, &range, &event);
    assert_string_equal(event.code, "log-damaged");
    assert_int_equal(event.row_count, 0);
    range.room = 2;
    log_help_read(help, &range, &event);
    assert_null(event.code);
    assert_int_equal(event.row_count, 8);
    assert_true(help->states >= 1);
}

static void
a_damaged_or_missing_index_is_made_anew(void **state)
{
    struct log_help *help = *state;
    struct log_help other;

    log_help_open(help);
    say_many(help, LOG_LOBBY, 50, "number", 1);
    log_help_number(help, log_help_change(LOG_REDACT, 1, 7));
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number33"), "33");
    log_help_close(help);
    overwrite(help, "search.db", 0, 8192);
    log_help_open(help);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number33"), "33");
    log_help_close(help);
    overwrite(help, "search.db", 4096, 8192);
    log_help_open(help);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number33"), "33");
    log_help_close(help);
    assert_int_equal(unlink(path_of(help, "search.db")), 0);
    log_help_open(help);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number33"), "33");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number7"), "");
    log_help_close(help);

    log_help_init(&other, LOG_FULL); /* that of another log */
    log_help_open(&other);
    say_many(&other, LOG_LOBBY, 50, "other", 1);
    assert_string_equal(log_help_found(&other, LOG_LOBBY, "other33"), "33");
    log_help_close(&other);
    char from[256];
    snprintf(from, sizeof(from), "%s", path_of(&other, "search.db"));
    assert_int_equal(rename(from, path_of(help, "search.db")), 0);
    log_help_open(help);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "other33"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number33"), "33");
    log_help_finish(&other);
}

/* A power cut can take commits from the log that the index has seen (only without `full`). */
static void
an_index_ahead_of_the_log_is_made_anew(void **state)
{
    struct log_help *help = *state;

    log_help_open(help);
    say_many(help, LOG_LOBBY, 9, "number", 1);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number9"), "9");
    log_help_close(help);
    run_sql(help, "log.db",
            "DELETE FROM message WHERE key = (1 << 40 | 9); UPDATE room SET head = 8, said = 8");
    log_help_open(help);
    assert_int_equal(log_help_number(help, log_help_say(1, NULL, "something else")), 9);
    assert_string_equal(log_help_found(help, LOG_LOBBY, "number9"), "");
    assert_string_equal(log_help_found(help, LOG_LOBBY, "something"), "9");
}

/* ---- Disks ---- */

static bool
write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    close(fd);
    return done;
}

/* A root of our own, who may mount in a namespace of our own. */
static bool
become_root(void)
{
    char uids[32], gids[32];

    snprintf(uids, sizeof(uids), "0 %d 1", (int)getuid());
    snprintf(gids, sizeof(gids), "0 %d 1", (int)getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_to("/proc/self/setgroups", "deny") &&
           write_to("/proc/self/uid_map", uids) && write_to("/proc/self/gid_map", gids);
}

static void
enter_namespace(void)
{
    if ((unshare(CLONE_NEWNS) != 0 && !become_root()) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        snprintf(why_no_mounts, sizeof(why_no_mounts), "no mount namespace: %s", strerror(errno));
}

static void
mount_small(const struct log_help *help, const char *options)
{
    if (why_no_mounts[0] == '\0' && mount("none", help->directory, "tmpfs", 0, options) != 0)
        snprintf(why_no_mounts, sizeof(why_no_mounts), "tmpfs: %s", strerror(errno));
    if (why_no_mounts[0] != '\0') {
        print_message("# skip-reason: %s\n", why_no_mounts);
        skip();
    }
}

/* Takes the space that is left, to the last byte. */
static void
fill(const struct log_help *help)
{
    static const char block[4096];
    int fd = open(path_of(help, "filler"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

#define MANY 3000

/* Of every text that was answered with a number there is one, of every refused one none. */
static void
compare_with_log(struct log_help *help, const bool *kept)
{
    struct log_range range = {.room = LOG_LOBBY, .limit = MANY, .bytes = 10000000};
    struct log_event event;
    static int seen[MANY];

    memset(seen, 0, sizeof(seen));
    do {
        log_help_read(help, &range, &event);
        assert_null(event.code);
        for (size_t i = 0; i < event.row_count; i++)
            seen[atoi(event.rows[i].text)]++;
        range.since = event.until;
    } while (range.since < event.head);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(seen[i], kept[i]);
}

static void
a_full_disk_refuses_and_nothing_refused_is_kept(void **state)
{
    struct log_help *help = *state;
    static bool kept[MANY];
    int refused = 0, number = 0;
    struct log_event event;
    int64_t ann;

    memset(kept, 0, sizeof(kept));
    mount_small(help, "size=2m");
    log_help_open(help);
    ann = log_help_identify(help, "ann", &event);
    for (int round = 0; round < 3; round++) {
        int last = number + MANY / 3;

        for (; number < last; number++) {
            char text[700];
            struct log_entry entry = log_help_say(1, NULL, text);

            if (number == last - MANY / 6)
                fill(help);
            snprintf(text, sizeof(text), "%d %0500d", number, 0);
            log_help_append(help, &entry, &event);
            kept[number] = event.code == NULL;
            if (event.code == NULL)
                continue;
            assert_string_equal(event.code, "log-full");
            assert_non_null(strstr(event.text, "full"));
            refused++;
        }
        assert_string_equal(help->state, "log-full");
        assert_int_equal(log_help_identify(help, "ann", &event), ann); /* reading goes on */
        compare_with_log(help, kept);
        assert_int_equal(unlink(path_of(help, "filler")), 0);
        log_keep(help->log, LOG_LOBBY, 0, 0);
        if (round == 2)
            break;
        assert_int_equal(
            mount(NULL, help->directory, NULL, MS_REMOUNT, round == 0 ? "size=4m" : "size=8m"), 0);
        log_help_identify(help, round == 0 ? "bob" : "eve", &event); /* goes on by itself */
        assert_null(event.code);
        assert_string_equal(help->state, "");
    }
    assert_true(refused > 100);
    assert_int_equal(help->states, 5); /* one at each change */
    log_help_reopen(help);
    compare_with_log(help, kept);
}

static void
a_read_only_disk_is_told_at_the_start(void **state)
{
    struct log_help *help = *state;

    mount_small(help, "size=2m");
    log_help_open(help);
    log_help_number(help, log_help_say(1, NULL, "x"));
    log_help_close(help);
    assert_int_equal(mount(NULL, help->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_refused(help, LAZYCHAT_DENIED, help->directory, "--data");
    assert_int_equal(mount(NULL, help->directory, NULL, MS_REMOUNT, NULL), 0);
    log_help_open(help);
    assert_int_equal(log_help_number(help, log_help_say(1, NULL, "y")), 2);
}

#define each(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        each(a_second_server_is_refused),
        each(missing_directories_are_made),
        each(a_file_is_no_directory),
        each(in_memory_the_directory_is_not_touched),
        each(an_older_log_becomes_a_newer_one),
        each(a_newer_log_is_refused),
        each(another_programs_database_is_refused),
        each(a_destroyed_log_is_refused),
        each(damage_is_told_to_those_whom_it_concerns),
        each(a_damaged_or_missing_index_is_made_anew),
        each(an_index_ahead_of_the_log_is_made_anew),
        each(a_full_disk_refuses_and_nothing_refused_is_kept),
        each(a_read_only_disk_is_told_at_the_start),
    };

    enter_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
