/* connection.h: one association with a server, by whichever transport answers first.
 *
 * Races the ways to the server as RFC 8305 does for TCP: the next one starts while the ones before
 * have not answered yet, the first that comes up wins and the others are aborted. The order: each
 * address by the kernel's SCTP, where there is one, then by SCTP over UDP.
 * Owns its endpoints. What they go over is the network's (network.h), which any number of
 * connections share; nothing that happens to one of them touches the others. Must not know what is
 * said over it.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "network.h"

#define CONNECTION_STAGGER_MS 300
#define CONNECTION_TIMEOUT_MS 10000

enum connection_transport { CONNECTION_SCTP = 1, CONNECTION_UDP = 2 };

struct connection_config {
    struct network *network;         /* outlives the connection */
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

/* Sends nothing before the first connection_turn. LAZYCHAT_UNSUPPORTED when none of the transports
 * is here, LAZYCHAT_INVALID when there is no address. */
int connection_open(struct connection **connection, const struct connection_config *config,
                    int64_t now);

/* After network_receive, in each turn. Returns when the next turn is due at the latest. */
int64_t connection_turn(struct connection *connection, int64_t now);

/* While open: 1 and an event, but neither UP nor DOWN; 0 when there is none now or it is closed; or
 * an error of the transport, after which there is nothing to do but to close it. */
int connection_recv(struct connection *connection, struct endpoint_event *event);

/* As endpoint_send. */
int connection_send(struct connection *connection, const struct endpoint_message *message);

/* SHUTDOWN; CONNECTION_CLOSED follows. */
void connection_shutdown(struct connection *connection);

enum connection_state connection_state(const struct connection *connection);
enum endpoint_reason connection_reason(const struct connection *connection);

/* Open, and its server was heard of lately (the profile's `silence`). Changes with a PATH event; an
 * unreachable one stays open for the profile's `keep`. */
bool connection_reachable(const struct connection *connection);

/* While open: the way that won, so that another connection with this server need not race. */
enum connection_transport connection_way(const struct connection *connection,
                                         struct address *address);

/* For people: once open, by which way ("SCTP over UDP, 127.0.0.1:9899"); after FAILED, which ways
 * were tried and what became of each. */
const char *connection_text(const struct connection *connection);

/* ABORT, when it is open, with the next network_flush. NULL is fine. */
void connection_close(struct connection *connection);

#endif
