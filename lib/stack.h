/* stack.h: a user-space SCTP stack as seen from outside: packets in, packets out, time a parameter.
 *
 * The few functions that another engine would have to offer to take usrsctp's place. A stack owns
 * the associations (RFC 9260); it does no I/O, starts no thread, reads no clock of its own that
 * matters and calls nobody but `output`. It knows peers only as small numbers: what address a
 * number stands for is the links' business. Packets are whole SCTP packets, common header first;
 * the stack neither writes nor checks their checksum (crc32c.h, the links do).
 */
#ifndef STACK_H
#define STACK_H

#include "endpoint_driver.h"

struct stack;
struct stack_port; /* one SCTP port of it: what an endpoint_user is over */

struct stack_config {
    /* A packet of at most packet_max bytes for a peer. It must copy the bytes and must not call
     * the stack. */
    void (*output)(void *user, uint32_t peer, const uint8_t *packet, size_t length);
    void *user;
    uint16_t packet_max;
};

/* What stack_recv gives: the raw event, and whom an UP is with. There is no PATH event: a stack
 * sees one path, and whoever carries its packets knows better whether an answer came. */
struct stack_event {
    struct endpoint_raw raw;
    uint32_t peer;        /* UP */
    uint16_t remote_port; /* UP: the peer's SCTP port */
};

enum stack_end { STACK_SHUTDOWN, STACK_ABORT };

/* LAZYCHAT_IN_USE when the process has one already: usrsctp's state is global. */
int stack_create(struct stack **stack, const struct stack_config *config);

/* All its ports are closed before. */
void stack_destroy(struct stack *stack);

/* A packet from a peer, with a good checksum and well-formed (packet.h). */
void stack_input(struct stack *stack, uint32_t peer, const uint8_t *packet, size_t length);

/* The time is `now` (milliseconds, never less than before): run what is due. Returns when to call
 * again at the latest. */
int64_t stack_advance(struct stack *stack, int64_t now);

/* LAZYCHAT_IN_USE when another port of the stack has the number. The entry is woken when stack_recv
 * may have something. */
int stack_open(struct stack *stack, const struct endpoint_config *config,
               struct agenda_entry *entry, struct stack_port **port);

/* Aborts its associations. */
void stack_close(struct stack_port *port);

/* Whether the port has associations: only then have timers something for it, and it needs memory.
 * To be called when that changes. */
void stack_occupied(struct stack_port *port, bool occupied);

int stack_connect(struct stack_port *port, uint32_t peer, uint16_t remote_port, uint32_t *assoc);

/* As endpoint_driver.send; the bytes are copied. */
int stack_send(struct stack_port *port, uint32_t assoc, const struct endpoint_message *message,
               bool more);

/* 1 and an event, 0 or an error; as endpoint_driver.recv. */
int stack_recv(struct stack_port *port, struct stack_event *event);

/* SHUTDOWN: DOWN follows. ABORT: at once, and nothing follows. */
int stack_end(struct stack_port *port, uint32_t assoc, enum stack_end how);

#endif
