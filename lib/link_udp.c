/* link_udp.c: a UDP socket, used in batches both ways.
 *
 * In: recvmmsg until the socket is empty; with UDP_GRO one buffer may hold several packets of one
 * peer. Out: sendmmsg, and what one peer gets in equal packets goes as one buffer (UDP_SEGMENT):
 * the datagram is what costs, in both directions.
 */
#include "link_udp.h"

#include "crc32c.h"
#include "error.h"
#include "packet.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18 */
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif

#define SOCKET_BUFFER  (8 << 20) /* the kernel gives what net.core.[rw]mem_max allows */
#define IN_MESSAGES    32
#define IN_BYTES       65536
#define IN_TURN        512 /* datagrams taken before what they caused is sent */
#define OUT_MESSAGES   256
#define OUT_PACKETS    1024
#define STRANGERS_TURN 16   /* answers to packets of no association, in a turn */
#define TUNNELING_PORT 9899 /* IANA's sctp-tunneling, RFC 6951 */
#define SEGMENTS_MAX   48   /* the kernel takes 64 of at most 64 kB in all */

struct control {
    _Alignas(
        struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                   CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

struct link_udp {
    struct link link;
    bool wildcard;        /* each peer is answered from the address it asked */
    bool segments;        /* the kernel has UDP_SEGMENT */
    uint16_t tunnel;      /* UDP port of the kernel's own SCTP over UDP; 0: none */
    unsigned int refused; /* in this turn */
    struct mmsghdr in[IN_MESSAGES];
    struct iovec in_vectors[IN_MESSAGES];
    struct address in_from[IN_MESSAGES];
    struct control in_control[IN_MESSAGES];
    uint8_t *in_bytes;
    struct mmsghdr out[OUT_MESSAGES];
    struct iovec out_vectors[OUT_PACKETS];
    struct address out_to[OUT_MESSAGES]; /* copies: a peer may move before the flush */
    struct control out_control[OUT_MESSAGES];
    unsigned int out_count, out_packets;
};

/* ---- Control messages ---- */

static void
put_control(struct msghdr *header, int level, int type, const void *value, size_t length)
{
    struct cmsghdr *c;

    header->msg_controllen += CMSG_SPACE(length);
    c = (struct cmsghdr *)(void *)((char *)header->msg_control + header->msg_controllen -
                                   CMSG_SPACE(length));
    memset(c, 0, CMSG_SPACE(length));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), value, length);
}

static void
put_source(struct msghdr *header, const struct address *local)
{
    if (local->any.sa_family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = local->in.sin_addr};

        put_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else if (local->any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = local->in6.sin6_addr,
                                   .ipi6_ifindex = local->in6.sin6_scope_id};

        put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
}

/* ---- In ---- */

/* Whose packet is this? A known address; or INIT, which makes a peer; or one of an association's
 * tag from the same host but another port: then the peer has moved there (RFC 6951, section 5.4).
 * NULL: a stranger's, to be ignored. */
static struct peer *
peer_of(struct link_udp *udp, const struct address *from, const uint8_t *packet, int64_t now)
{
    struct peers *peers = udp->link.peers;
    struct peer *peer = peer_by_address(peers, &udp->link, from);
    uint32_t ports = packet_ports(packet);
    uint32_t tag = packet_tag(packet);
    uint8_t type = packet_first_chunk(packet);

    if (peer == NULL && type == PACKET_INIT && tag == 0)
        peer = peer_add(peers, &udp->link, from, now);
    else if (peer == NULL) {
        peer = peer_by_flow(peers, ports, tag);
        if (peer == NULL || peer->link != &udp->link || !address_same_host(&peer->remote, from))
            return NULL;
        peer_move(peers, peer, from);
        udp->link.stats.moved++;
    }
    if (peer != NULL && (type == PACKET_COOKIE_ECHO || type == PACKET_COOKIE_ACK))
        peer_flow_seen(peer, ports, tag);
    return peer;
}

/* A packet of no association: the sender believes in one that we have lost, as after a restart. It
 * is told so (RFC 9260, section 8.4): by ABORT, or SHUTDOWN COMPLETE if it is leaving, with the T
 * bit and its own tag, which only one who has that association believes. Not longer than any packet
 * that brings it about, and not more of them in a turn than STRANGERS_TURN. */
static void
refuse(struct link_udp *udp, const struct address *from, const struct address *to,
       const uint8_t *packet)
{
    uint8_t answer[PACKET_MIN];
    struct iovec vector = {answer, sizeof(answer)};
    struct control control;
    struct msghdr header = {.msg_name = (void *)from,
                            .msg_namelen = address_length(from),
                            .msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes};
    uint8_t type = packet_first_chunk(packet);

    if (type == PACKET_INIT || type == PACKET_ABORT || type == PACKET_COOKIE_ACK ||
        type == PACKET_SHUTDOWN_COMPLETE || packet_tag(packet) == 0 ||
        udp->refused++ >= STRANGERS_TURN)
        return;
    memcpy(answer, packet + 2, 2); /* the ports change places */
    memcpy(answer + 2, packet, 2);
    memcpy(answer + 4, packet + 4, 4);
    memcpy(answer + PACKET_HEADER, (const uint8_t[]){PACKET_ABORT, 1, 0, 4}, 4);
    if (type == PACKET_SHUTDOWN_ACK)
        answer[PACKET_HEADER] = PACKET_SHUTDOWN_COMPLETE;
    crc32c_seal(answer, sizeof(answer));
    if (udp->wildcard)
        put_source(&header, to);
    if (header.msg_controllen == 0)
        header.msg_control = NULL;
    sendmsg(udp->link.fd, &header, MSG_DONTWAIT);
}

static void
take_packet(struct link_udp *udp, const struct address *from, const struct address *to,
            const uint8_t *packet, size_t length, int64_t now)
{
    struct peer *peer;

    udp->link.stats.packets_in++;
    if (length < PACKET_MIN || !crc32c_check(packet, length)) {
        udp->link.stats.dropped_in++;
        return;
    }
    peer = peer_of(udp, from, packet, now);
    if (peer == NULL) {
        udp->link.stats.dropped_in++;
        refuse(udp, from, to, packet);
        return;
    }
    if (udp->wildcard)
        peer->local = *to;
    udp->link.deliver(udp->link.user, peer, packet, length);
}

/* What the kernel says beside the bytes: the address asked, and the size of each packet when it
 * put several into one buffer. */
static void
read_control(struct msghdr *header, struct address *to, size_t *segment)
{
    memset(to, 0, sizeof(*to));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            to->in.sin_family = AF_INET;
            to->in.sin_addr = info.ipi_spec_dst;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof(info));
            to->in6.sin6_family = AF_INET6;
            to->in6.sin6_addr = info.ipi6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
                to->in6.sin6_scope_id = info.ipi6_ifindex;
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size;

            memcpy(&size, CMSG_DATA(c), sizeof(size));
            *segment = (size_t)size;
        }
    }
}

static void
take_message(struct link_udp *udp, struct mmsghdr *message, const struct address *from, int64_t now)
{
    const uint8_t *bytes = message->msg_hdr.msg_iov->iov_base;
    size_t left = message->msg_len;
    size_t segment = left;
    struct address to;

    read_control(&message->msg_hdr, &to, &segment);
    while (left > 0) {
        size_t length = segment < left && segment > 0 ? segment : left;

        take_packet(udp, from, &to, bytes, length, now);
        bytes += length;
        left -= length;
    }
}

static void
receive(struct link *link, int64_t now)
{
    struct link_udp *udp = (struct link_udp *)link;
    int count = IN_MESSAGES;

    udp->refused = 0;
    for (int taken = 0; count == IN_MESSAGES && taken < IN_TURN; taken += count) {
        for (int i = 0; i < IN_MESSAGES; i++) {
            udp->in[i].msg_hdr.msg_namelen = sizeof(udp->in_from[i]);
            udp->in[i].msg_hdr.msg_controllen = sizeof(udp->in_control[i]);
        }
        count = recvmmsg(link->fd, udp->in, IN_MESSAGES, MSG_DONTWAIT, NULL);
        /* An error is an ICMP message about some peer: SCTP finds out by itself who is gone. */
        for (int i = 0; i < count; i++)
            take_message(udp, &udp->in[i], &udp->in_from[i], now);
    }
}

/* ---- Out ---- */

static void
flush(struct link *link)
{
    struct link_udp *udp = (struct link_udp *)link;
    unsigned int sent = 0;

    while (sent < udp->out_count) {
        int count = sendmmsg(link->fd, udp->out + sent, udp->out_count - sent, MSG_DONTWAIT);

        link->stats.sends++;
        if (count > 0) {
            sent += (unsigned int)count;
        } else if (udp->segments && errno == EIO) {
            udp->segments = false; /* a device that cannot: lost this once, resent by SCTP */
        } else if (errno == EAGAIN) {
            break; /* the socket's buffer is full; as lost in the network */
        } else if (errno != EINTR) {
            link->stats.dropped_out++; /* this one cannot be sent, or an ICMP error was waiting */
            sent++;
        }
    }
    link->stats.dropped_out += udp->out_count - sent;
    udp->out_count = udp->out_packets = 0;
}

/* Linux 6.1 panics in the checksum when a buffer of several packets reaches its own SCTP over UDP
 * unsegmented, over loopback or veth. So those who may be a kernel get one packet at a time: from
 * the port that is customary, or the one set here. */
static bool
may_be_kernel(const struct link_udp *udp, const struct peer *peer)
{
    uint16_t port = address_port(&peer->remote);

    return port == TUNNELING_PORT || port == udp->tunnel;
}

/* One buffer for a peer: `first` and as many that follow as are as long as it, and a shorter one at
 * the end. Returns the first packet that is not in it. */
static struct link_packet *
put_message(struct link_udp *udp, struct peer *peer, struct link_packet *first)
{
    struct msghdr *header = &udp->out[udp->out_count].msg_hdr;
    struct link_packet *packet = first;
    size_t most = udp->segments && !may_be_kernel(udp, peer) ? SEGMENTS_MAX : 1;

    udp->out_to[udp->out_count] = peer->remote;
    header->msg_name = &udp->out_to[udp->out_count];
    header->msg_namelen = address_length(&peer->remote);
    header->msg_iov = &udp->out_vectors[udp->out_packets];
    header->msg_iovlen = 0;
    header->msg_control = udp->out_control[udp->out_count].bytes;
    header->msg_controllen = 0;
    do {
        struct iovec *vector = &udp->out_vectors[udp->out_packets++];

        crc32c_seal(packet->bytes, packet->length);
        vector->iov_base = packet->bytes;
        vector->iov_len = packet->length;
        header->msg_iovlen++;
        packet = packet->next;
    } while (packet != NULL && header->msg_iovlen < most && udp->out_packets < OUT_PACKETS &&
             packet->length <= first->length &&
             udp->out_vectors[udp->out_packets - 1].iov_len == first->length);
    udp->link.stats.packets_out += header->msg_iovlen;
    if (header->msg_iovlen > 1) {
        uint16_t size = first->length;

        put_control(header, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
    }
    put_source(header, &peer->local);
    if (header->msg_controllen == 0)
        header->msg_control = NULL;
    udp->out_count++;
    return packet;
}

static void
send_packets(struct link *link, struct peer *peer, struct link_packet *first)
{
    struct link_udp *udp = (struct link_udp *)link;

    while (first != NULL) {
        if (udp->out_count == OUT_MESSAGES || udp->out_packets == OUT_PACKETS)
            flush(link);
        first = put_message(udp, peer, first);
    }
}

/* ---- Opening and closing ---- */

static void
close_link(struct link *link)
{
    struct link_udp *udp = (struct link_udp *)link;

    if (link->fd >= 0)
        close(link->fd);
    free(udp->in_bytes);
    free(udp);
}

static const struct link_ops ops = {receive, send_packets, flush, close_link};

static void
set_buffer(int fd, int force, int name)
{
    int size = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, name, &size, sizeof(size));
}

/* net.sctp.udp_port; 0 where there is none. */
static uint16_t
tunnel_port(void)
{
    FILE *file = fopen("/proc/sys/net/sctp/udp_port", "re");
    unsigned int port = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%u", &port) != 1)
        port = 0;
    fclose(file);
    return (uint16_t)port;
}

static int
open_socket(struct link_udp *udp, const struct address *address)
{
    const int on = 1;
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    udp->link.fd = fd;
    if (fd < 0)
        return error_from_errno(errno);
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (udp->wildcard && address->any.sa_family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    if (udp->wildcard && address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
    if (bind(fd, &address->any, address_length(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &length) != 0)
        return error_from_errno(errno);
    return address_from_sockaddr(&udp->link.local, (struct sockaddr *)&bound);
}

static int
open_link(struct link **link, const struct address *address, bool wildcard)
{
    struct link_udp *udp = calloc(1, sizeof(*udp));
    int error = LAZYCHAT_NO_MEMORY;

    if (udp == NULL)
        return error;
    udp->link.ops = &ops;
    udp->link.name = "udp";
    udp->link.fd = -1;
    udp->wildcard = wildcard;
    udp->segments = true;
    udp->tunnel = tunnel_port();
    udp->in_bytes = malloc((size_t)IN_MESSAGES * IN_BYTES);
    if (udp->in_bytes == NULL)
        goto fail;
    for (int i = 0; i < IN_MESSAGES; i++) {
        udp->in_vectors[i].iov_base = udp->in_bytes + (size_t)i * IN_BYTES;
        udp->in_vectors[i].iov_len = IN_BYTES;
        udp->in[i].msg_hdr.msg_name = &udp->in_from[i];
        udp->in[i].msg_hdr.msg_iov = &udp->in_vectors[i];
        udp->in[i].msg_hdr.msg_iovlen = 1;
        udp->in[i].msg_hdr.msg_control = udp->in_control[i].bytes;
    }
    error = open_socket(udp, address);
    if (error != LAZYCHAT_OK)
        goto fail;
    *link = &udp->link;
    return LAZYCHAT_OK;
fail:
    close_link(&udp->link);
    return error;
}

int
link_udp_open(struct link **link, const struct address *address)
{
    return open_link(link, address, address_is_wildcard(address));
}

int
link_udp_open_client(struct link **link, sa_family_t family)
{
    struct address any;

    address_parse(&any, family == AF_INET6 ? "::" : "0.0.0.0", 0);
    return open_link(link, &any, false);
}
