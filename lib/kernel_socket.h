/* kernel_socket.h: what lazychat asks of the kernel's one-to-many SCTP socket (RFC 6458), each
 * question one function. Only endpoint_kernel.c uses it.
 *
 * Owns the options and the ancillary data. Keeps nothing: the socket is a file descriptor, and what
 * its answers mean for an association is endpoint_kernel.c's. Nothing here blocks.
 */
#ifndef KERNEL_SOCKET_H
#define KERNEL_SOCKET_H

#include "endpoint.h"

/* Whether this kernel opens SCTP sockets at all. */
bool kernel_socket_available(void);

/* A socket bound to config->port at all the addresses (none: everywhere), with everything that
 * config and its profile say. Results as endpoint_kernel_open's. */
int kernel_socket_open(int *fd, const struct address *addresses, size_t count,
                       const struct endpoint_config *config);

/* How much may wait to be sent, as the kernel counts it, and whether that is for each association
 * (net.sctp.sndbuf_policy = 1, which a socket takes over when it is made) or for all together. */
size_t kernel_socket_send_buffer(int fd, bool *per_association);

/* How much of it waits now, of all associations together. False: could not be told. */
bool kernel_socket_queued(int fd, size_t *queued);

/* Begin an association with port `port` at the addresses. */
int kernel_socket_connect(int fd, const struct address *addresses, size_t count, uint16_t port,
                          uint32_t *assoc);

/* How many associations there are; those whose COMM_UP was not read yet, too. */
bool kernel_socket_associations(int fd, uint32_t *count);

struct kernel_socket_peer {
    uint16_t streams; /* that it takes */
    uint32_t window;  /* bytes that it has room for, by its last word, less what is on its way */
    uint16_t unacknowledged; /* chunks on their way */
};

/* False: there is no such association, and *peer is as it was. */
bool kernel_socket_peer(int fd, uint32_t assoc, struct kernel_socket_peer *peer);

/* Whether no path of the association works, as far as the kernel knows. */
bool kernel_socket_stranded(int fd, uint32_t assoc);

/* SENDER_DRY for this association: when everything is acknowledged; now, if it is. False: there is
 * no such association. */
bool kernel_socket_watch(int fd, uint32_t assoc, bool on);

/* Flags beside those that the message asks for (SCTP_EOF, SCTP_ABORT, SCTP_SACK_IMMEDIATELY, or to
 * all: KERNEL_SOCKET_SENDALL), and a stream in place of the message's. 0 or an errno. */
#define KERNEL_SOCKET_SENDALL (1 << 6) /* SCTP_SENDALL: an enumerator, and in new headers only */
int kernel_socket_send(int fd, uint32_t assoc, const struct endpoint_message *message,
                       uint16_t flags, uint16_t stream);

#endif
