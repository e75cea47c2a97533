/* test_transport.c: the server's transports and loop with a thousand rooms of kernel SCTP: one
 * descriptor each, and only those that can be read are asked. Run it with with-sctp; the same for
 * the user-space stack is in tests/unit/test_agenda.c.
 */
#include "clock.h"
#include "endpoint_kernel.h"
#include "loop.h"
#include "transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define ROOMS       1000
#define FIRST_PORT  2014
#define DEADLINE_MS 20000
#define CLIENTS     2

struct room {
    struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS];
    unsigned int turns, messages, downs;
};

static struct room rooms[ROOMS];
static struct loop *loop;
static struct transport *transport;
static struct endpoint *clients[CLIENTS];
static uint32_t assocs[CLIENTS];
static int64_t next_turn;
static unsigned int ups, heard, tags;

static void
take(struct endpoint *endpoint, struct room *room)
{
    struct endpoint_event event;

    while (endpoint_recv(endpoint, &event) == 1) {
        struct endpoint_message message = {.data = event.data, .length = event.length};

        room->downs += event.type == ENDPOINT_DOWN;
        if (event.type != ENDPOINT_MESSAGE)
            continue;
        room->messages++;
        assert_int_equal(endpoint_sendall(endpoint, &message), 0);
    }
}

/* Wait and a turn as the server's, and then what the clients have. */
static void
turn(void)
{
    int64_t most = clock_ms() + 10;
    struct endpoint_event event;
    struct endpoint *endpoint;
    const void *tag;

    assert_int_equal(loop_wait(loop, next_turn < most ? next_turn : most), 0);
    while ((tag = loop_ready(loop)) != NULL) {
        assert_ptr_equal(tag, &transport);
        tags++;
    }
    transport_receive(transport, clock_ms());
    while ((endpoint = transport_ready(transport)) != NULL) {
        struct room *room = endpoint_owner(endpoint);

        assert_ptr_equal(room->endpoints[0].endpoint, endpoint);
        room->turns++;
        take(endpoint, room);
    }
    next_turn = transport_flush(transport);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (clients[i] == NULL)
            continue;
        endpoint_tick(clients[i], clock_ms());
        while (endpoint_recv(clients[i], &event) == 1) {
            ups += event.type == ENDPOINT_UP;
            heard += event.type == ENDPOINT_MESSAGE;
        }
    }
}

#define until(condition)                                                                           \
    do {                                                                                           \
        int64_t until_deadline = clock_ms() + DEADLINE_MS;                                         \
        while (!(condition)) {                                                                     \
            turn();                                                                                \
            if (clock_ms() > until_deadline)                                                       \
                fail_msg("not within %d ms: %s", DEADLINE_MS, #condition);                         \
        }                                                                                          \
    } while (0)

static void
join(size_t client, size_t room)
{
    struct endpoint_config config = {.profile = endpoint_profile_find("default")};
    struct address server;
    unsigned int before = ups;

    address_parse(&server, "127.0.0.1", 0);
    assert_int_equal(endpoint_kernel_open(&clients[client], &server, 1, &config), 0);
    assert_int_equal(endpoint_connect(clients[client], &server, 1, (uint16_t)(FIRST_PORT + room),
                                      &assocs[client]),
                     0);
    until(ups == before + 1);
}

static void
say(size_t client)
{
    const struct endpoint_message message = {.data = "hello", .length = 5};

    assert_int_equal(endpoint_send(clients[client], assocs[client], &message), 0);
}

static unsigned int
turns_but(size_t one, size_t other)
{
    unsigned int turns = 0;

    for (size_t i = 0; i < ROOMS; i++)
        turns += i == one || i == other ? 0 : rooms[i].turns;
    return turns;
}

static int
begin(void **state)
{
    static const struct option_list listen = {{"sctp:127.0.0.1"}, 1};
    struct rlimit files;

    (void)state;
    if (!endpoint_kernel_available()) {
        print_message("# skip-reason: this kernel has no SCTP; run it with with-sctp\n");
        return 0;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(transport_open(&transport, &listen, endpoint_profile_find("default"), stderr),
                     0);
    assert_int_equal(loop_watch(loop, transport_fd(transport), &transport), 0);
    for (size_t i = 0; i < ROOMS; i++)
        assert_int_equal(transport_endpoints(transport, (uint16_t)(FIRST_PORT + i), &rooms[i],
                                             rooms[i].endpoints, stderr),
                         1);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        endpoint_close(clients[i]);
    for (size_t i = 0; i < ROOMS; i++)
        endpoint_close(rooms[i].endpoints[0].endpoint);
    transport_close(transport);
    loop_destroy(loop);
    return 0;
}

static void
test_rooms(void **state)
{
    (void)state;
    if (transport == NULL)
        skip();
    turn();
    assert_int_equal(turns_but(ROOMS, ROOMS), 0);
    assert_int_equal(tags, 0);
    join(0, 3);
    join(1, 700);
    for (unsigned int i = 1; i <= 20; i++) {
        say(0);
        say(1);
        until(heard == 2 * i);
    }
    assert_int_equal(rooms[3].messages, 20);
    assert_int_equal(rooms[700].messages, 20);
    assert_int_equal(turns_but(3, 700), 0);
    assert_true(tags > 0);
    /* Someone leaves, and comes late to the last room. */
    endpoint_close(clients[0]);
    clients[0] = NULL;
    until(rooms[3].downs == 1);
    join(0, ROOMS - 1);
    say(0);
    until(heard == 41);
    assert_int_equal(rooms[ROOMS - 1].messages, 1);
    assert_int_equal(turns_but(3, 700), rooms[ROOMS - 1].turns);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_rooms, begin, end)};

    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
