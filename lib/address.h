/* address.h: an IPv4 or IPv6 transport address (address and port), its text and its order.
 *
 * Owns the text forms `1.2.3.4:5` and `[2001:db8::1]:5`. Knows nothing of sockets or of names: it
 * never asks DNS.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

/* "[" + an IPv6 address with a scope + "]:65535" + NUL */
#define ADDRESS_TEXT_MAX 80

/* Read `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `[::1]:5`; without a port, `port` it is.
 * LAZYCHAT_INVALID when the text is none of these. */
int address_parse(struct address *address, const char *text, uint16_t port);

/* Take one over from the system: IPv4 mapped into IPv6 becomes plain IPv4.
 * LAZYCHAT_INVALID for any other family. */
int address_from_sockaddr(struct address *address, const struct sockaddr *from);

/* Write `1.2.3.4:5` or `[::1]:5`; returns `text`. A port of 0 is left out. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);

socklen_t address_length(const struct address *address);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

bool address_same_host(const struct address *a, const struct address *b);
bool address_equal(const struct address *a, const struct address *b);
bool address_is_loopback(const struct address *address);
bool address_is_wildcard(const struct address *address);

/* A hash of address and port, not seeded: mix it before a table that strangers can fill. */
uint64_t address_hash(const struct address *address);

#endif
