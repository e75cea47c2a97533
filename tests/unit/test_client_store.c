/* test_client_store.c: a client that ends and starts again with what it kept on disk, and one whose
 * disk is full, broken or another's.
 */
#include "stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LOBBY 2014

static char directory[64];
static struct lazychat_config config;

static const char *
path_of(const char *name)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int
begin(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/lazychat-store-XXXXXX");
    assert_non_null(mkdtemp(directory));
    config = (struct lazychat_config){.store = directory, .last = 10};
    return 0;
}

static int
end(void **state)
{
    static const char *const names[] = {"lock", "lazychat.db", "lazychat.db-wal",
                                        "lazychat.db-shm"};

    (void)state;
    stage_close();
    for (size_t i = 0; i < 4; i++)
        unlink(path_of(names[i]));
    rmdir(path_of("sub/sub"));
    rmdir(path_of("sub"));
    assert_int_equal(rmdir(directory), 0);
    return 0;
}

static void
say(int64_t seq, const char *text)
{
    stage_say(LOBBY, "{'t':'say','seq':%lld,'at':1,'from':9,'nick':'bob','text':'%s'}",
              (long long)seq, text);
}

/* The program ends and is started again. */
static void
restart(void)
{
    stage_end_client();
    stage.heard_count = 0;
    stage.json_count = 0;
    memset(stage.events, 0, sizeof(stage.events));
    stage_begin_client(&config);
    stage_join(STAGE_HOST);
}

/* Does any file of the store have these bytes? */
static bool
is_on_disk(const char *word)
{
    static char bytes[1 << 20];
    DIR *files = opendir(directory);
    const struct dirent *file;
    bool found = false;

    assert_non_null(files);
    while ((file = readdir(files)) != NULL) {
        int fd = open(path_of(file->d_name), O_RDONLY);
        ssize_t length = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : 0;

        found = found || (length > 0 && memmem(bytes, (size_t)length, word, strlen(word)) != NULL);
        if (fd >= 0)
            close(fd);
    }
    closedir(files);
    return found;
}

/* The secret, what was seen, what was changed since and what was not acknowledged are there again,
 * to be read and written to before there is any server. */
static void
test_starts_again(void **state)
{
    char secret[33], ids[2][LAZYCHAT_ID_SIZE];
    json_t *json;

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    json = stage_welcome(LOBBY, "lobby", "L", 0);
    snprintf(secret, sizeof(secret), "%s", json_string_value(json_object_get(json, "secret")));
    for (int64_t seq = 1; seq <= 20; seq++)
        say(seq, "old");
    stage_say(LOBBY, "{'t':'edited','seq':21,'at':1,'from':9,'nick':'bob','target':18,"
                     "'text':'new'}");
    stage_say(LOBBY, "{'t':'redacted','seq':22,'at':1,'from':9,'nick':'bob','target':19}");
    for (int64_t seq = 23; seq <= 24; seq++)
        stage_say(LOBBY,
                  "{'t':'reacted','seq':%d,'at':1,'from':%d,'nick':'bob','target':20,'emoji':'x',"
                  "'on':true}",
                  (int)seq, (int)seq);
    assert_int_equal(lazychat_say(stage.room, "unsent", ids[0]), 0);
    stage_until(stage.heard_count == 24);
    stage_expect(LOBBY, "say");
    stage_unlisten(LOBBY);
    restart();
    assert_int_equal(lazychat_unsent(stage.chat), 1);
    assert_int_equal(lazychat_say(stage.room, "offline", ids[1]), 0);
    stage_turn(1);
    assert_int_equal(stage.heard_count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(stage.heard[i].seq, 11 + i);
        assert_true(stage.heard[i].old);
    }
    assert_string_equal(stage.heard[7].text, "new");
    assert_true(stage.heard[8].redacted);
    assert_string_equal(stage.heard[8].text, "");
    assert_int_equal(stage.heard[9].reactions, 2);
    assert_int_equal(lazychat_history(stage.room, 6, 3), 0);
    stage_turn(1);
    assert_int_equal(stage.events[LAZYCHAT_HISTORY], 1);
    assert_int_equal(stage.listed, 3);
    stage_listen(LOBBY);
    json = stage_welcome(LOBBY, "lobby", "L", 25);
    assert_int_equal(stage_number(json, "since"), 24);
    assert_string_equal(json_string_value(json_object_get(json, "secret")), secret);
    stage_say(LOBBY, "{'t':'batch','from':25,'until':25,'first':1,'head':25,'items':["
                     "{'t':'say','seq':25,'at':1,'from':9,'nick':'bob','text':'missed'}]}");
    for (int i = 0; i < 2; i++)
        assert_string_equal(json_string_value(json_object_get(stage_expect(LOBBY, "say"), "id")),
                            ids[i]);
    stage_until(stage.heard_count == 11);
    assert_string_equal(stage.heard[10].text, "missed");
    assert_int_equal(stage.events[LAZYCHAT_REFUSED], 0);
}

/* What is acknowledged is not said again, and another log's messages are gone. */
static void
test_forgets(void **state)
{
    char id[LAZYCHAT_ID_SIZE];

    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", 0);
    assert_int_equal(lazychat_say(stage.room, "x", id), 0);
    stage_expect(LOBBY, "say");
    stage_say(LOBBY, "{'t':'say','seq':1,'at':1,'from':7,'nick':'ann','id':'%s','text':'LAVENDER'}",
              id);
    stage_until(stage.heard_count == 1);
    assert_true(is_on_disk("LAVENDER"));
    endpoint_abort(stage_port(LOBBY)->endpoint, stage_port(LOBBY)->assoc);
    stage_welcome(LOBBY, "lobby", "M", 0);
    stage_until(stage.events[LAZYCHAT_JOINED] == 2);
    stage_unlisten(LOBBY);
    restart();
    assert_int_equal(lazychat_unsent(stage.chat), 0);
    stage_pass(1000);
    assert_int_equal(stage.heard_count, 0);
    stage_end_client();
    assert_false(is_on_disk("LAVENDER"));
    stage_begin_client(&config);
}

static void
test_redacted_is_wiped(void **state)
{
    (void)state;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_welcome(LOBBY, "lobby", "L", 0);
    say(1, "MARJORAM");
    stage_say(LOBBY, "{'t':'redacted','seq':2,'at':1,'from':9,'nick':'bob','target':1}");
    stage_until(stage.heard_count == 2);
    stage_end_client();
    assert_false(is_on_disk("MARJORAM"));
    stage_begin_client(&config);
}

static void
test_files(void **state)
{
    char deep[500];
    struct stat status;
    struct store *other;

    (void)state;
    snprintf(deep, sizeof(deep), "%s", path_of("sub/sub"));
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_turn(1);
    assert_int_equal(stat(path_of("lazychat.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("lazychat.db-wal"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(store_open(&other, directory), LAZYCHAT_IN_USE);
    stage_end_client();
    assert_int_equal(store_open(&other, directory), 0);
    store_close(other);
    assert_int_equal(store_open(&other, deep), 0);
    store_close(other);
    assert_int_equal(stat(deep, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    unlink(strcat(deep, "/lazychat.db"));
    unlink(path_of("sub/sub/lock"));
    stage_begin_client(&config);
}

/* A child that the program has forked does not hold on to the store. */
static void
test_child(void **state)
{
    struct store *store;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(store_open(&store, directory), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    store_close(store);
    assert_int_equal(store_open(&store, directory), 0);
    store_close(store);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* A process that dies without a word holds no lock and loses nothing of a turn that ended. */
static void
test_killed(void **state)
{
    struct store *store;
    struct store_room room;
    char secret[33];
    int64_t account;
    bool found;
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        bool fine = store_open(&store, directory) == 0 &&
                    store_set_secret(store, "h", "0123456789abcdef0123456789abcdef", 5) == 0 &&
                    store_room(store, "h", "lobby", &room) == 0 &&
                    store_set_seen(store, room.row, "L", 17) == 0 && store_commit(store) == 0 &&
                    store_set_seen(store, room.row, "L", 18) == 0;

        if (fine)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(store_open(&store, directory), 0);
    assert_int_equal(store_secret(store, "H", secret, &account, &found), 0);
    assert_true(found);
    assert_int_equal(account, 5);
    assert_int_equal(store_room(store, "h", "lobby", &room), 0);
    assert_true(room.known);
    assert_int_equal(room.seen, 17);
    store_close(store);
}

/* The chat goes on without, and says so once. */
static void
goes_on(void)
{
    char id[LAZYCHAT_ID_SIZE];

    stage_welcome(LOBBY, "lobby", "L", 0);
    assert_int_equal(lazychat_say(stage.room, "x", id), 0);
    stage_expect(LOBBY, "say");
    say(1, "one");
    stage_until(stage.heard_count == 1);
    stage_pass(1000);
    assert_int_equal(stage.events[LAZYCHAT_REFUSED], 1);
    assert_string_equal(stage.code, "store");
    assert_string_not_equal(stage.text, "");
}

static void
test_not_a_database(void **state)
{
    int fd = open(path_of("lazychat.db"), O_WRONLY | O_CREAT, 0600);
    static const char junk[4096] = "this is a letter to my aunt";

    (void)state;
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    close(fd);
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    goes_on();
    assert_true(is_on_disk("letter to my aunt"));
}

static void
test_no_directory(void **state)
{
    (void)state;
    close(open(path_of("lock"), O_WRONLY | O_CREAT, 0600));
    config.store = strdup(path_of("lock"));
    stage_open(&config, NULL);
    free((char *)config.store);
    stage_join(STAGE_HOST);
    goes_on();
}

/* The disk is full in the middle of it: no byte more goes into any file. */
static void
test_disk_full(void **state)
{
    struct rlimit limit, small;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 0;
    stage_open(&config, NULL);
    stage_join(STAGE_HOST);
    stage_turn(1);
    setrlimit(RLIMIT_FSIZE, &small);
    goes_on();
    setrlimit(RLIMIT_FSIZE, &limit);
    print_message("# %s\n", stage.text);
    restart(); /* and next time there is a disk again */
    stage_welcome(LOBBY, "lobby", "L", 1);
    stage_pass(1000);
    assert_int_equal(stage.events[LAZYCHAT_REFUSED], 0);
}

/* Only the latest are kept. */
static bool
count(void *user, const char *json, size_t length)
{
    (void)json;
    (void)length;
    ++*(int64_t *)user;
    return true;
}

static void
test_bounded(void **state)
{
    enum { WRITTEN = STORE_MESSAGES_MAX + 5000 };
    struct store *store;
    struct store_room room, other;
    int64_t kept = 0;
    char *text;

    (void)state;
    assert_int_equal(store_open(&store, directory), 0);
    assert_int_equal(store_room(store, "h", "dev", &other), 0);
    assert_int_equal(store_room(store, "h", "lobby", &room), 0);
    assert_int_equal(store_message(store, other.row, 1, "{}", 2), 0);
    for (int64_t seq = 1; seq <= WRITTEN; seq++)
        assert_int_equal(store_message(store, room.row, seq, "{}", 2), 0);
    assert_int_equal(store_latest(store, room.row, INT64_MAX, WRITTEN, count, &kept), 0);
    assert_in_range(kept, STORE_MESSAGES_MAX, STORE_MESSAGES_MAX + 1000);
    assert_null(store_read(store, room.row, WRITTEN - STORE_MESSAGES_MAX - 1000));
    text = store_read(store, other.row, 1);
    assert_non_null(text);
    free(text);
    store_close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_starts_again, begin, end),
        cmocka_unit_test_setup_teardown(test_forgets, begin, end),
        cmocka_unit_test_setup_teardown(test_redacted_is_wiped, begin, end),
        cmocka_unit_test_setup_teardown(test_files, begin, end),
        cmocka_unit_test_setup_teardown(test_child, begin, end),
        cmocka_unit_test_setup_teardown(test_killed, begin, end),
        cmocka_unit_test_setup_teardown(test_not_a_database, begin, end),
        cmocka_unit_test_setup_teardown(test_no_directory, begin, end),
        cmocka_unit_test_setup_teardown(test_disk_full, begin, end),
        cmocka_unit_test_setup_teardown(test_bounded, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
