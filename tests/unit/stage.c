/* stage.c: a scripted server and a client before it, on the fake network. */
#include "stage.h"

#include "endpoint_user.h"
#include "userland.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct stage stage;

/* ---- The client's network: the stage's ---- */

struct network {
    int unused;
};

static struct network network;

int
network_create(struct network **result)
{
    *result = &network;
    return LAZYCHAT_OK;
}

void
network_destroy(struct network *unused)
{
    (void)unused;
}

int
network_fd(const struct network *unused)
{
    (void)unused;
    return -1;
}

int64_t
network_receive(struct network *unused, int64_t now)
{
    (void)unused;
    (void)now;
    return ENDPOINT_NO_DEADLINE;
}

void
network_flush(struct network *unused)
{
    (void)unused;
}

bool
network_has_sctp(const struct network *unused)
{
    (void)unused;
    return false;
}

int
network_open_sctp(struct network *unused, sa_family_t family,
                  const struct endpoint_profile *profile, struct endpoint **endpoint)
{
    (void)unused;
    (void)family;
    (void)profile;
    *endpoint = NULL;
    return LAZYCHAT_UNSUPPORTED;
}

int
network_open_udp(struct network *unused, sa_family_t family, const struct endpoint_profile *profile,
                 struct endpoint **endpoint)
{
    struct endpoint_config config = {.profile = profile};

    (void)unused;
    (void)family;
    return endpoint_user_open(endpoint, stage.userland, &config);
}

void
network_close(struct network *unused, struct endpoint *endpoint)
{
    (void)unused;
    endpoint_close(endpoint);
}

/* ---- What the client tells ---- */

static void
on_message(void *user, struct lazychat_room *room, const struct lazychat_message *message)
{
    struct stage_heard *heard = &stage.heard[stage.heard_count++];

    (void)user;
    (void)room;
    assert_true(stage.heard_count < STAGE_HEARD_MAX);
    *heard = (struct stage_heard){.kind = message->kind,
                                  .seq = message->seq,
                                  .target = message->target,
                                  .old = message->old,
                                  .own = message->own,
                                  .applied = message->applied,
                                  .redacted = message->redacted};
    for (size_t i = 0; i < message->reaction_count; i++)
        heard->reactions += message->reactions[i].count;
    snprintf(heard->text, sizeof(heard->text), "%s", message->text != NULL ? message->text : "");
}

static void
on_event(void *user, struct lazychat_room *room, const struct lazychat_event *event)
{
    (void)user;
    (void)room;
    stage.events[event->type]++;
    if (event->type == LAZYCHAT_SENT) {
        assert_true(stage.sent_count < STAGE_HEARD_MAX);
        snprintf(stage.sent[stage.sent_count].id, LAZYCHAT_ID_SIZE, "%s", event->id);
        stage.sent[stage.sent_count++].seq = event->seq;
    }
    if (event->code != NULL)
        snprintf(stage.code, sizeof(stage.code), "%s", event->code);
    if (event->text != NULL)
        snprintf(stage.text, sizeof(stage.text), "%s", event->text);
    if (event->nick != NULL)
        snprintf(stage.nick, sizeof(stage.nick), "%s", event->nick);
    stage.retry = event->retry;
    stage.people = event->people;
    stage.listed = event->in_count + event->room_count + event->message_count;
}

static void
on_json(void *user, struct lazychat_room *room, const char *text, size_t length)
{
    json_t *json = json_loadb(text, length, 0, NULL);
    int64_t seq = stage_number(json, "seq");

    (void)user;
    (void)room;
    stage.json_count++;
    if (seq > 0 && json_object_get(json, "at") != NULL)
        stage.json_last = seq;
    json_decref(json);
}

/* ---- Begin and end ---- */

void
stage_begin_client(const struct lazychat_config *config)
{
    struct lazychat_config own = *config;

    own.on_message = own.on_message != NULL ? own.on_message : on_message;
    own.on_event = own.on_event != NULL ? own.on_event : on_event;
    own.on_json = own.on_json != NULL ? own.on_json : on_json;
    own.transports = LAZYCHAT_BY_UDP;
    assert_int_equal(lazychat_open(&stage.chat, &own), 0);
    stage.chat->random = 12345;
    stage.chat->now = fake_now();
    stage.room = NULL;
}

void
stage_end_client(void)
{
    lazychat_close(stage.chat);
    stage.chat = NULL;
}

void
stage_open(const struct lazychat_config *config, const struct fake_config *fake)
{
    static const struct fake_config good = {1, 0, 0, 5, 0};

    memset(&stage, 0, sizeof(stage));
    stage.fake = fake_link_open(fake != NULL ? fake : &good);
    assert_int_equal(userland_create(&stage.userland), 0);
    assert_int_equal(userland_add_link(stage.userland, stage.fake), 0);
    userland_receive(stage.userland, fake_now());
    stage_listen(MESSAGE_PORT_LOBBY);
    stage_begin_client(config);
}

static void
forget(struct stage_port *port)
{
    while (port->inbox != NULL) {
        struct stage_message *message = port->inbox;

        port->inbox = message->next;
        json_decref(message->json);
        free(message);
    }
}

void
stage_close(void)
{
    if (stage.userland == NULL)
        return;
    stage_end_client();
    for (size_t i = 0; i < STAGE_PORTS; i++) {
        endpoint_close(stage.ports[i].endpoint);
        forget(&stage.ports[i]);
    }
    userland_destroy(stage.userland);
    stage.userland = NULL;
}

struct lazychat_room *
stage_join(const char *where)
{
    struct lazychat_room *room;

    assert_int_equal(lazychat_join(stage.chat, where, &room), 0);
    if (stage.room == NULL)
        stage.room = room;
    return room;
}

/* ---- Ports ---- */

struct stage_port *
stage_port(uint16_t number)
{
    for (size_t i = 0; i < STAGE_PORTS; i++)
        if (stage.ports[i].number == number)
            return &stage.ports[i];
    fail_msg("no port %u", (unsigned int)number);
    return NULL;
}

struct stage_port *
stage_listen(uint16_t number)
{
    struct endpoint_config config = {
        .port = number, .listen = true, .profile = endpoint_profile_find("default")};

    for (size_t i = 0; i < STAGE_PORTS; i++) {
        struct stage_port *port = &stage.ports[i];

        if (port->number != 0 && port->number != number)
            continue;
        port->number = number;
        assert_int_equal(endpoint_user_open(&port->endpoint, stage.userland, &config), 0);
        return port;
    }
    fail_msg("no more ports");
    return NULL;
}

void
stage_unlisten(uint16_t number)
{
    struct stage_port *port = stage_port(number);

    endpoint_close(port->endpoint);
    port->endpoint = NULL;
    forget(port);
    userland_flush(stage.userland);
}

static void
take(struct stage_port *port, const struct endpoint_event *event)
{
    struct stage_message **last = &port->inbox, *message;
    json_t *json = json_loadb((const char *)event->data, event->length, 0, NULL);

    assert_non_null(json);
    assert_int_equal(event->ppid, MESSAGE_PPID);
    if (port->on_message != NULL) {
        port->on_message(port, json);
        json_decref(json);
        return;
    }
    message = malloc(sizeof(*message));
    assert_non_null(message);
    message->json = json;
    message->next = NULL;
    while (*last != NULL)
        last = &(*last)->next;
    *last = message;
}

static void
port_turn(struct stage_port *port)
{
    struct endpoint_event event;

    endpoint_tick(port->endpoint, fake_now());
    while (port->endpoint != NULL && endpoint_recv(port->endpoint, &event) == 1) {
        if (event.type == ENDPOINT_UP) {
            port->ups++;
            port->assoc = event.assoc;
        } else if (event.type == ENDPOINT_DOWN) {
            port->downs++;
        } else if (event.type == ENDPOINT_MESSAGE && event.assoc == port->assoc) {
            take(port, &event);
        }
    }
    if (port->endpoint != NULL)
        endpoint_flush(port->endpoint);
}

void
stage_turn(int64_t most)
{
    fake_advance(stage.fake, most);
    userland_receive(stage.userland, fake_now());
    for (size_t i = 0; i < STAGE_PORTS; i++)
        if (stage.ports[i].endpoint != NULL)
            port_turn(&stage.ports[i]);
    if (stage.chat != NULL)
        assert_int_equal(client_turn(stage.chat, fake_now()), 0);
    userland_flush(stage.userland);
}

void
stage_pass(int64_t milliseconds)
{
    int64_t end = fake_now() + milliseconds;

    while (fake_now() < end)
        stage_turn(end - fake_now() < 20 ? end - fake_now() : 20);
}

/* ---- Said and expected ---- */

int64_t
stage_number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

json_t *
stage_expect(uint16_t number, const char *type)
{
    static json_t *expected;
    struct stage_port *port = stage_port(number);
    struct stage_message *message;

    stage_until(port->inbox != NULL);
    message = port->inbox;
    port->inbox = message->next;
    json_decref(expected);
    expected = message->json;
    free(message);
    assert_string_equal(json_string_value(json_object_get(expected, "t")), type);
    return expected;
}

void
stage_expect_nothing(uint16_t number, int64_t milliseconds)
{
    struct stage_port *port = stage_port(number);

    stage_pass(milliseconds);
    if (port->inbox != NULL)
        fail_msg("unexpected: %s", json_dumps(port->inbox->json, JSON_COMPACT));
}

void
stage_send(struct stage_port *port, const void *bytes, size_t length)
{
    bool bulk = length > 10 && (memmem(bytes, length, "\"batch\"", 7) != NULL ||
                                memmem(bytes, length, "\"names\"", 7) != NULL ||
                                memmem(bytes, length, "\"rooms\"", 7) != NULL ||
                                memmem(bytes, length, "\"found\"", 7) != NULL);
    struct endpoint_message message = {.data = bytes,
                                       .length = length,
                                       .ppid = MESSAGE_PPID,
                                       .stream = bulk ? MESSAGE_STREAM_BULK : MESSAGE_STREAM_LIVE};

    stage_until(endpoint_send(port->endpoint, port->assoc, &message) == 0);
    userland_flush(stage.userland);
}

void
stage_say(uint16_t number, const char *format, ...)
{
    char text[ENDPOINT_MESSAGE_MAX];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_true(length > 0 && length < (int)sizeof(text));
    for (int i = 0; i < length; i++)
        text[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    stage_send(stage_port(number), text, (size_t)length);
}

json_t *
stage_welcome(uint16_t number, const char *room, const char *log, int64_t head)
{
    json_t *join = stage_expect(number, "join");

    stage_say(number,
              "{'t':'welcome','protocol':1,'version':'0','server':'s','room':'%s','port':%u,"
              "'log':'%s','head':%lld,'first':1,'people':1,'roster':1,'account':7,'nick':'ann',"
              "'verified':false,'topic':'','read':0,'unread':0,'rate':50}",
              room, (unsigned int)number, log, (long long)head);
    return join;
}
