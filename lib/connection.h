/* connection.h: a client's one association with a server, by whichever transport answers first.
 *
 * Races the ways to the server as RFC 8305 does for TCP: the next one starts while the ones before
 * have not answered yet, the first that comes up wins and the others are aborted. The order: each
 * address by the kernel's SCTP, where there is one, then by SCTP over UDP.
 * Owns the endpoints and the user-space stack of a client. Must not know what is said over it.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "endpoint.h"

#define CONNECTION_STAGGER_MS 300
#define CONNECTION_TIMEOUT_MS 10000
#define CONNECTION_FDS        20

enum connection_transport { CONNECTION_SCTP = 1, CONNECTION_UDP = 2 };

struct connection_config {
    const struct address *addresses; /* of the server, the ports in it are ignored */
    size_t count;
    unsigned int transports; /* enum connection_transport, one or both */
    uint16_t port;           /* SCTP port */
    uint16_t udp_port;
    const struct endpoint_profile *profile;
};

enum connection_state {
    CONNECTION_TRYING,
    CONNECTION_OPEN,
    CONNECTION_FAILED, /* nothing answered in time, or all refused */
    CONNECTION_CLOSED, /* it was open: see connection_reason */
};

struct connection;

/* LAZYCHAT_UNSUPPORTED when none of the transports is here. */
int connection_open(struct connection **connection, const struct connection_config *config,
                    int64_t now);

/* What to poll for reading; at most CONNECTION_FDS. Ask again before each poll. */
size_t connection_fds(const struct connection *connection, int *fds);

/* Begin a turn. Returns when to call again at the latest. */
int64_t connection_turn(struct connection *connection, int64_t now);

/* While open: 1 and a MESSAGE, PATH or DRAINED event; 0 when there is none now. */
int connection_recv(struct connection *connection, struct endpoint_event *event);

/* As endpoint_send. */
int connection_send(struct connection *connection, const struct endpoint_message *message);

/* SHUTDOWN; CONNECTION_CLOSED follows. */
void connection_shutdown(struct connection *connection);

/* End a turn: send what it made. */
void connection_flush(struct connection *connection);

enum connection_state connection_state(const struct connection *connection);
enum endpoint_reason connection_reason(const struct connection *connection);

/* For people: once open, by which way ("SCTP over UDP, 127.0.0.1:9899"); after FAILED, which ways
 * were tried and what became of each. */
const char *connection_text(const struct connection *connection);

void connection_close(struct connection *connection);

#endif
