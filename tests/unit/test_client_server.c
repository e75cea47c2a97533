/* test_client_server.c: the client and the real lazychatd, which is killed and started again while
 * they talk.
 *
 *     test_client_server LAZYCHATD
 */
#include "clock.h"
#include "lazychat.h"

#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SAID        1000
#define DEADLINE_MS 60000

static const char *lazychatd;

static struct {
    char directory[64];
    pid_t pid; /* 0: no server */
    unsigned int port;
    struct lazychat *chat;
    struct lazychat_room *room;
    int64_t seqs[4 * SAID]; /* as handed over */
    char texts[4 * SAID][16];
    size_t heard, sent, stored;
    unsigned int joined, lost, refused;
} test;

/* ---- The server ---- */

/* The port is chosen here; a client that comes in is the proof that it serves. */
static void
server_start(void)
{
    char listen[64], data[96];

    snprintf(listen, sizeof(listen), "udp:127.0.0.1:%u", test.port);
    snprintf(data, sizeof(data), "%s/server", test.directory);
    test.pid = fork();
    assert_true(test.pid >= 0);
    if (test.pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(STDOUT_FILENO, STDERR_FILENO);
    execl(lazychatd, lazychatd, "--listen", listen, "--data", data, "--rate", "10000",
          (char *)NULL);
    _exit(127);
}

static void
server_kill(void)
{
    if (test.pid == 0)
        return;
    kill(test.pid, SIGKILL);
    assert_int_equal(waitpid(test.pid, NULL, 0), test.pid);
    test.pid = 0;
}

/* A UDP port that nobody has at present. */
static unsigned int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* ---- The client ---- */

static void
on_message(void *user, struct lazychat_room *room, const struct lazychat_message *message)
{
    (void)user;
    (void)room;
    if (message->old && message->seq <= test.seqs[test.heard > 0 ? test.heard - 1 : 0]) {
        test.stored++; /* for reading before the network is there */
        return;
    }
    assert_true(test.heard < sizeof(test.seqs) / sizeof(test.seqs[0]));
    snprintf(test.texts[test.heard], sizeof(test.texts[0]), "%s", message->text);
    test.seqs[test.heard++] = message->seq;
}

static void
on_event(void *user, struct lazychat_room *room, const struct lazychat_event *event)
{
    (void)user;
    (void)room;
    test.sent += event->type == LAZYCHAT_SENT;
    test.joined += event->type == LAZYCHAT_JOINED;
    test.lost += event->type == LAZYCHAT_LOST;
    if (event->type == LAZYCHAT_REFUSED) {
        print_message("# refused: %s: %s\n", event->code, event->text);
        test.refused += event->retry < 0;
    }
}

static void
client_start(const char *room)
{
    char where[96], store[96];
    struct lazychat_config config = {.nick = "ann",
                                     .store = store,
                                     .last = 10,
                                     .transports = LAZYCHAT_BY_UDP,
                                     .on_message = on_message,
                                     .on_event = on_event};

    snprintf(store, sizeof(store), "%s/client", test.directory);
    snprintf(where, sizeof(where), "127.0.0.1:%u/%s", test.port, room);
    assert_int_equal(lazychat_open(&test.chat, &config), 0);
    assert_int_equal(lazychat_join(test.chat, where, &test.room), 0);
}

/* Waits by what the library says and no shorter, so that a deadline that it forgets is missed. */
#define until(condition)                                                                           \
    do {                                                                                           \
        int64_t until_deadline = clock_ms() + DEADLINE_MS;                                         \
        while (!(condition)) {                                                                     \
            if (clock_ms() >= until_deadline)                                                      \
                fail_msg("not within %d ms: %s", DEADLINE_MS, #condition);                         \
            assert_int_equal(lazychat_wait(test.chat, DEADLINE_MS), 0);                            \
        }                                                                                          \
    } while (0)

static int
begin(void **state)
{
    (void)state;
    memset(&test, 0, sizeof(test));
    strcpy(test.directory, "/tmp/lazychat-client-XXXXXX");
    assert_non_null(mkdtemp(test.directory));
    test.port = free_port();
    server_start();
    return 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int
end(void **state)
{
    (void)state;
    lazychat_close(test.chat);
    server_kill();
    return nftw(test.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
say(int number)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    assert_int_equal(lazychat_say(test.room, text, NULL), 0);
}

/* Everything that was said was heard once, in the order in which it was said, and the numbers have
 * no hole. */
static void
check(size_t said)
{
    assert_int_equal(test.heard, said);
    assert_int_equal(test.refused, 0);
    for (size_t i = 0; i < said; i++) {
        assert_int_equal(atoi(test.texts[i]), (int)i);
        assert_true(i == 0 || test.seqs[i] == test.seqs[i - 1] + 1);
    }
    assert_int_equal(lazychat_unsent(test.chat), 0);
}

/* The server is killed at four moments of a thousand messages, and stays away for a while. */
static void
test_server_killed(void **state)
{
    static const char *const rooms[] = {"lobby", "dev"};

    for (size_t r = 0; r < 2; r++) {
        if (r > 0)
            begin(state);
        client_start(rooms[r]);
        until(test.joined == 1);
        for (int i = 0; i < SAID; i++)
            say(i);
        for (size_t kill = 1; kill <= 4; kill++) {
            until(test.heard >= kill * SAID / 5);
            server_kill();
            until(test.lost >= kill || lazychat_wait(test.chat, 100 * (int)kill) == 0);
            server_start();
        }
        until(test.heard == SAID && lazychat_unsent(test.chat) == 0);
        print_message("# %s: joined %u times, lost %u times\n", rooms[r], test.joined, test.lost);
        assert_true(test.joined >= 4);
        check(SAID);
        if (r == 0)
            end(state);
    }
}

/* The program ends as it pleases, with messages unsent, and the server is killed as well. */
static void
test_both_end(void **state)
{
    size_t acknowledged = 0;

    (void)state;
    for (int round = 0; round < 5; round++) {
        client_start("lobby");
        for (int i = 0; i < SAID / 5; i++)
            say(round * SAID / 5 + i);
        until(test.heard >= (size_t)(round * SAID / 5 + 50));
        if (round % 2 == 0) {
            server_kill();
            server_start();
        }
        lazychat_wait(test.chat, 0);
        acknowledged += test.sent;
        test.sent = 0;
        lazychat_close(test.chat);
        test.chat = NULL;
    }
    client_start("lobby");
    until(test.heard == SAID && lazychat_unsent(test.chat) == 0);
    assert_int_equal(acknowledged + test.sent, SAID);
    check(SAID);
    assert_true(test.stored >= 10);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_server_killed, begin, end),
        cmocka_unit_test_setup_teardown(test_both_end, begin, end),
    };

    if (argc < 2)
        return EXIT_FAILURE;
    lazychatd = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
