/* stage.h: a client of lazychat.h before a server that says what the test dictates, byte by byte,
 * over the fake network (fake_link.h) and by its clock: minutes pass in no time, and every run is
 * the same.
 *
 * The real client and the real stack on both sides; only the packets' way is made up. The stage
 * takes the place of lib/network.c.
 */
#ifndef STAGE_H
#define STAGE_H

#include "client.h"
#include "fake_link.h"

#include <jansson.h>
#include <stdbool.h>

#define STAGE_HOST        "10.1.0.1"
#define STAGE_DEADLINE_MS 400000

struct stage_message {
    struct stage_message *next;
    struct json_t *json;
};

/* A port of the server. */
struct stage_port {
    struct endpoint *endpoint;
    uint16_t number;
    uint32_t assoc; /* the client's latest */
    unsigned int ups, downs;
    struct stage_message *inbox; /* what came and was not expected yet */
    void *user;
    void (*on_message)(struct stage_port *port, struct json_t *json); /* instead of the inbox */
};

/* What the client told; texts are copied. */
struct stage_heard {
    enum lazychat_kind kind;
    int64_t seq, target, reactions;
    bool old, own, applied, redacted;
    char text[64];
};

#define STAGE_HEARD_MAX 20000
#define STAGE_PORTS     4

struct stage {
    struct lazychat *chat;
    struct lazychat_room *room; /* the first one joined */
    struct userland *userland;
    struct link *fake;
    struct stage_port ports[STAGE_PORTS];
    struct stage_heard heard[STAGE_HEARD_MAX];
    size_t heard_count;
    unsigned int events[32]; /* of each type */
    struct {
        char id[LAZYCHAT_ID_SIZE];
        int64_t seq;
    } sent[STAGE_HEARD_MAX];
    size_t sent_count;
    char code[64], text[256], nick[64]; /* of the last event that had them */
    int64_t retry, people;              /* likewise */
    size_t listed;                      /* elements of the last list */
    unsigned int json_count;
    int64_t json_last; /* `seq` of the last numbered one in JSON */
};

extern struct stage stage;

/* A client with this config (callbacks are the stage's), and the lobby's port. */
void stage_open(const struct lazychat_config *config, const struct fake_config *fake);
void stage_close(void);

/* The client alone, as a program that ends and starts again. */
void stage_end_client(void);
void stage_begin_client(const struct lazychat_config *config);
struct lazychat_room *stage_join(const char *where);

struct stage_port *stage_listen(uint16_t number);
struct stage_port *stage_port(uint16_t number);
void stage_unlisten(uint16_t number); /* ABORTs */

void stage_turn(int64_t most);

/* So much time passes. */
void stage_pass(int64_t milliseconds);

/* Turns until the condition holds; else the test fails and says which one. */
#define stage_until(condition)                                                                     \
    do {                                                                                           \
        int64_t stage_deadline = fake_now() + STAGE_DEADLINE_MS;                                   \
        while (!(condition)) {                                                                     \
            stage_turn(20);                                                                        \
            if (fake_now() > stage_deadline)                                                       \
                fail_msg("%s:%d: does not come about: %s", __FILE__, __LINE__, #condition);        \
        }                                                                                          \
    } while (0)

/* The next message that the client sent to this port; it must be of that type. Valid until the
 * next one. */
struct json_t *stage_expect(uint16_t number, const char *type);
int64_t stage_number(const struct json_t *json, const char *key); /* -1: not there */

/* Nothing came within so long. */
void stage_expect_nothing(uint16_t number, int64_t milliseconds);

/* To the client, as printf: on stream 0 (1: batch, names, rooms, found). ' stands for ". */
void stage_say(uint16_t number, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_send(struct stage_port *port, const void *bytes, size_t length);

/* welcome for account 7 in answer to a join, which is returned. */
struct json_t *stage_welcome(uint16_t number, const char *room, const char *log, int64_t head);

#endif
