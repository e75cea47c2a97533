/* link_udp.h: SCTP over UDP (RFC 6951) without encryption.
 *
 * Owns one UDP socket. Any source port of a peer is taken; when it changes, the peer is known by
 * its verification tag and followed. On a wildcard address each peer is answered from the address
 * that it asked, unless it is a client's.
 */
#ifndef LINK_UDP_H
#define LINK_UDP_H

#include "link.h"

/* `address` with port 0 takes any free one; link->local says which. LAZYCHAT_IN_USE,
 * LAZYCHAT_DENIED, LAZYCHAT_NO_ADDRESS … when the socket cannot be had. The caller sets peers,
 * deliver and user. */
int link_udp_open(struct link **link, const struct address *address);

/* The same for those who only connect: any port, on no address of its own. Each packet's source is
 * what the route says then, so that it goes on when this machine gets another address. */
int link_udp_open_client(struct link **link, sa_family_t family);

#endif
