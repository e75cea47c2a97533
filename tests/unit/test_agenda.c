/* test_agenda.c: a thousand rooms in one process, nearly all of them quiet: what happens in one is
 * done by that one alone. Counted by the driver's functions that each endpoint has called, in a
 * fake network.
 */
#include "endpoint_driver.h"
#include "endpoint_user.h"
#include "fake_link.h"
#include "net.h"
#include "userland.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOMS       1000
#define FIRST_PORT  2014
#define ROOM_MEMORY 8192 /* bytes that a room may cost while nobody is in */

/* One room: an endpoint that says to all what one says, as the server's rooms do. */
struct room {
    struct endpoint *endpoint;
    unsigned int touched; /* calls of its driver: time, receiving, sending */
    unsigned int turns;   /* given by endpoint_next */
    unsigned int ups, downs, unreachable, messages;
    enum endpoint_reason reason;
    struct room *relay; /* what is said here is said there too */
};

/* Somebody who joins a room, as another program would. */
struct client {
    struct endpoint *endpoint;
    uint32_t assoc;
    unsigned int ups, downs, messages;
};

static struct room rooms[ROOMS];
static struct agenda agenda;
static struct userland *userland;
static struct link *fake;
static struct client clients[4];
static size_t client_count, address_count;
static int most_events; /* that a room reads in a turn */
static int64_t next_turn;
static const struct endpoint_driver *real;
static struct endpoint_driver counting;

/* ---- The driver, counted ---- */

static void
touch(const struct endpoint *endpoint)
{
    ((struct room *)endpoint_owner(endpoint))->touched++;
}

static int
count_recv(struct endpoint *endpoint, struct endpoint_raw *raw)
{
    touch(endpoint);
    return real->recv(endpoint, raw);
}

static int
count_send(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message,
           bool more)
{
    touch(endpoint);
    return real->send(endpoint, assoc, message, more);
}

static void
count_tick(struct endpoint *endpoint, int64_t now)
{
    touch(endpoint);
    real->tick(endpoint, now);
}

static int64_t
count_deadline(const struct endpoint *endpoint)
{
    touch(endpoint);
    return real->deadline(endpoint);
}

static unsigned int
touched_but(const struct room *one, const struct room *other)
{
    unsigned int touched = 0;

    for (struct room *room = rooms; room < rooms + ROOMS; room++)
        touched += room == one || room == other ? 0 : room->touched + room->turns;
    return touched;
}

/* ---- Turns ---- */

static void
take(struct room *room, const struct endpoint_event *event)
{
    struct endpoint_message message = {.data = event->data, .length = event->length};

    room->ups += event->type == ENDPOINT_UP;
    room->unreachable += event->type == ENDPOINT_PATH && !event->reachable;
    if (event->type == ENDPOINT_DOWN) {
        room->downs++;
        room->reason = event->reason;
    }
    if (event->type != ENDPOINT_MESSAGE)
        return;
    room->messages++;
    assert_int_equal(endpoint_sendall(room->endpoint, &message), 0);
    if (room->relay != NULL)
        assert_int_equal(endpoint_sendall(room->relay->endpoint, &message), 0);
}

static void
turn_of_client(struct client *client)
{
    struct endpoint_event event;

    endpoint_tick(client->endpoint, fake_now());
    while (endpoint_recv(client->endpoint, &event) == 1) {
        client->ups += event.type == ENDPOINT_UP;
        client->downs += event.type == ENDPOINT_DOWN;
        client->messages += event.type == ENDPOINT_MESSAGE;
    }
}

static void
turn(int64_t wait)
{
    struct endpoint *endpoint;
    struct endpoint_event event;

    fake_advance(fake, wait);
    userland_receive(userland, fake_now());
    while ((endpoint = endpoint_next(&agenda, fake_now())) != NULL) {
        struct room *room = endpoint_owner(endpoint);

        room->turns++;
        for (int i = 0; i < most_events && endpoint_recv(room->endpoint, &event) == 1; i++)
            take(room, &event);
    }
    next_turn = endpoint_finish(&agenda);
    for (size_t i = 0; i < client_count; i++)
        turn_of_client(&clients[i]);
    userland_flush(userland);
}

#define until(condition)                                                                           \
    do {                                                                                           \
        int64_t until_deadline = fake_now() + NET_DEADLINE_MS;                                     \
        while (!(condition)) {                                                                     \
            turn(10);                                                                              \
            if (fake_now() > until_deadline)                                                       \
                fail_msg("not within %d ms: %s", NET_DEADLINE_MS, #condition);                     \
        }                                                                                          \
    } while (0)

static void
forget_counts(void)
{
    for (struct room *room = rooms; room < rooms + ROOMS; room++)
        room->touched = room->turns = 0;
}

static struct client *
join(const struct room *room)
{
    const struct endpoint_config config = {.profile = endpoint_profile_find("default")};
    struct client *client = &clients[client_count++];
    struct address address = net_fake_address(address_count++ % 64);
    unsigned int ups = room->ups;

    memset(client, 0, sizeof(*client));
    assert_int_equal(endpoint_user_open(&client->endpoint, userland, &config), 0);
    assert_int_equal(endpoint_connect(client->endpoint, &address, 1,
                                      (uint16_t)(FIRST_PORT + (room - rooms)), &client->assoc),
                     0);
    until(client->ups == 1 && room->ups == ups + 1);
    return client;
}

static void
say(struct client *client)
{
    const struct endpoint_message message = {.data = "hello", .length = 5};

    assert_int_equal(endpoint_send(client->endpoint, client->assoc, &message), 0);
}

/* The last one that joined. */
static void
leave(const struct room *room)
{
    struct client *client = &clients[client_count - 1];
    unsigned int downs = room->downs;

    assert_int_equal(endpoint_shutdown(client->endpoint, client->assoc), 0);
    until(client->downs == 1 && room->downs == downs + 1);
    endpoint_close(client->endpoint);
    client_count--;
}

static size_t
heap(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void
open_rooms(void)
{
    size_t before = heap();

    for (struct room *room = rooms; room < rooms + ROOMS; room++) {
        const struct endpoint_config config = {.port = (uint16_t)(FIRST_PORT + (room - rooms)),
                                               .listen = true,
                                               .profile = endpoint_profile_find("default"),
                                               .agenda = &agenda,
                                               .owner = room};

        assert_int_equal(endpoint_user_open(&room->endpoint, userland, &config), 0);
        assert_ptr_equal(endpoint_owner(room->endpoint), room);
        real = room->endpoint->driver;
        counting = *real;
        counting.recv = count_recv;
        counting.send = count_send;
        counting.tick = count_tick;
        counting.deadline = count_deadline;
        room->endpoint->driver = &counting;
    }
    print_message("# a room opened: %zu bytes\n", (heap() - before) / ROOMS);
    if (!net_sanitized())
        assert_true((heap() - before) / ROOMS < ROOM_MEMORY);
}

static int
begin(void **state)
{
    const struct fake_config config = {.seed = 1, .delay = 1};

    (void)state;
    memset(rooms, 0, sizeof(rooms));
    client_count = address_count = 0;
    most_events = 100;
    agenda_init(&agenda);
    fake = fake_link_open(&config);
    assert_int_equal(userland_create(&userland), 0);
    assert_int_equal(userland_add_link(userland, fake), 0);
    userland_receive(userland, fake_now());
    open_rooms();
    return 0;
}

static int
end(void **state)
{
    (void)state;
    for (size_t i = 0; i < client_count; i++)
        endpoint_close(clients[i].endpoint);
    for (struct room *room = rooms; room < rooms + ROOMS; room++)
        endpoint_close(room->endpoint);
    userland_destroy(userland);
    return 0;
}

/* ---- Tests ---- */

/* The list alone: by deadline, each once in a turn, and not before it. */
static void
test_deadlines(void **state)
{
    struct agenda list;
    struct agenda_entry entries[3];
    struct endpoint *names[3] = {rooms[0].endpoint, rooms[1].endpoint, rooms[2].endpoint};

    (void)state;
    agenda_init(&list);
    assert_true(agenda_deadline(&list) == INT64_MAX);
    for (size_t i = 0; i < 3; i++) {
        agenda_add(&list, &entries[i], names[i]);
        agenda_set_deadline(&entries[i], 300 - (int64_t)i * 100); /* 300, 200, 100 */
    }
    assert_int_equal(agenda_deadline(&list), 100);
    assert_null(agenda_next(&list, 99));
    assert_ptr_equal(agenda_next(&list, 100), names[2]);
    assert_null(agenda_next(&list, 100)); /* not twice, though it has no other deadline yet */
    assert_int_equal(agenda_deadline(&list), 200);
    assert_ptr_equal(agenda_begun(&list), names[2]);
    assert_null(agenda_begun(&list));
    agenda_set_deadline(&entries[2], INT64_MAX);
    agenda_set_deadline(&entries[1], 400); /* put off */
    assert_null(agenda_next(&list, 200));
    assert_int_equal(agenda_deadline(&list), 300);
    agenda_wake(&entries[2]);
    agenda_wake(&entries[2]);
    assert_true(agenda_deadline(&list) == INT64_MIN);
    assert_ptr_equal(agenda_next(&list, 350), names[2]);
    assert_ptr_equal(agenda_next(&list, 350), names[0]);
    assert_null(agenda_next(&list, 350));
    agenda_remove(&entries[0]);
    assert_ptr_equal(agenda_begun(&list), names[2]);
    assert_null(agenda_begun(&list));
}

/* Two rooms talk, packets come and timers run for minutes: nobody asks the other 998 anything. */
static void
test_quiet_rooms_are_not_touched(void **state)
{
    struct room *one = &rooms[3], *other = &rooms[700];
    struct client *a, *b;

    (void)state;
    turn(10);
    assert_int_equal(touched_but(NULL, NULL), 0);
    assert_int_equal(next_turn, ENDPOINT_NO_DEADLINE);
    a = join(one);
    b = join(other);
    for (unsigned int i = 1; i <= 50; i++) {
        say(a);
        say(b);
        until(a->messages == i && b->messages == i);
    }
    for (int64_t later = fake_now() + 180000; fake_now() < later;)
        turn(10);
    assert_int_equal(touched_but(one, other), 0);
    assert_true(one->turns > 50 && other->turns > 50);
}

/* Of two rooms with people, only the one where something happens is asked, but for the time. */
static void
test_idle_people(void **state)
{
    struct room *loud = &rooms[1], *idle = &rooms[2];
    struct client *a;
    int64_t begun;

    (void)state;
    a = join(loud);
    join(idle);
    for (int i = 0; i < 100; i++)
        turn(10);
    forget_counts();
    begun = fake_now();
    for (unsigned int i = 1; i <= 1000; i++) {
        say(a);
        until(a->messages == i);
    }
    print_message("# in %d ms: %u turns of the loud room, %u of the idle one\n",
                  (int)(fake_now() - begun), loud->turns, idle->turns);
    assert_true(loud->turns >= 1000);
    /* Two looks for silence a second; a heartbeat now and then. */
    assert_true(idle->turns <= (unsigned int)((fake_now() - begun) / 1000 + 1) * 3);
}

/* Whoever comes late to any of the others gets in, hears and leaves; and when all were used once,
 * an empty one costs as little as before. */
static void
test_visits(void **state)
{
    size_t before, after;

    (void)state;
    join(&rooms[0]);
    before = heap();
    for (struct room *room = rooms + 1; room < rooms + ROOMS; room++) {
        struct client *visitor = join(room);

        say(visitor);
        until(visitor->messages == 1);
        leave(room);
    }
    for (int64_t later = fake_now() + 300000; fake_now() < later;)
        turn(1000);
    after = heap();
    print_message("# a room visited: %d bytes more\n", ((int)after - (int)before) / ROOMS);
    if (!net_sanitized())
        assert_true(after < before + (size_t)ROOMS * 1024);
    forget_counts();
    for (int i = 0; i < 100; i++)
        turn(10);
    assert_int_equal(touched_but(&rooms[0], NULL), 0);
}

/* Deadlines count too: someone falls silent in a quiet room, and no packet says so. */
static void
test_silent(void **state)
{
    struct address address = net_fake_address(0);
    struct room *room = &rooms[500];
    int64_t cut, given_up;

    (void)state;
    join(room);
    fake_cut(fake, &address, 0);
    cut = fake_now();
    while (room->downs == 0 && fake_now() < cut + 300000) {
        int64_t wait = next_turn - fake_now();

        turn(wait > 0 && wait < 200 ? wait : 200);
    }
    given_up = fake_now() - cut;
    print_message("# given up after %d s\n", (int)(given_up / 1000));
    assert_int_equal(room->unreachable, 1);
    assert_int_equal(room->reason, ENDPOINT_UNREACHABLE);
    assert_true(given_up > 120000 && given_up < 180000);
    assert_int_equal(touched_but(room, NULL), 0);
    turn(10);
    assert_int_equal(next_turn, ENDPOINT_NO_DEADLINE);
}

/* Timers make events that no packet announces: a connect that nobody answers is refused. */
static void
test_timers(void **state)
{
    struct address address = net_fake_address(0);
    struct room *room = &rooms[500];
    uint32_t assoc;

    (void)state;
    join(&rooms[1]);
    leave(&rooms[1]);
    fake_cut(fake, &address, 0);
    turn(1000); /* past the deadline that there was */
    forget_counts();
    turn(1);
    assert_int_equal(next_turn, ENDPOINT_NO_DEADLINE);
    assert_int_equal(endpoint_connect(room->endpoint, &address, 1, 4711, &assoc), 0);
    turn(1);
    assert_int_not_equal(next_turn, ENDPOINT_NO_DEADLINE);
    until(room->downs == 1);
    assert_int_equal(room->reason, ENDPOINT_REFUSED);
    assert_int_equal(touched_but(room, NULL), 0);
}

/* Who does not read to the end has another turn at once, without a packet. */
static void
test_unread(void **state)
{
    struct room *room = &rooms[42];
    struct client *client;

    (void)state;
    client = join(room);
    most_events = 1;
    for (int i = 0; i < 100; i++)
        say(client);
    for (unsigned int read = 0; read < 100; read = room->messages) {
        turn(1);
        assert_true(room->messages <= read + 1);
        if (room->messages > 0 && room->messages < 100)
            assert_true(next_turn <= fake_now());
    }
    until(client->messages == 100 && next_turn > fake_now());
    assert_int_equal(touched_but(room, NULL), 0);
}

/* What is said in another room's turn leaves in that turn. */
static void
test_said_elsewhere(void **state)
{
    struct client *a, *b;
    struct endpoint_stats stats;

    (void)state;
    rooms[7].relay = &rooms[8];
    a = join(&rooms[7]);
    b = join(&rooms[8]);
    say(a);
    while (rooms[7].messages == 0)
        turn(10);
    endpoint_stats(rooms[8].endpoint, &stats);
    assert_int_equal(stats.messages_out, 1);
    until(a->messages == 1 && b->messages == 1);
    assert_int_equal(touched_but(&rooms[7], &rooms[8]), 0);
}

/* A room may be closed at any time: woken, in its turn, having said something, with a deadline. */
static void
test_closed_meanwhile(void **state)
{
    struct endpoint_message message = {.data = "x", .length = 1};
    struct endpoint *given;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        join(&rooms[i]);
    for (size_t i = 0; i < 3; i++) {
        endpoint_wake(rooms[i].endpoint);
        endpoint_wake(rooms[i].endpoint);
    }
    endpoint_close(rooms[0].endpoint);
    rooms[0].endpoint = NULL;
    given = endpoint_next(&agenda, fake_now());
    assert_ptr_equal(given, rooms[1].endpoint);
    assert_int_equal(endpoint_sendall(rooms[1].endpoint, &message), 0);
    endpoint_close(rooms[1].endpoint);
    rooms[1].endpoint = NULL;
    assert_ptr_equal(endpoint_next(&agenda, fake_now()), rooms[2].endpoint);
    assert_null(endpoint_next(&agenda, fake_now()));
    until(clients[0].downs == 1 && clients[1].downs == 1);
    say(&clients[2]);
    until(clients[2].messages == 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deadlines, begin, end),
        cmocka_unit_test_setup_teardown(test_quiet_rooms_are_not_touched, begin, end),
        cmocka_unit_test_setup_teardown(test_idle_people, begin, end),
        cmocka_unit_test_setup_teardown(test_visits, begin, end),
        cmocka_unit_test_setup_teardown(test_silent, begin, end),
        cmocka_unit_test_setup_teardown(test_timers, begin, end),
        cmocka_unit_test_setup_teardown(test_unread, begin, end),
        cmocka_unit_test_setup_teardown(test_said_elsewhere, begin, end),
        cmocka_unit_test_setup_teardown(test_closed_meanwhile, begin, end),
    };

    return cmocka_run_group_tests_name("agenda", tests, NULL, NULL);
}
