/* endpoint_kernel.h: an endpoint (endpoint.h) over the kernel's SCTP: one one-to-many socket
 * (RFC 6458, section 3). Needs Linux 5.0 or later, for events chosen by association.
 */
#ifndef ENDPOINT_KERNEL_H
#define ENDPOINT_KERNEL_H

#include "endpoint.h"

/* Whether this kernel opens SCTP sockets at all. Asking loads the module where that is allowed. */
bool endpoint_kernel_available(void);

/* Binds config->port at every one of the `count` addresses (their own ports are ignored): several
 * of them are one multihomed endpoint, none is all of this machine's. endpoint_fd is the socket.
 * LAZYCHAT_UNSUPPORTED when the kernel has no SCTP or not this address family, LAZYCHAT_IN_USE,
 * LAZYCHAT_NO_ADDRESS, LAZYCHAT_DENIED (a port under 1024), or what config deserves. */
int endpoint_kernel_open(struct endpoint **endpoint, const struct address *addresses, size_t count,
                         const struct endpoint_config *config);

#endif
