/* kernel_socket.c: the options and the ancillary data of a one-to-many SCTP socket.
 *
 * Raw sendmsg and recvmsg, as libsctp's sctp_sendv ignores MSG_DONTWAIT.
 */
#include "kernel_socket.h"

#include "error.h"

#include <errno.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/sock_diag.h>

#define SEND_BUFFER    (16 << 20) /* the kernel doubles both of them, */
#define RECEIVE_BUFFER (8 << 20)  /* and counts its own overhead against them; this of one that */
#define CLIENT_BUFFER  (1 << 18)  /* listens, with peers that may all speak at once, or does not */
#define INIT_ATTEMPTS  5
#define PARTIAL_POINT  16384 /* bytes of a message before its first piece is given out */
#define ADDRESSES_MAX  64

static int
option(int fd, int name, const void *value, size_t length)
{
    return setsockopt(fd, IPPROTO_SCTP, name, value, (socklen_t)length);
}

static int
subscribe(int fd, uint32_t assoc, uint16_t type, bool on)
{
    struct sctp_event event;

    memset(&event, 0, sizeof(event)); /* its padding too: nothing undefined goes to the kernel */
    event.se_assoc_id = (sctp_assoc_t)assoc;
    event.se_type = type;
    event.se_on = on;
    return option(fd, SCTP_EVENT, &event, sizeof(event));
}

/* As large as we may: beyond the system's limit with CAP_NET_ADMIN only. */
static void
set_buffer(int fd, int force, int name, int size)
{
    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, name, &size, sizeof(size));
}

/* What is the same for every association; RFC 6458 section 8.1. */
static int
configure(int fd, const struct endpoint_config *config)
{
    const struct endpoint_profile *profile = config->profile;
    const int on = 1;
    const uint32_t interleave = 1, partial = PARTIAL_POINT;
    /* close() then aborts what is left, so that the port is free even when we were killed. */
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    /* endpoint.c gives a silent peer up, after profile->keep; the kernel must not do so before,
     * and it counts the timeouts of all paths together. */
    const uint16_t attempts = (uint16_t)((profile->keep / profile->rto_max + 8) * 4);
    struct sctp_rtoinfo rto = {SCTP_FUTURE_ASSOC, profile->rto_initial, profile->rto_max,
                               profile->rto_min};
    struct sctp_assocparams assoc = {.sasoc_assoc_id = SCTP_FUTURE_ASSOC,
                                     .sasoc_asocmaxrxt = attempts};
    struct sctp_paddrparams path = {.spp_assoc_id = SCTP_FUTURE_ASSOC,
                                    .spp_hbinterval = profile->heartbeat_interval,
                                    .spp_pathmaxrxt = profile->path_max_retrans,
                                    .spp_flags = SPP_HB_ENABLE};
    struct sctp_initmsg init = {ENDPOINT_STREAMS, ENDPOINT_STREAMS, INIT_ATTEMPTS,
                                (uint16_t)profile->rto_max};
    struct sctp_sack_info sack = {SCTP_FUTURE_ASSOC, profile->sack_delay, 2};
    int failed = 0;

    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, config->listen ? RECEIVE_BUFFER : CLIENT_BUFFER);
    failed |= setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    failed |= option(fd, SCTP_NODELAY, &on, sizeof(on));
    failed |= option(fd, SCTP_RECVRCVINFO, &on, sizeof(on));
    failed |= option(fd, SCTP_FRAGMENT_INTERLEAVE, &interleave, sizeof(interleave));
    failed |= option(fd, SCTP_PARTIAL_DELIVERY_POINT, &partial, sizeof(partial));
    failed |= option(fd, SCTP_RTOINFO, &rto, sizeof(rto));
    failed |= option(fd, SCTP_ASSOCINFO, &assoc, sizeof(assoc));
    failed |= option(fd, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path));
    failed |= option(fd, SCTP_INITMSG, &init, sizeof(init));
    failed |= option(fd, SCTP_DELAYED_SACK, &sack, sizeof(sack));
    failed |= subscribe(fd, SCTP_FUTURE_ASSOC, SCTP_ASSOC_CHANGE, true);
    failed |= subscribe(fd, SCTP_FUTURE_ASSOC, SCTP_PEER_ADDR_CHANGE, true);
    failed |= subscribe(fd, SCTP_FUTURE_ASSOC, SCTP_PARTIAL_DELIVERY_EVENT, true);
    if (failed == 0)
        return LAZYCHAT_OK;
    /* The only one that a kernel with SCTP may lack is SCTP_EVENT, before Linux 5.0. */
    return errno == ENOPROTOOPT ? LAZYCHAT_UNSUPPORTED : LAZYCHAT_SYSTEM;
}

/* ---- Opening ---- */

static int
open_socket(int family)
{
    return socket(family, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_SCTP);
}

bool
kernel_socket_available(void)
{
    int fd = open_socket(AF_INET);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* A socket of AF_INET6 takes IPv4 addresses too. */
static int
family_for(const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (addresses[i].any.sa_family == AF_INET6)
            return AF_INET6;
    return AF_INET;
}

/* The first address decides the port when any will do; the others get the same. */
static int
bind_all(int fd, const struct address *addresses, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        struct address address = addresses[i];
        socklen_t length = sizeof(address);

        address_set_port(&address, port);
        if (i == 0 ? bind(fd, &address.any, address_length(&address)) != 0
                   : sctp_bindx(fd, &address.any, 1, SCTP_BINDX_ADD_ADDR) != 0)
            return error_from_errno(errno);
        if (port == 0 && getsockname(fd, &address.any, &length) == 0)
            port = address_port(&address);
    }
    return LAZYCHAT_OK;
}

int
kernel_socket_open(int *result, const struct address *addresses, size_t count,
                   const struct endpoint_config *config)
{
    const struct address everywhere = {.in6 = {.sin6_family = AF_INET6}};
    const struct address everywhere4 = {.in = {.sin_family = AF_INET}};
    int fd = open_socket(count > 0 ? family_for(addresses, count) : AF_INET6);
    int error;

    if (count == 0) {
        addresses = fd >= 0 ? &everywhere : &everywhere4;
        count = 1;
        if (fd < 0)
            fd = open_socket(AF_INET);
    }
    if (fd < 0)
        return error_from_errno(errno);
    error = configure(fd, config);
    if (error == LAZYCHAT_OK)
        error = bind_all(fd, addresses, count, config->port);
    if (error == LAZYCHAT_OK && config->listen && listen(fd, SOMAXCONN) != 0)
        error = error_from_errno(errno);
    if (error == LAZYCHAT_OK)
        *result = fd;
    else
        close(fd);
    return error;
}

/* ---- The send buffer ---- */

/* The first number in a file of /proc/sys/net/sctp; 0 when there is none. */
static unsigned long
sysctl_number(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned long number = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

/* The kernel refuses beyond sctp_mem too, which is for all sockets of the machine together; so at
 * most half of that. A network namespace (a container) does not show it: by default it is 3/32 of
 * the memory. */
static size_t
machine_share(void)
{
    unsigned long pages = sysctl_number("/proc/sys/net/sctp/sctp_mem");

    if (pages == 0)
        pages = (unsigned long)sysconf(_SC_PHYS_PAGES) / 32 * 3;
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) / 2;
}

size_t
kernel_socket_send_buffer(int fd, bool *per_association)
{
    int size = 0;
    socklen_t length = sizeof(size);

    *per_association = sysctl_number("/proc/sys/net/sctp/sndbuf_policy") != 0;
    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
    return machine_share() < (size_t)size ? machine_share() : (size_t)size;
}

bool
kernel_socket_queued(int fd, size_t *queued)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(info);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) != 0)
        return false;
    *queued = info[SK_MEMINFO_WMEM_QUEUED];
    return true;
}

/* ---- Associations ---- */

int
kernel_socket_connect(int fd, const struct address *addresses, size_t count, uint16_t port,
                      uint32_t *assoc)
{
    uint8_t list[ADDRESSES_MAX * sizeof(struct sockaddr_in6)];
    size_t length = 0;
    sctp_assoc_t id = 0;

    if (count == 0 || count > ADDRESSES_MAX)
        return LAZYCHAT_INVALID;
    for (size_t i = 0; i < count; i++) {
        struct address address = addresses[i];

        address_set_port(&address, port);
        memcpy(list + length, &address, address_length(&address));
        length += address_length(&address);
    }
    if (sctp_connectx(fd, (struct sockaddr *)(void *)list, (int)count, &id) != 0 &&
        errno != EINPROGRESS)
        return error_from_errno(errno);
    *assoc = (uint32_t)id;
    return LAZYCHAT_OK;
}

bool
kernel_socket_associations(int fd, uint32_t *count)
{
    socklen_t length = sizeof(*count);

    return getsockopt(fd, IPPROTO_SCTP, SCTP_GET_ASSOC_NUMBER, count, &length) == 0;
}

bool
kernel_socket_peer(int fd, uint32_t assoc, struct kernel_socket_peer *peer)
{
    struct sctp_status status = {.sstat_assoc_id = (sctp_assoc_t)assoc};
    socklen_t length = sizeof(status);

    if (getsockopt(fd, IPPROTO_SCTP, SCTP_STATUS, &status, &length) != 0)
        return false;
    *peer = (struct kernel_socket_peer){.streams = status.sstat_outstrms,
                                        .window = status.sstat_rwnd,
                                        .unacknowledged = status.sstat_unackdata};
    return true;
}

bool
kernel_socket_watch(int fd, uint32_t assoc, bool on)
{
    return subscribe(fd, assoc, SCTP_SENDER_DRY_EVENT, on) == 0;
}

bool
kernel_socket_stranded(int fd, uint32_t assoc)
{
    union {
        struct sctp_getaddrs list;
        uint8_t
            bytes[sizeof(struct sctp_getaddrs) + ADDRESSES_MAX * sizeof(struct sockaddr_storage)];
    } peer = {.list = {.assoc_id = (sctp_assoc_t)assoc}};
    socklen_t length = sizeof(peer);
    const uint8_t *next = (const uint8_t *)peer.list.addrs;

    if (getsockopt(fd, IPPROTO_SCTP, SCTP_GET_PEER_ADDRS, &peer, &length) != 0)
        return true;
    for (uint32_t i = 0; i < peer.list.addr_num; i++) {
        struct sctp_paddrinfo info = {.spinfo_assoc_id = (sctp_assoc_t)assoc};
        sa_family_t family;
        size_t size;

        memcpy(&family, next, sizeof(family));
        size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        memcpy(&info.spinfo_address, next, size);
        next += size;
        length = sizeof(info);
        if (getsockopt(fd, IPPROTO_SCTP, SCTP_GET_PEER_ADDR_INFO, &info, &length) == 0 &&
            info.spinfo_state == SCTP_ACTIVE)
            return false;
    }
    return true;
}

/* ---- Sending ---- */

/* The ancillary data of one sendmsg: at most two items. */
union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct sctp_sndinfo)) + CMSG_SPACE(sizeof(struct sctp_prinfo))];
};

static void
control_add(struct msghdr *header, int type, const void *value, size_t length)
{
    struct cmsghdr *item =
        (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);

    item->cmsg_level = IPPROTO_SCTP;
    item->cmsg_type = type;
    item->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(item), value, length);
    header->msg_controllen += CMSG_SPACE(length);
}

int
kernel_socket_send(int fd, uint32_t assoc, const struct endpoint_message *message, uint16_t flags,
                   uint16_t stream)
{
    struct sctp_sndinfo send = {.snd_sid = stream,
                                .snd_flags = flags,
                                .snd_ppid = htonl(message->ppid),
                                .snd_assoc_id = (sctp_assoc_t)assoc};
    const struct sctp_prinfo once = {.pr_policy = SCTP_PR_SCTP_RTX, .pr_value = 0};
    union control control = {.bytes = {0}};
    struct iovec data = {.iov_base = (void *)(uintptr_t)message->data, .iov_len = message->length};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes};

    if (message->unordered)
        send.snd_flags |= SCTP_UNORDERED;
    control_add(&header, SCTP_SNDINFO, &send, sizeof(send));
    if (message->ephemeral)
        control_add(&header, SCTP_PRINFO, &once, sizeof(once));
    while (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}
