/* endpoint_kernel.c: drives a one-to-many socket of the kernel's SCTP.
 *
 * Owns the socket, and how much of its send buffer each association may fill. By default
 * (net.sctp.sndbuf_policy = 0) all associations share that buffer, and nothing tells how much of it
 * one of them has; so a peer that stopped reading would take it all, and nobody could be sent
 * anything. Three things prevent that:
 *
 *  - What is handed over for an association is counted until the kernel says that it has none left
 *    (SENDER_DRY). Beyond its credit it gets no more, and waits in endpoint.c's backlog.
 *  - The credit is a share of what is free now, so each further peer that stops reading gets less
 *    than the one before, and together they never get all (after Choudhury and Hahne, "Dynamic
 *    queue length thresholds for shared-memory packet switches").
 *  - SCTP_SENDALL stops at the first association that has no room, and nothing says which ones had
 *    the message before. So it is used only while there surely is room for all, which SO_MEMINFO
 *    tells, and while none can be over its credit. Else endpoint.c's loop does it.
 *
 * The other way to keep a SENDALL from stopping is sndbuf_policy = 1 with PR-SCTP priorities, where
 * new messages push out old ones. It is not used: pruning frees only what was not yet sent, so a
 * peer that went silent with data in flight stops the SENDALL all the same; peers need PR-SCTP for
 * it; and nothing says what was pruned. Here nothing is pruned, whatever the policy is.
 */
#include "endpoint_kernel.h"

#include "endpoint_driver.h"
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
#define CREDIT_MAX     (1u << 20) /* that one association may fill of the send buffer, */
#define CREDIT_SHARE   16         /* and which part of what is free */
#define RETRY_MS       10         /* after the send buffer was full */
#define LOOK_MS        1000       /* when to look whether something waits, at the latest */
#define INIT_ATTEMPTS  5
#define PARTIAL_POINT  16384    /* bytes of a message before its first piece is given out */
#define SENDALL        (1 << 6) /* SCTP_SENDALL, an enumerator in new headers */
#define ADDRESSES_MAX  64

struct kernel_association {
    struct hash_node by_id;
    uint32_t id;
    uint16_t streams; /* that we may send on */
    uint64_t epoch;   /* the one that the next two are of */
    uint64_t own;     /* handed over for it alone since it was dry */
    uint64_t mark;    /* kernel.all when it was dry */
    bool watched;     /* SENDER_DRY is on */
    bool blocked;     /* was told WOULD_BLOCK: a DRAINED is due, from SENDER_DRY or from `retry` */
    bool retrying;    /* from `retry` */
    bool stranded;    /* no path is reachable */
    bool aborted;     /* by us; only the kernel's last event of it is awaited */
};

/* Sizes are what the kernel charges, as message_cost estimates it. */
struct endpoint_kernel {
    struct endpoint base;
    struct hash by_id;
    bool per_association; /* sndbuf_policy = 1: send_buffer is each one's, not shared */
    bool sendall;         /* SCTP_SENDALL may be used */
    size_t send_buffer;
    size_t queued;  /* of it, when last looked, and what was sent since */
    uint64_t all;   /* handed over by SCTP_SENDALL, for each */
    uint64_t epoch; /* counts when the send buffer was seen empty, */
    uint64_t zero;  /* and this was `all` then */
    /* Those who met a full buffer, oldest first. The first `ready` of them may try again. */
    uint32_t *retry;
    size_t retry_first, retry_end, retry_size, ready;
    int64_t retry_at;
    uint8_t buffer[ENDPOINT_MESSAGE_MAX + 1];
};

/* ---- Associations ---- */

static struct kernel_association *
find(const struct endpoint_kernel *kernel, uint32_t assoc)
{
    struct hash_node *node = hash_first(&kernel->by_id, assoc);

    return node != NULL ? hash_entry(node, struct kernel_association, by_id) : NULL;
}

/* The one with this id, made if it is not there yet; NULL when there is no memory. */
static struct kernel_association *
remember(struct endpoint_kernel *kernel, uint32_t assoc)
{
    struct kernel_association *association = find(kernel, assoc);

    if (association != NULL)
        return association;
    association = calloc(1, sizeof(*association));
    if (association == NULL)
        return NULL;
    if (hash_insert(&kernel->by_id, &association->by_id, assoc) != LAZYCHAT_OK) {
        free(association);
        return NULL;
    }
    association->id = assoc;
    association->streams = 1;
    association->mark = kernel->all;
    association->epoch = kernel->epoch;
    return association;
}

static void
forget(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    hash_remove(&kernel->by_id, &association->by_id);
    free(association);
}

/* ---- Options ---- */

static int
option(int fd, int name, const void *value, size_t length)
{
    return setsockopt(fd, IPPROTO_SCTP, name, value, (socklen_t)length);
}

static int
subscribe(int fd, uint32_t assoc, uint16_t type, bool on)
{
    struct sctp_event event = {.se_assoc_id = (sctp_assoc_t)assoc, .se_type = type, .se_on = on};

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

/* How much may wait to be sent. The kernel takes sndbuf_policy over when a socket is made; and it
 * refuses beyond sctp_mem, which is for all sockets of the machine and in pages. */
static void
learn_send_buffer(struct endpoint_kernel *kernel)
{
    unsigned long pages = sysctl_number("/proc/sys/net/sctp/sctp_mem");
    size_t machine = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) / 2;
    int size = 0;
    socklen_t length = sizeof(size);

    kernel->per_association = sysctl_number("/proc/sys/net/sctp/sndbuf_policy") != 0;
    getsockopt(kernel->base.fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
    kernel->send_buffer = (size_t)size;
    if (machine > 0 && machine < kernel->send_buffer)
        kernel->send_buffer = machine;
}

/* ---- The send buffer ---- */

/* What a message takes of the send buffer at the most, whatever the paths' MTU (512 at least): each
 * fragment's memory is a power of two and comes with 600 bytes of the kernel's own. */
static size_t
message_cost(size_t length)
{
    return length * 4 + 1536;
}

/* See how full it is. When it is empty, so is the share of each association. */
static void
look(struct endpoint_kernel *kernel)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(info);

    if (getsockopt(kernel->base.fd, SOL_SOCKET, SO_MEMINFO, info, &length) != 0)
        return;
    kernel->queued = info[SK_MEMINFO_WMEM_QUEUED];
    if (kernel->queued == 0) {
        kernel->epoch++;
        kernel->zero = kernel->all;
    }
}

static size_t
credit(const struct endpoint_kernel *kernel)
{
    size_t left = kernel->queued < kernel->send_buffer ? kernel->send_buffer - kernel->queued : 0;

    return left / CREDIT_SHARE < CREDIT_MAX ? left / CREDIT_SHARE : CREDIT_MAX;
}

static void
is_dry(const struct endpoint_kernel *kernel, struct kernel_association *association)
{
    association->own = 0;
    association->mark = kernel->all;
    association->epoch = kernel->epoch;
}

/* How much of the send buffer an association may have filled, at the most. */
static uint64_t
outstanding(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    if (association->epoch != kernel->epoch) { /* all were dry since */
        is_dry(kernel, association);
        association->mark = kernel->zero;
    }
    return association->own + (kernel->all - association->mark);
}

/* Have the kernel say when everything of this association is acknowledged; at once if it is. */
static void
watch(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    if (!association->watched)
        association->watched =
            subscribe(kernel->base.fd, association->id, SCTP_SENDER_DRY_EVENT, true) == 0;
}

/* Whether so much more is within its credit. One message always is. */
static bool
has_credit(struct endpoint_kernel *kernel, struct kernel_association *association, size_t cost)
{
    uint64_t filled = outstanding(kernel, association);

    if (filled + cost <= credit(kernel) / 2)
        return true;
    look(kernel);
    filled = outstanding(kernel, association);
    /* Ask in time: one that keeps up is dry now and then, and never gets as far as its credit. */
    if (filled + cost > credit(kernel) / 2)
        watch(kernel, association);
    return filled == 0 || filled + cost <= credit(kernel);
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

/* 0 or an errno. `flags` beside those that the message asks for. */
static int
send_with(int fd, uint32_t assoc, const struct endpoint_message *message, uint16_t flags,
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

/* Nothing will happen to this association that tells when to go on: the buffer is full, and of
 * others. Try it again soon. False when there is no memory to note it. */
static bool
retry_later(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    if (kernel->retry_first > 0 && kernel->retry_end == kernel->retry_size) {
        kernel->retry_end -= kernel->retry_first;
        memmove(kernel->retry, kernel->retry + kernel->retry_first,
                kernel->retry_end * sizeof(*kernel->retry));
        kernel->retry_first = 0;
    }
    if (kernel->retry_end == kernel->retry_size) {
        size_t size = kernel->retry_size == 0 ? 64 : kernel->retry_size * 2;
        uint32_t *bigger = realloc(kernel->retry, size * sizeof(*bigger));

        if (bigger == NULL)
            return false;
        kernel->retry = bigger;
        kernel->retry_size = size;
    }
    if (kernel->retry_first == kernel->retry_end)
        kernel->retry_at = kernel->base.now + RETRY_MS;
    kernel->retry[kernel->retry_end++] = association->id;
    association->blocked = association->retrying = true;
    return true;
}

static int
blocked(struct endpoint_kernel *kernel, struct kernel_association *association, bool full)
{
    association->blocked = true;
    if (!full || !retry_later(kernel, association)) {
        watch(kernel, association);
        /* An id that the kernel no longer has cannot be watched: its DOWN is on its way. */
        if (!association->watched)
            association->blocked = false;
    }
    return association->blocked ? LAZYCHAT_WOULD_BLOCK : LAZYCHAT_GONE;
}

static int
kernel_send(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;
    struct kernel_association *association = find(kernel, assoc);
    size_t cost = message_cost(message->length);
    uint16_t stream = message->stream;
    int error;

    if (association == NULL || association->aborted)
        return LAZYCHAT_GONE;
    if (association->blocked)
        return LAZYCHAT_WOULD_BLOCK;
    if (!has_credit(kernel, association, cost))
        return blocked(kernel, association, false);
    if (stream >= association->streams) /* the peer offered fewer */
        stream = 0;
    /* Somebody who is watched is waited for: a delayed SACK would cost him 0.2 s. */
    error = send_with(endpoint->fd, assoc, message,
                      association->watched ? SCTP_SACK_IMMEDIATELY : 0, stream);
    if (error == 0) {
        association->own += cost;
        kernel->queued += cost;
        return LAZYCHAT_OK;
    }
    if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
        return blocked(kernel, association, true);
    if (error == EMSGSIZE)
        return LAZYCHAT_TOO_LARGE;
    return LAZYCHAT_GONE; /* Linux has several codes for an id that it no longer has */
}

/* Whether SCTP_SENDALL surely reaches everyone now. It goes to all that the kernel has, also to
 * those whose UP was not read yet; that is why it asks for their number, and why only stream 0,
 * which every peer has, can be used. */
static bool
room_for_all(struct endpoint_kernel *kernel, size_t cost)
{
    uint32_t count = 0;
    socklen_t length = sizeof(count);
    uint64_t each;

    look(kernel);
    each = kernel->all - kernel->zero;
    if (each > kernel->queued)
        each = kernel->queued;
    if (each + cost > credit(kernel) / 2)
        return false;
    if (kernel->per_association)
        return kernel->queued + cost <= kernel->send_buffer;
    if (getsockopt(kernel->base.fd, IPPROTO_SCTP, SCTP_GET_ASSOC_NUMBER, &count, &length) != 0)
        return false;
    return kernel->queued + ((uint64_t)count + 1) * cost <= kernel->send_buffer;
}

static int
kernel_sendall(struct endpoint *endpoint, const struct endpoint_message *message)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;
    size_t cost = message_cost(message->length);

    if (!kernel->sendall || message->stream != 0 || message->ephemeral)
        return LAZYCHAT_UNSUPPORTED;
    endpoint->stats.sendall = "loop";
    if (!room_for_all(kernel, cost))
        return LAZYCHAT_UNSUPPORTED;
    if (send_with(endpoint->fd, 0, message, SENDALL, 0) != 0) {
        /* It should not have failed, and nothing says who has the message. With the loop each one
         * gets it, some twice; that is better than not at all, but let it not happen again. */
        kernel->sendall = false;
        return LAZYCHAT_UNSUPPORTED;
    }
    endpoint->stats.sendall = "SCTP_SENDALL";
    kernel->all += cost;
    kernel->queued += cost * endpoint->up;
    return LAZYCHAT_OK;
}

/* ---- Beginning and ending ---- */

static int
kernel_connect(struct endpoint *endpoint, const struct address *addresses, size_t count,
               uint16_t port, uint32_t *assoc)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;
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
    if (sctp_connectx(endpoint->fd, (struct sockaddr *)(void *)list, (int)count, &id) != 0 &&
        errno != EINPROGRESS)
        return error_from_errno(errno);
    *assoc = (uint32_t)id;
    if (remember(kernel, *assoc) != NULL)
        return LAZYCHAT_OK;
    send_with(endpoint->fd, *assoc, &(struct endpoint_message){.data = ""}, SCTP_ABORT, 0);
    return LAZYCHAT_NO_MEMORY;
}

static int
kernel_shutdown(struct endpoint *endpoint, uint32_t assoc)
{
    static const struct endpoint_message nothing = {.data = ""};

    return send_with(endpoint->fd, assoc, &nothing, SCTP_EOF, 0) == 0 ? LAZYCHAT_OK : LAZYCHAT_GONE;
}

/* Unlike usrsctp, Linux reports this end as well; until then what it had reported before may still
 * come, an UP even. So its facts stay until then. */
static void
kernel_abort(struct endpoint *endpoint, uint32_t assoc)
{
    static const struct endpoint_message nothing = {.data = ""};
    struct kernel_association *association = find((struct endpoint_kernel *)endpoint, assoc);

    if (association != NULL)
        association->aborted = true;
    send_with(endpoint->fd, assoc, &nothing, SCTP_ABORT, 0);
}

/* ---- Receiving ---- */

/* Whether the kernel has no path left of which it thinks that it works. */
static bool
no_path_left(int fd, uint32_t assoc)
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

/* RFC 6458, section 6.1.2. */
static bool
path_change(struct endpoint_kernel *kernel, const struct sctp_paddr_change *change,
            struct endpoint_raw *raw)
{
    struct kernel_association *association = find(kernel, (uint32_t)change->spc_assoc_id);
    struct sockaddr_storage where;

    if (association == NULL)
        return false;
    switch (change->spc_state) {
    case SCTP_ADDR_AVAILABLE:
    case SCTP_ADDR_CONFIRMED:
        raw->event.reachable = true;
        association->stranded = false;
        break;
    case SCTP_ADDR_UNREACHABLE:
        association->stranded = no_path_left(kernel->base.fd, association->id);
        break;
    default:
        return false;
    }
    raw->event.type = ENDPOINT_PATH;
    raw->stranded = association->stranded;
    memcpy(&where, &change->spc_aaddr, sizeof(where)); /* it lies packed there */
    return address_from_sockaddr(&raw->event.address, (struct sockaddr *)&where) == LAZYCHAT_OK;
}

/* How many streams the peer takes; afresh, as it was when it came up. */
static void
begin(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    struct sctp_status status = {.sstat_assoc_id = (sctp_assoc_t)association->id};
    socklen_t length = sizeof(status);

    is_dry(kernel, association);
    association->stranded = false;
    association->streams = 1;
    if (getsockopt(kernel->base.fd, IPPROTO_SCTP, SCTP_STATUS, &status, &length) == 0)
        association->streams = status.sstat_outstrms;
}

static bool
came_up(struct endpoint_kernel *kernel, uint32_t assoc, struct endpoint_raw *raw)
{
    struct kernel_association *association = remember(kernel, assoc);

    if (association == NULL) {
        kernel_abort(&kernel->base, assoc);
        return false;
    }
    if (association->aborted)
        return false;
    begin(kernel, association);
    raw->event.type = ENDPOINT_UP;
    return true;
}

/* The peer came back without its state: what waited for it in the kernel is gone, so no SENDER_DRY
 * comes from it either. */
static bool
restarted(struct endpoint_kernel *kernel, uint32_t assoc, struct endpoint_raw *raw)
{
    struct kernel_association *association = find(kernel, assoc);

    if (association == NULL || association->aborted)
        return false;
    begin(kernel, association);
    if (association->watched) {
        subscribe(kernel->base.fd, assoc, SCTP_SENDER_DRY_EVENT, false);
        association->watched = false;
        if (association->blocked && !association->retrying)
            watch(kernel, association); /* which says at once that it is dry */
    }
    raw->event.type = ENDPOINT_RESTARTED;
    return true;
}

static bool
went_down(struct endpoint_kernel *kernel, uint32_t assoc, struct endpoint_raw *raw,
          enum endpoint_reason reason)
{
    struct kernel_association *association = find(kernel, assoc);
    bool aborted;

    if (association == NULL)
        return false;
    aborted = association->aborted;
    forget(kernel, association);
    raw->event.type = ENDPOINT_DOWN;
    raw->event.reason = reason;
    return !aborted;
}

/* Why it was lost: the peer's ABORT chunk lies behind the event, except when it named no cause. The
 * kernel gives up an unreachable peer (which is late, endpoint.c does so before) without one, and
 * only after it reported that no path is left. */
static enum endpoint_reason
lost_reason(const struct endpoint_kernel *kernel, const struct sctp_assoc_change *change)
{
    const struct kernel_association *association = find(kernel, (uint32_t)change->sac_assoc_id);

    if (change->sac_length > sizeof(*change) || change->sac_error != 0)
        return ENDPOINT_ABORTED;
    return association != NULL && association->stranded ? ENDPOINT_UNREACHABLE : ENDPOINT_ABORTED;
}

/* RFC 6458, section 6.1.1. */
static bool
association_change(struct endpoint_kernel *kernel, const struct sctp_assoc_change *change,
                   struct endpoint_raw *raw)
{
    uint32_t assoc = (uint32_t)change->sac_assoc_id;

    switch (change->sac_state) {
    case SCTP_COMM_UP:
        return came_up(kernel, assoc, raw);
    case SCTP_RESTART:
        return restarted(kernel, assoc, raw);
    case SCTP_COMM_LOST:
        return went_down(kernel, assoc, raw, lost_reason(kernel, change));
    case SCTP_SHUTDOWN_COMP:
        return went_down(kernel, assoc, raw, ENDPOINT_CLOSED);
    case SCTP_CANT_STR_ASSOC:
        return went_down(kernel, assoc, raw, ENDPOINT_REFUSED);
    default:
        return false;
    }
}

/* Everything handed over for this association is acknowledged, as of when the event was made: what
 * was sent since is not counted. That can be twice its credit at the most. */
static bool
sender_dry(struct endpoint_kernel *kernel, uint32_t assoc, struct endpoint_raw *raw)
{
    struct kernel_association *association = find(kernel, assoc);

    if (association == NULL || !association->watched)
        return false;
    subscribe(kernel->base.fd, assoc, SCTP_SENDER_DRY_EVENT, false);
    association->watched = false;
    is_dry(kernel, association);
    if (!association->blocked || association->retrying)
        return false;
    association->blocked = false;
    raw->event.type = ENDPOINT_DRAINED;
    return true;
}

/* True when there is something to tell. */
static bool
notification(struct endpoint_kernel *kernel, struct endpoint_raw *raw)
{
    const union sctp_notification *what = (const void *)kernel->buffer;

    switch (what->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        raw->event.assoc = (uint32_t)what->sn_assoc_change.sac_assoc_id;
        return association_change(kernel, &what->sn_assoc_change, raw);
    case SCTP_PEER_ADDR_CHANGE:
        raw->event.assoc = (uint32_t)what->sn_paddr_change.spc_assoc_id;
        return path_change(kernel, &what->sn_paddr_change, raw);
    case SCTP_SENDER_DRY_EVENT:
        raw->event.assoc = (uint32_t)what->sn_sender_dry_event.sender_dry_assoc_id;
        return sender_dry(kernel, raw->event.assoc, raw);
    case SCTP_PARTIAL_DELIVERY_EVENT:
        raw->event.type = ENDPOINT_MESSAGE;
        raw->event.assoc = (uint32_t)what->sn_pdapi_event.pdapi_assoc_id;
        raw->discard = true;
        return true;
    default:
        return false;
    }
}

/* One of those that met a full buffer and may try again; false when there is none. */
static bool
take_retry(struct endpoint_kernel *kernel, struct endpoint_raw *raw)
{
    while (kernel->ready > 0) {
        struct kernel_association *association = find(kernel, kernel->retry[kernel->retry_first++]);

        kernel->ready--;
        if (association == NULL || !association->retrying)
            continue;
        association->blocked = association->retrying = false;
        raw->event.type = ENDPOINT_DRAINED;
        raw->event.assoc = association->id;
        return true;
    }
    return false;
}

static void
message_facts(struct msghdr *header, struct endpoint_raw *raw)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL;
         item = CMSG_NXTHDR(header, item)) {
        struct sctp_rcvinfo info;

        if (item->cmsg_level != IPPROTO_SCTP || item->cmsg_type != SCTP_RCVINFO)
            continue;
        memcpy(&info, CMSG_DATA(item), sizeof(info));
        raw->event.assoc = (uint32_t)info.rcv_assoc_id;
        raw->event.stream = info.rcv_sid;
        raw->event.ppid = ntohl(info.rcv_ppid);
        raw->event.unordered = (info.rcv_flags & SCTP_UNORDERED) != 0;
    }
}

/* 1, 0, or an error; what the network did to one association is none of the socket's. */
static int
receive_failed(int number)
{
    switch (number) {
    case EAGAIN:
        return 0;
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
        return 1;
    default:
        return error_from_errno(number);
    }
}

static int
kernel_recv(struct endpoint *endpoint, struct endpoint_raw *raw)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;

    if (take_retry(kernel, raw))
        return 1;
    for (;;) {
        struct sockaddr_storage from = {0};
        union {
            struct cmsghdr align;
            uint8_t bytes[CMSG_SPACE(sizeof(struct sctp_rcvinfo))];
        } control;
        struct iovec data = {kernel->buffer, sizeof(kernel->buffer)};
        struct msghdr header = {.msg_name = &from,
                                .msg_namelen = sizeof(from),
                                .msg_iov = &data,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof(control)};
        ssize_t length = recvmsg(endpoint->fd, &header, MSG_DONTWAIT);

        if (length < 0) {
            int result = receive_failed(errno);

            if (result == 1)
                continue;
            return result;
        }
        if (length == 0)
            return 0;
        memset(raw, 0, sizeof(*raw));
        address_from_sockaddr(&raw->event.address, (struct sockaddr *)&from);
        if ((header.msg_flags & MSG_NOTIFICATION) != 0) {
            if (!notification(kernel, raw))
                continue;
            return 1;
        }
        message_facts(&header, raw);
        raw->event.type = ENDPOINT_MESSAGE;
        raw->event.data = kernel->buffer;
        raw->event.length = (size_t)length;
        raw->more = (header.msg_flags & MSG_EOR) == 0;
        return 1;
    }
}

/* Those who met a full buffer try again as soon as there is room, whoever made it. */
static int64_t
kernel_tick(struct endpoint *endpoint, int64_t now)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;

    if (kernel->retry_first == kernel->retry_end) {
        kernel->retry_first = kernel->retry_end = 0;
        return endpoint->count > 0 ? now + LOOK_MS : ENDPOINT_NO_DEADLINE;
    }
    if (now >= kernel->retry_at) {
        look(kernel);
        if (kernel->queued < kernel->send_buffer)
            kernel->ready = kernel->retry_end - kernel->retry_first;
        kernel->retry_at = now + RETRY_MS;
    }
    return kernel->retry_at;
}

/* ---- Opening and closing ---- */

static void
kernel_close(struct endpoint *endpoint)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;

    if (endpoint->fd >= 0)
        close(endpoint->fd);
    for (size_t i = 0; i < kernel->by_id.size; i++)
        while (kernel->by_id.buckets[i] != NULL)
            forget(kernel, hash_entry(kernel->by_id.buckets[i], struct kernel_association, by_id));
    hash_free(&kernel->by_id);
    free(kernel->retry);
    free(kernel);
}

static const struct endpoint_driver driver = {
    .recv = kernel_recv,
    .send = kernel_send,
    .sendall = kernel_sendall,
    .connect = kernel_connect,
    .shutdown = kernel_shutdown,
    .abort = kernel_abort,
    .tick = kernel_tick,
    .close = kernel_close,
};

static int
open_socket(int family)
{
    return socket(family, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_SCTP);
}

bool
endpoint_kernel_available(void)
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
endpoint_kernel_open(struct endpoint **endpoint, const struct address *addresses, size_t count,
                     const struct endpoint_config *config)
{
    const struct address everywhere = {.in6 = {.sin6_family = AF_INET6}};
    const struct address everywhere4 = {.in = {.sin_family = AF_INET}};
    struct endpoint_kernel *kernel = calloc(1, sizeof(*kernel));
    int error;

    if (kernel == NULL)
        return LAZYCHAT_NO_MEMORY;
    error = endpoint_init(&kernel->base, &driver, config);
    if (error != LAZYCHAT_OK)
        goto fail;
    kernel->base.fd = open_socket(count > 0 ? family_for(addresses, count) : AF_INET6);
    if (count == 0) {
        addresses = kernel->base.fd >= 0 ? &everywhere : &everywhere4;
        count = 1;
        if (kernel->base.fd < 0)
            kernel->base.fd = open_socket(AF_INET);
    }
    if (kernel->base.fd < 0) {
        error = error_from_errno(errno);
        goto fail;
    }
    error = configure(kernel->base.fd, config);
    if (error == LAZYCHAT_OK)
        error = bind_all(kernel->base.fd, addresses, count, config->port);
    if (error == LAZYCHAT_OK && config->listen && listen(kernel->base.fd, SOMAXCONN) != 0)
        error = error_from_errno(errno);
    if (error != LAZYCHAT_OK)
        goto fail;
    learn_send_buffer(kernel);
    kernel->sendall = true;
    kernel->base.stats.sendall = "SCTP_SENDALL";
    *endpoint = &kernel->base;
    return LAZYCHAT_OK;
fail:
    kernel_close(&kernel->base);
    return error;
}
