/* transport.h: what the server listens on.
 *
 * A listener is a transport, not a room: `udp:ADDR:PORT` is one more link of the user-space stack,
 * `sctp:ADDR[,ADDR…]` a set of addresses for kernel sockets. A room asks for its SCTP port on all
 * of them and gets an endpoint for the user-space stack and one for each kernel listener. It
 * knows which of all the endpoints have something to do. Must not know what rooms do.
 *
 * A turn: transport_receive; each endpoint that transport_ready gives, and whatever that makes one
 * say on any of them; transport_flush.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "endpoint.h"
#include "option.h"

#define TRANSPORT_UDP_PORT    9899 /* RFC 6951, IANA's sctp-tunneling */
#define TRANSPORT_ENDPOINTS   (OPTION_LIST_MAX + 1)
#define TRANSPORT_ADDRESS_MAX 8

struct transport;

/* One endpoint of a room, and how to speak of it. */
struct transport_endpoint {
    struct endpoint *endpoint;
    const char *name; /* "udp" or "sctp", as in the log */
};

/* Opens what `listen` names, or the default when it is empty. On failure writes to `errors` what
 * cannot be had, why, and what to do, and returns the error: LAZYCHAT_INVALID means wrong usage. */
int transport_open(struct transport **transport, const struct option_list *listen,
                   const struct endpoint_profile *profile, FILE *errors);

/* An endpoint on each transport for an SCTP port, whose endpoint_owner is `owner`. Returns how
 * many, or an error, told as above. The caller closes them. */
int transport_endpoints(struct transport *transport, uint16_t port, void *owner,
                        struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS], FILE *errors);

/* What to poll for reading, for all endpoints. */
int transport_fd(const struct transport *transport);

/* Begin a turn: take what has come, and run the timers. */
void transport_receive(struct transport *transport, int64_t now);

/* The next endpoint that has something to read or whose deadline is reached, after endpoint_tick;
 * NULL: no more. One that is not read to the end comes again in the next turn. */
struct endpoint *transport_ready(struct transport *transport);

/* End a turn: send all that was said. Returns when the next one is due at the latest; a time past
 * when at once. */
int64_t transport_flush(struct transport *transport);

/* For start-up messages. The user-space listeners' addresses and the kernel ones'; index from 0;
 * false when there are no more. */
bool transport_udp_address(const struct transport *transport, size_t index,
                           struct address *address);
bool transport_sctp_address(const struct transport *transport, size_t index,
                            struct address *address);

/* The endpoints are closed before. NULL is fine. */
void transport_close(struct transport *transport);

#endif
