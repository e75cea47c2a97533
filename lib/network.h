/* network.h: the client side's transports, shared by all its connections.
 *
 * Any number of connections, with any number of servers, go through one network: the kernel's SCTP,
 * and the user-space stack with one UDP socket for each family, opened when first needed. One
 * descriptor tells when something came for any of them, and a turn receives once and sends once,
 * however many they are. A turn is: network_receive, connection_turn of each and whatever that
 * makes them say, network_flush.
 * Owns the stack and its sockets, and what to poll. Must not know what a connection is.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "endpoint.h"

struct network;

/* One for the process, because the user-space stack is: where another has that stack already,
 * network_open_udp says LAZYCHAT_IN_USE. */
int network_create(struct network **network);

/* Sends the last ABORTs. The endpoints are closed before. NULL is fine. */
void network_destroy(struct network *network);

/* What to poll for reading, the same descriptor all the time. It is not to be read. */
int network_fd(const struct network *network);

/* Begin a turn: take what has come, and run the stack's timers. Returns when to call again at the
 * latest, or ENDPOINT_NO_DEADLINE. */
int64_t network_receive(struct network *network, int64_t now);

/* End a turn: send what it made. */
void network_flush(struct network *network);

/* Whether network_open_sctp is of any use on this machine. */
bool network_has_sctp(const struct network *network);

/* An endpoint to connect with, over the kernel's SCTP or over UDP, for addresses of one family.
 * Errors as of endpoint_kernel_open, link_udp_open_client and userland_create. */
int network_open_sctp(struct network *network, sa_family_t family,
                      const struct endpoint_profile *profile, struct endpoint **endpoint);
int network_open_udp(struct network *network, sa_family_t family,
                     const struct endpoint_profile *profile, struct endpoint **endpoint);

/* In place of endpoint_close. NULL is fine. */
void network_close(struct network *network, struct endpoint *endpoint);

#endif
