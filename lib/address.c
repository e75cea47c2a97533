/* address.c: IPv4 and IPv6 transport addresses and their text. */
#include "address.h"

#include "lazychat.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A port in decimal, 0 to 65535 and nothing behind it. */
static int
parse_port(const char *text, uint16_t *port)
{
    unsigned long value = 0;

    if (*text == '\0' || strlen(text) > 5)
        return LAZYCHAT_INVALID;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return LAZYCHAT_INVALID;
        value = value * 10 + (unsigned long)(*text - '0');
    }
    if (value > UINT16_MAX)
        return LAZYCHAT_INVALID;
    *port = (uint16_t)value;
    return LAZYCHAT_OK;
}

static int
parse_host(struct address *address, const char *host, uint16_t port)
{
    char plain[ADDRESS_TEXT_MAX];
    char *scope;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &address->in.sin_addr) == 1) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons(port);
        return LAZYCHAT_OK;
    }
    if (strlen(host) >= sizeof(plain))
        return LAZYCHAT_INVALID;
    memcpy(plain, host, strlen(host) + 1);
    scope = strchr(plain, '%');
    if (scope != NULL) {
        *scope++ = '\0';
        address->in6.sin6_scope_id = if_nametoindex(scope);
        if (address->in6.sin6_scope_id == 0)
            return LAZYCHAT_INVALID;
    }
    if (inet_pton(AF_INET6, plain, &address->in6.sin6_addr) != 1)
        return LAZYCHAT_INVALID;
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons(port);
    return LAZYCHAT_OK;
}

int
address_parse(struct address *address, const char *text, uint16_t port)
{
    char host[ADDRESS_TEXT_MAX];
    const char *colon = strchr(text, ':');
    const char *end;
    size_t length;

    if (text[0] == '[') {
        text++;
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return LAZYCHAT_INVALID;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else {
        if (colon != NULL && strchr(colon + 1, ':') != NULL)
            colon = NULL; /* two colons: an IPv6 address without a port */
        end = colon != NULL ? colon : text + strlen(text);
    }
    length = (size_t)(end - text);
    if (length == 0 || length >= sizeof(host))
        return LAZYCHAT_INVALID;
    if (colon != NULL && parse_port(colon + 1, &port) != LAZYCHAT_OK)
        return LAZYCHAT_INVALID;
    memcpy(host, text, length);
    host[length] = '\0';
    return parse_host(address, host, port);
}

int
address_from_sockaddr(struct address *address, const struct sockaddr *from)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;

    memset(address, 0, sizeof(*address));
    if (from->sa_family == AF_INET) {
        memcpy(&address->in, from, sizeof(address->in));
        memset(address->in.sin_zero, 0, sizeof(address->in.sin_zero));
        return LAZYCHAT_OK;
    }
    if (from->sa_family != AF_INET6)
        return LAZYCHAT_INVALID;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = in6->sin6_port;
        memcpy(&address->in.sin_addr, &in6->sin6_addr.s6_addr[12], 4);
        return LAZYCHAT_OK;
    }
    memcpy(&address->in6, from, sizeof(address->in6));
    address->in6.sin6_flowinfo = 0;
    return LAZYCHAT_OK;
}

const char *
address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    char scope[IF_NAMESIZE + 1] = "";
    uint16_t port = address_port(address);

    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
        if (port != 0)
            snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, port);
        else
            snprintf(text, ADDRESS_TEXT_MAX, "%s", host);
        return text;
    }
    inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof(host));
    if (address->in6.sin6_scope_id != 0) {
        scope[0] = '%';
        if (if_indextoname(address->in6.sin6_scope_id, scope + 1) == NULL)
            snprintf(scope, sizeof(scope), "%%%u", address->in6.sin6_scope_id);
    }
    if (port != 0)
        snprintf(text, ADDRESS_TEXT_MAX, "[%s%s]:%u", host, scope, port);
    else
        snprintf(text, ADDRESS_TEXT_MAX, "%s%s", host, scope);
    return text;
}

socklen_t
address_length(const struct address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in);
}

uint16_t
address_port(const struct address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                    : address->in.sin_port);
}

void
address_set_port(struct address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->in6.sin6_port = htons(port);
    else
        address->in.sin_port = htons(port);
}

bool
address_same_host(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0 &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

bool
address_equal(const struct address *a, const struct address *b)
{
    return address_same_host(a, b) && address_port(a) == address_port(b);
}

bool
address_is_loopback(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->in.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}

bool
address_is_wildcard(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

uint64_t
address_hash(const struct address *address)
{
    uint64_t words[2] = {0, 0};

    if (address->any.sa_family == AF_INET)
        words[0] = address->in.sin_addr.s_addr;
    else
        memcpy(words, &address->in6.sin6_addr, sizeof(words));
    words[0] ^= (words[1] * UINT64_C(0x9E3779B97F4A7C15)) ^ ((uint64_t)address_port(address) << 40);
    words[0] *= UINT64_C(0xBF58476D1CE4E5B9);
    return words[0] ^ (words[0] >> 31);
}
