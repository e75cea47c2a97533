/* test_connection.c: many connections of one process over one network, with servers in processes of
 * their own that can be killed.
 */
#include "clock.h"
#include "connection.h"
#include "endpoint_kernel.h"
#include "endpoint_user.h"
#include "link_udp.h"

#include <dirent.h>
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

#define FIRST_ROOM  2014
#define ROOMS       4
#define CONNECTIONS 60
#define DEADLINE_MS 20000

/* ---- A server: rooms that send to all what one says ---- */

struct server_rooms {
    struct endpoint *all[ROOMS];
    struct userland *userland; /* NULL: the kernel's */
};

static bool
rooms_open(struct server_rooms *rooms, bool kernel, struct address *address)
{
    struct link *link;

    if (!kernel) {
        if (userland_create(&rooms->userland) != LAZYCHAT_OK ||
            link_udp_open(&link, address) != LAZYCHAT_OK)
            return false;
        *address = link->local;
        if (userland_add_link(rooms->userland, link) != LAZYCHAT_OK)
            return false;
    }
    for (uint16_t i = 0; i < ROOMS; i++) {
        struct endpoint_config config = {.port = (uint16_t)(FIRST_ROOM + i),
                                         .listen = true,
                                         .profile = endpoint_profile_find("lan")};
        int error = kernel ? endpoint_kernel_open(&rooms->all[i], address, 1, &config)
                           : endpoint_user_open(&rooms->all[i], rooms->userland, &config);

        if (error != LAZYCHAT_OK)
            return false;
    }
    return true;
}

static void
relay(struct endpoint *room, int64_t now)
{
    struct endpoint_event event;

    endpoint_tick(room, now);
    while (endpoint_recv(room, &event) == 1) {
        struct endpoint_message message = {
            .data = event.data, .length = event.length, .ppid = event.ppid};

        if (event.type == ENDPOINT_MESSAGE)
            endpoint_sendall(room, &message);
    }
    endpoint_flush(room);
}

/* `test_connection serve-user PORT` and `serve-kernel 0`: says its UDP port and serves until it is
 * killed, or the test is. */
static int
serve(bool kernel, uint16_t port)
{
    struct server_rooms rooms = {0};
    struct pollfd fds[ROOMS];
    struct address address;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    address_parse(&address, "127.0.0.1", port);
    if (!rooms_open(&rooms, kernel, &address))
        return EXIT_FAILURE;
    printf("%u\n", (unsigned int)address_port(&address));
    fflush(stdout);
    for (size_t i = 0; i < ROOMS; i++)
        fds[i] = (struct pollfd){.fd = endpoint_fd(rooms.all[i]), .events = POLLIN};
    if (!kernel)
        fds[0].fd = userland_fd(rooms.userland);
    for (;;) {
        poll(fds, ROOMS, 10);
        if (!kernel)
            userland_receive(rooms.userland, clock_ms());
        for (size_t i = 0; i < ROOMS; i++)
            relay(rooms.all[i], clock_ms());
        if (!kernel)
            userland_flush(rooms.userland);
    }
}

struct server {
    pid_t pid; /* 0: none */
    uint16_t port;
};

static bool kernel; /* which transport these runs are of */
static const char *program;

/* Returns once it serves. Port 0: any. */
static struct server
server_start(bool of_kernel, uint16_t port)
{
    struct server server;
    unsigned int bound;
    char text[16];
    int out[2];
    FILE *file;

    snprintf(text, sizeof(text), "%u", (unsigned int)port);
    assert_int_equal(pipe(out), 0);
    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl(program, program, of_kernel ? "serve-kernel" : "serve-user", text, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    file = fdopen(out[0], "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%u", &bound), 1);
    fclose(file);
    server.port = (uint16_t)bound;
    return server;
}

static void
server_kill(struct server *server)
{
    if (server->pid == 0)
        return;
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
    server->pid = 0;
}

/* ---- The clients ---- */

struct client {
    struct connection *connection;
    uint16_t room;
    unsigned int messages, unreachable, reachable;
    unsigned int heard[CONNECTIONS]; /* how often, of each one */
};

static struct {
    struct network *network;
    struct server servers[2];
    struct client clients[CONNECTIONS];
    size_t count;
} test;

static struct client *
connect_with(uint16_t udp_port, uint16_t room, unsigned int transports)
{
    struct client *client = &test.clients[test.count++];
    struct address address;
    struct connection_config config = {.network = test.network,
                                       .addresses = &address,
                                       .count = 1,
                                       .transports = transports,
                                       .port = room,
                                       .udp_port = udp_port,
                                       .profile = endpoint_profile_find("lan")};

    assert_true(test.count <= CONNECTIONS);
    memset(client, 0, sizeof(*client));
    client->room = room;
    address_parse(&address, "127.0.0.1", 0);
    assert_int_equal(connection_open(&client->connection, &config, clock_ms()), 0);
    return client;
}

static struct client *
join(const struct server *server, uint16_t room)
{
    return connect_with(server->port, room, kernel ? CONNECTION_SCTP : CONNECTION_UDP);
}

static void
leave(struct client *client)
{
    connection_close(client->connection);
    client->connection = NULL;
}

static void
take(struct client *client, const struct endpoint_event *event)
{
    if (event->type == ENDPOINT_MESSAGE) {
        assert_int_equal(event->length, 2);
        assert_true(event->data[0] == client->room - FIRST_ROOM && event->data[1] < CONNECTIONS);
        client->messages++;
        client->heard[event->data[1]]++;
    } else if (event->type == ENDPOINT_PATH) {
        client->unreachable += !event->reachable;
        client->reachable += event->reachable;
        assert_true(connection_reachable(client->connection) == event->reachable);
    }
}

/* One turn of all, which waits as long as they say and no longer: so a deadline that one of them
 * forgets to tell is missed. */
static void
turn(int64_t until)
{
    int64_t now = clock_ms();
    int64_t next = network_receive(test.network, now);
    struct pollfd fd = {.fd = network_fd(test.network), .events = POLLIN};

    next = until < next ? until : next;
    for (size_t i = 0; i < test.count; i++) {
        struct client *client = &test.clients[i];
        struct endpoint_event event;
        int64_t due;

        if (client->connection == NULL)
            continue;
        due = connection_turn(client->connection, now);
        next = due < next ? due : next;
        while (connection_recv(client->connection, &event) == 1)
            take(client, &event);
    }
    network_flush(test.network);
    now = clock_ms();
    poll(&fd, 1, next > now ? (int)(next - now) : 0);
}

#define until(condition)                                                                           \
    do {                                                                                           \
        int64_t until_deadline = clock_ms() + DEADLINE_MS;                                         \
        while (!(condition)) {                                                                     \
            if (clock_ms() >= until_deadline)                                                      \
                fail_msg("not within %d ms: %s", DEADLINE_MS, #condition);                         \
            turn(until_deadline);                                                                  \
        }                                                                                          \
    } while (0)

/* Clients `from` to `to` - 1 are in this state; those that have left are in any. */
static bool
all_are(size_t from, size_t to, enum connection_state state)
{
    for (size_t i = from; i < to; i++)
        if (test.clients[i].connection != NULL &&
            connection_state(test.clients[i].connection) != state)
            return false;
    return true;
}

static bool
all_have(size_t from, size_t to, unsigned int messages)
{
    for (size_t i = from; i < to; i++)
        if (test.clients[i].connection != NULL && test.clients[i].messages < messages)
            return false;
    return true;
}

/* Each says its room and its number. */
static void
say(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct client *client = &test.clients[i];
        uint8_t bytes[2] = {(uint8_t)(client->room - FIRST_ROOM), (uint8_t)i};
        struct endpoint_message message = {.data = bytes, .length = sizeof(bytes)};

        if (client->connection != NULL && connection_state(client->connection) == CONNECTION_OPEN)
            assert_int_equal(connection_send(client->connection, &message), 0);
    }
}

/* Sixty of them, as many in each room, are in. */
static void
join_all(const struct server *server)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        join(server, (uint16_t)(FIRST_ROOM + i % ROOMS));
    until(all_are(0, CONNECTIONS, CONNECTION_OPEN));
}

static size_t
descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static bool
readable(int wait)
{
    struct pollfd fd = {.fd = network_fd(test.network), .events = POLLIN};

    return poll(&fd, 1, wait) == 1;
}

static int
end(void **state)
{
    (void)state;
    for (size_t i = 0; i < test.count; i++)
        leave(&test.clients[i]);
    test.count = 0;
    network_destroy(test.network);
    test.network = NULL;
    server_kill(&test.servers[0]);
    server_kill(&test.servers[1]);
    return 0;
}

/* With its server; skipped with its reason where there is no such transport. */
static void
begin(void **state)
{
    kernel = *(const bool *)*state;
    if (kernel && !endpoint_kernel_available()) {
        print_message("# skip-reason: this kernel has no SCTP; tests/kernel runs it under one\n");
        skip();
    }
    assert_int_equal(network_create(&test.network), 0);
    test.servers[0] = server_start(kernel, 0);
}

/* ---- The tests ---- */

/* All come up, and each hears everyone of its own room once and nobody of another. In user space
 * they share two descriptors beside the network's: the stack's, and one UDP socket. */
static void
test_sixty(void **state)
{
    size_t before;

    begin(state);
    before = descriptors();
    join_all(&test.servers[0]);
    if (!kernel)
        assert_int_equal(descriptors(), before + 2);
    say(0, CONNECTIONS);
    until(all_have(0, CONNECTIONS, CONNECTIONS / ROOMS));
    for (size_t i = 0; i < CONNECTIONS; i++)
        for (size_t j = 0; j < CONNECTIONS; j++)
            assert_int_equal(test.clients[i].heard[j], i % ROOMS == j % ROOMS);
    until(!readable(0)); /* the one descriptor tells of any of them, and then no more */
    say(11, 12);
    network_flush(test.network);
    assert_true(readable(DEADLINE_MS));
    until(all_have(11, 12, CONNECTIONS / ROOMS + 1));
    until(!readable(0));
}

/* One aborts, one is refused, one gets no answer and one leaves in peace: the others notice
 * nothing. */
static void
test_ends_alone(void **state)
{
    const size_t most = CONNECTIONS - 3;
    struct client *refused, *nobody, *leaver;
    struct address address;

    begin(state);
    for (size_t i = 0; i < most; i++)
        join(&test.servers[0], FIRST_ROOM);
    until(all_are(0, most, CONNECTION_OPEN));
    leave(&test.clients[7]);
    refused = join(&test.servers[0], FIRST_ROOM + ROOMS);
    nobody = connect_with(9, FIRST_ROOM, CONNECTION_UDP);
    leaver = join(&test.servers[0], FIRST_ROOM);
    until(connection_state(refused->connection) == CONNECTION_FAILED &&
          connection_state(leaver->connection) == CONNECTION_OPEN);
    assert_non_null(strstr(connection_text(refused->connection), "refused"));
    connection_shutdown(leaver->connection);
    until(connection_state(leaver->connection) == CONNECTION_CLOSED);
    assert_int_equal(connection_reason(leaver->connection), ENDPOINT_CLOSED);
    assert_int_equal(connection_state(nobody->connection), CONNECTION_TRYING);
    leave(nobody);
    say(0, most);
    until(all_have(0, most, (unsigned int)most - 1));
    assert_true(all_are(0, most, CONNECTION_OPEN));
    for (size_t i = 0; i < most; i++) {
        assert_int_equal(test.clients[i].unreachable, 0);
        assert_int_equal(test.clients[i].heard[7], 0);
    }
    if (kernel)
        assert_int_equal(connection_way(test.clients[0].connection, &address), CONNECTION_SCTP);
}

/* A server is killed, and another comes on its UDP port: each connection learns it once it says
 * something (the kernel tells even before). Those with another server are not touched, and new ones
 * come up over the same network. */
static void
test_server_restarts(void **state)
{
    enum { LOST = 40, STAY = 10 };
    uint16_t port;

    begin(state);
    port = test.servers[0].port;
    for (size_t i = 0; i < LOST; i++)
        join(&test.servers[0], (uint16_t)(FIRST_ROOM + i % ROOMS));
    if (!kernel) /* one machine has each SCTP port of the kernel once */
        test.servers[1] = server_start(false, 0);
    for (size_t i = 0; i < STAY && !kernel; i++)
        join(&test.servers[1], FIRST_ROOM);
    until(all_are(0, test.count, CONNECTION_OPEN));
    server_kill(&test.servers[0]);
    test.servers[0] = server_start(kernel, port);
    if (!kernel)
        assert_true(all_are(0, test.count, CONNECTION_OPEN));
    say(LOST, test.count);
    if (!kernel)
        say(0, LOST);
    until(all_are(0, LOST, CONNECTION_CLOSED));
    until(all_have(LOST, test.count, STAY));
    for (size_t i = 0; i < LOST; i++)
        assert_int_not_equal(connection_reason(test.clients[i].connection), ENDPOINT_REFUSED);
    assert_true(all_are(LOST, test.count, CONNECTION_OPEN));
    while (test.count < CONNECTIONS)
        join(&test.servers[0], FIRST_ROOM);
    until(all_are(LOST, test.count, CONNECTION_OPEN));
    say(CONNECTIONS - 1, CONNECTIONS);
    until(test.clients[CONNECTIONS - 1].messages > 0);
}

/* A server that answers nothing for a while: all its connections say so, keep what was said, and go
 * on. */
static void
test_silence(void **state)
{
    begin(state);
    for (size_t i = 0; i < 10; i++)
        join(&test.servers[0], FIRST_ROOM);
    until(all_are(0, test.count, CONNECTION_OPEN));
    assert_true(connection_reachable(test.clients[3].connection));
    assert_int_equal(kill(test.servers[0].pid, SIGSTOP), 0);
    say(0, 1);
    for (size_t i = 0; i < test.count; i++)
        until(test.clients[i].unreachable == 1);
    assert_true(all_are(0, test.count, CONNECTION_OPEN));
    assert_false(connection_reachable(test.clients[3].connection));
    assert_int_equal(kill(test.servers[0].pid, SIGCONT), 0);
    until(all_have(0, test.count, 1));
    for (size_t i = 0; i < test.count; i++)
        until(test.clients[i].reachable == 1);
    assert_true(connection_reachable(test.clients[3].connection));
}

/* An INIT that is lost is sent again in time, though nothing else ever wakes the client. */
static void
test_lost_init(void **state)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct address address;
    socklen_t length = sizeof(address);
    struct client *client;
    char bytes[2048];
    int inits = 0;

    begin(state);
    address_parse(&address, "127.0.0.1", 0);
    assert_int_equal(bind(fd, &address.any, address_length(&address)), 0);
    assert_int_equal(getsockname(fd, &address.any, &length), 0);
    client = connect_with(address_port(&address), FIRST_ROOM, CONNECTION_UDP);
    until((inits += recv(fd, bytes, sizeof(bytes), 0) > 0) == 3);
    assert_int_equal(connection_state(client->connection), CONNECTION_TRYING);
    close(fd);
}

/* Where the machine has SCTP and the server only SCTP over UDP, that wins. */
static void
test_udp_wins(void **state)
{
    struct address address;

    begin(state);
    server_kill(&test.servers[0]);
    test.servers[0] = server_start(false, 0);
    for (size_t i = 0; i < 10; i++)
        connect_with(test.servers[0].port, FIRST_ROOM, CONNECTION_SCTP | CONNECTION_UDP);
    until(all_are(0, test.count, CONNECTION_OPEN));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(connection_way(test.clients[i].connection, &address), CONNECTION_UDP);
    assert_int_equal(address_port(&address), test.servers[0].port);
    say(0, 10);
    until(all_have(0, 10, 10));
}

/* `test_connection user` and `test_connection kernel`, as test_endpoint. */
int
main(int argc, char **argv)
{
    static const bool of_kernel = true, of_user = false;
    const char *which = argc > 1 ? argv[1] : "user";
    void *user_row = (void *)(uintptr_t)&of_user, *kernel_row = (void *)(uintptr_t)&of_kernel;
    const struct CMUnitTest user[] = {
        {"user: sixty", test_sixty, NULL, end, user_row},
        {"user: each ends alone", test_ends_alone, NULL, end, user_row},
        {"user: the server restarts", test_server_restarts, NULL, end, user_row},
        {"user: silence", test_silence, NULL, end, user_row},
        {"user: a lost INIT", test_lost_init, NULL, end, user_row},
    };
    const struct CMUnitTest of_kernels[] = {
        {"kernel: sixty", test_sixty, NULL, end, kernel_row},
        {"kernel: each ends alone", test_ends_alone, NULL, end, kernel_row},
        {"kernel: the server restarts", test_server_restarts, NULL, end, kernel_row},
        {"kernel: UDP wins where SCTP is refused", test_udp_wins, NULL, end, kernel_row},
    };

    program = argv[0];
    if (argc == 3 && strncmp(which, "serve-", 6) == 0)
        return serve(strcmp(which, "serve-kernel") == 0, (uint16_t)atoi(argv[2]));
    if (strcmp(which, "kernel") == 0)
        return cmocka_run_group_tests(of_kernels, NULL, NULL);
    return cmocka_run_group_tests(user, NULL, NULL);
}
