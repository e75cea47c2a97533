/* endpoint_kernel.c: drives a one-to-many socket of the kernel's SCTP (kernel_socket.h).
 *
 * Owns the socket, and how much of its send buffer each association may fill. By default
 * (net.sctp.sndbuf_policy = 0) all associations share that buffer, and nothing tells how much of it
 * one of them has; so a peer that stopped reading would take it all, and nobody could be sent
 * anything. Four things prevent that:
 *
 *  - What is handed over for an association is counted until the kernel says that it has none left
 *    (SENDER_DRY). Beyond its credit it gets no more, and waits in endpoint.c's backlog.
 *  - The credit is a share of what is free now, so each further peer that stops reading gets less
 *    than the one before, and together they never get all (after Choudhury and Hahne, "Dynamic
 *    queue length thresholds for shared-memory packet switches").
 *  - One message is always within the credit, or nobody would get a large one; and the kernel keeps
 *    it, as a probe of the window, when its peer does not read. At 4 kB each (1 kB messages) a
 *    hundred of them were all of the 416 kB that a process has without CAP_NET_ADMIN. So while more
 *    than half of the buffer is taken, who has nothing in it gets a message only if the peer's
 *    window has room. Else it is looked at again every WINDOW_MS, as no event tells.
 *  - SCTP_SENDALL stops at the first association that has no room, and nothing says which ones had
 *    the message before. So it is used only while there surely is room for all, which SO_MEMINFO
 *    tells, and while none can be over its credit. Else endpoint.c's loop does it.
 *
 * The other way to keep a SENDALL from stopping is sndbuf_policy = 1 with PR-SCTP priorities, where
 * new messages push out old ones. It is not used: pruning frees only what was not yet sent, so a
 * peer that goes silent with data in flight stops the SENDALL all the same (Linux 6.1, one such
 * peer before a healthy one: 2,312 of 3,000 failed); peers need PR-SCTP for it; and nothing says
 * what was pruned. Here nothing is pruned, whatever the policy is.
 *
 * What is left: peers with an open window that all the same do not take what they are sent, one
 * message each until they are given up: those that all fall silent together, and those that do not
 * read and get a message larger than what is left of their window (a third of it at least). Enough
 * of them still fill the buffer (100 with windows of 3 kB and messages of 8 kB, all of 416 kB).
 */
#include "endpoint_kernel.h"

#include "endpoint_driver.h"
#include "error.h"
#include "kernel_socket.h"

#include <errno.h>
#include <netinet/sctp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREDIT_MAX   (1u << 20) /* that one association may fill of the send buffer, */
#define CREDIT_SHARE 16         /* and which part of what is free */
#define RETRY_MS     10         /* after the send buffer was full */
#define WINDOW_MS    100        /* between two looks at closed windows, */
#define WINDOW_LOOKS 64         /* and at how many each time */
#define LOOK_MS      1000       /* when to look whether something waits, at the latest */

static const struct endpoint_message nothing = {.data = ""};

struct kernel_association {
    struct hash_node by_id;
    uint32_t id;
    uint16_t streams; /* that we may send on */
    uint32_t window;  /* the peer's when it came up: nearly all that it ever is */
    uint64_t epoch;   /* the one that the next two are of */
    uint64_t own;     /* handed over for it alone since it was dry */
    uint64_t mark;    /* kernel.all when it was dry */
    bool watched;     /* SENDER_DRY is on */
    bool blocked;     /* was told WOULD_BLOCK: a DRAINED is due, from SENDER_DRY or from a list */
    bool retrying;    /* from `full` or `closed` */
    bool stranded;    /* no path is reachable */
    bool aborted;     /* by us; only the kernel's last event of it is awaited */
};

/* Associations that no event will tell when to go on, oldest first. */
struct waiting {
    uint32_t *ids;
    size_t first, end, size;
    size_t ready; /* so many of the first may try again, */
    int64_t at;   /* and others then */
};

/* Sizes are what the kernel charges, as message_cost estimates it. */
struct endpoint_kernel {
    struct endpoint base;
    struct hash by_id;
    bool per_association; /* sndbuf_policy = 1: send_buffer is each one's, not shared */
    bool sendall;         /* SCTP_SENDALL may be used */
    size_t send_buffer;
    size_t queued;         /* of it, when last looked, and what was sent since */
    uint64_t all;          /* handed over by SCTP_SENDALL, for each */
    uint64_t epoch;        /* counts when the send buffer was seen empty, */
    uint64_t zero;         /* and this was `all` then */
    struct waiting full;   /* who met a full buffer */
    struct waiting closed; /* whose peer's window is, and who have nothing else to wait for */
    uint8_t *buffer;       /* what is received; NULL while nobody is here */
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
    if (!kernel_socket_queued(kernel->base.fd, &kernel->queued))
        return;
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
        association->watched = kernel_socket_watch(kernel->base.fd, association->id, true);
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

/* What holds an association back that has credit. */
enum window { WINDOW_OPEN, WINDOW_CLOSED, WINDOW_USED };

/* Whether the peer's window has room for what would be outstanding alone; the rest is the credit's.
 * A third of the window will do as well: the message may be larger than all of it, and that it is
 * empty again a peer says only when it grew by an MTU (64 kB on lo) and an eighth. */
static enum window
window(struct endpoint_kernel *kernel, struct kernel_association *association, size_t length)
{
    struct kernel_socket_peer peer;

    if (kernel->queued <= kernel->send_buffer / 2 || outstanding(kernel, association) > 0)
        return WINDOW_OPEN;
    if (!kernel_socket_peer(kernel->base.fd, association->id, &peer))
        return WINDOW_OPEN; /* sending will tell that it is gone */
    if (peer.window >= length || peer.window >= association->window / 3)
        return WINDOW_OPEN;
    return peer.unacknowledged > 0 ? WINDOW_USED : WINDOW_CLOSED;
}

/* ---- Sending ---- */

/* Put it at the end of the list, to try again `wait` ms later. False: no memory to note it. */
static bool
retry_later(struct endpoint_kernel *kernel, struct kernel_association *association,
            struct waiting *list, int64_t wait)
{
    if (list->first > 0 && list->end == list->size) {
        list->end -= list->first;
        memmove(list->ids, list->ids + list->first, list->end * sizeof(*list->ids));
        list->first = 0;
    }
    if (list->end == list->size) {
        size_t size = list->size == 0 ? 64 : list->size * 2;
        uint32_t *bigger = realloc(list->ids, size * sizeof(*bigger));

        if (bigger == NULL)
            return false;
        list->ids = bigger;
        list->size = size;
    }
    if (list->first == list->end)
        list->at = kernel->base.now + wait;
    list->ids[list->end++] = association->id;
    association->blocked = association->retrying = true;
    return true;
}

/* Until it is dry. An id that the kernel no longer has cannot be watched: its DOWN is to come. */
static int
blocked(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    watch(kernel, association);
    association->blocked = association->watched;
    return association->blocked ? LAZYCHAT_WOULD_BLOCK : LAZYCHAT_GONE;
}

/* The buffer is full, and of others. */
static int
blocked_by_others(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    if (retry_later(kernel, association, &kernel->full, RETRY_MS))
        return LAZYCHAT_WOULD_BLOCK;
    return blocked(kernel, association);
}

/* Its credit is used up, or the peer's window while that matters. */
static int
blocked_by_itself(struct endpoint_kernel *kernel, struct kernel_association *association,
                  const struct endpoint_message *message)
{
    if (!has_credit(kernel, association, message_cost(message->length)))
        return blocked(kernel, association);
    switch (window(kernel, association, message->length)) {
    case WINDOW_OPEN:
        return LAZYCHAT_OK;
    case WINDOW_CLOSED:
        if (retry_later(kernel, association, &kernel->closed, WINDOW_MS))
            return LAZYCHAT_WOULD_BLOCK;
        break;
    case WINDOW_USED: /* by what the kernel has yet: a late SENDER_DRY made us forget it */
        break;
    }
    return blocked(kernel, association);
}

static int
kernel_send(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message,
            bool more)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;
    struct kernel_association *association = find(kernel, assoc);
    size_t cost = message_cost(message->length);
    uint16_t stream = message->stream;
    int error;

    (void)more; /* MSG_MORE would hold it back for ever, if the next one has no room */
    if (association == NULL || association->aborted)
        return LAZYCHAT_GONE;
    if (association->blocked)
        return LAZYCHAT_WOULD_BLOCK;
    error = blocked_by_itself(kernel, association, message);
    if (error != LAZYCHAT_OK)
        return error;
    if (stream >= association->streams) /* the peer offered fewer */
        stream = 0;
    /* Somebody who is watched is waited for: a delayed SACK would cost him 0.2 s. */
    error = kernel_socket_send(endpoint->fd, assoc, message,
                               association->watched ? SCTP_SACK_IMMEDIATELY : 0, stream);
    if (error == 0) {
        association->own += cost;
        kernel->queued += cost;
        return LAZYCHAT_OK;
    }
    if (error == EAGAIN || error == ENOBUFS || error == ENOMEM)
        return blocked_by_others(kernel, association);
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
    uint64_t each;

    look(kernel);
    each = kernel->all - kernel->zero;
    if (each > kernel->queued)
        each = kernel->queued;
    if (each + cost > credit(kernel) / 2)
        return false;
    if (kernel->per_association)
        return kernel->queued + cost <= kernel->send_buffer;
    if (!kernel_socket_associations(kernel->base.fd, &count))
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
    if (kernel_socket_send(endpoint->fd, 0, message, KERNEL_SOCKET_SENDALL, 0) != 0) {
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
    int error = kernel_socket_connect(endpoint->fd, addresses, count, port, assoc);

    if (error != LAZYCHAT_OK)
        return error;
    if (remember(kernel, *assoc) != NULL)
        return LAZYCHAT_OK;
    kernel_socket_send(endpoint->fd, *assoc, &nothing, SCTP_ABORT, 0);
    return LAZYCHAT_NO_MEMORY;
}

static int
kernel_shutdown(struct endpoint *endpoint, uint32_t assoc)
{
    return kernel_socket_send(endpoint->fd, assoc, &nothing, SCTP_EOF, 0) == 0 ? LAZYCHAT_OK
                                                                               : LAZYCHAT_GONE;
}

/* Unlike usrsctp, Linux reports this end as well; until then what it had reported before may still
 * come, an UP even. So its facts stay until then. */
static void
kernel_abort(struct endpoint *endpoint, uint32_t assoc)
{
    struct kernel_association *association = find((struct endpoint_kernel *)endpoint, assoc);

    if (association != NULL)
        association->aborted = true;
    kernel_socket_send(endpoint->fd, assoc, &nothing, SCTP_ABORT, 0);
}

/* ---- Receiving ---- */

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
        association->stranded = kernel_socket_stranded(kernel->base.fd, association->id);
        break;
    default:
        return false;
    }
    raw->event.type = ENDPOINT_PATH;
    raw->stranded = association->stranded;
    memcpy(&where, &change->spc_aaddr, sizeof(where)); /* it lies packed there */
    return address_from_sockaddr(&raw->event.address, (struct sockaddr *)&where) == LAZYCHAT_OK;
}

/* What the peer takes; afresh, as it was when it came up. */
static void
begin(struct endpoint_kernel *kernel, struct kernel_association *association)
{
    struct kernel_socket_peer peer = {.streams = 1};

    is_dry(kernel, association);
    association->stranded = false;
    kernel_socket_peer(kernel->base.fd, association->id, &peer);
    association->streams = peer.streams;
    association->window = peer.window;
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
        kernel_socket_watch(kernel->base.fd, assoc, false);
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
    kernel_socket_watch(kernel->base.fd, assoc, false);
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

/* One of the list that may try again; false when there is none. */
static bool
take_retry(struct endpoint_kernel *kernel, struct waiting *list, struct endpoint_raw *raw)
{
    while (list->ready > 0) {
        struct kernel_association *association = find(kernel, list->ids[list->first++]);

        list->ready--;
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

    if (take_retry(kernel, &kernel->full, raw) || take_retry(kernel, &kernel->closed, raw))
        return 1;
    if (kernel->buffer == NULL && (kernel->buffer = malloc(ENDPOINT_MESSAGE_MAX + 1)) == NULL)
        return LAZYCHAT_NO_MEMORY;
    for (;;) {
        struct sockaddr_storage from = {0};
        union {
            struct cmsghdr align;
            uint8_t bytes[CMSG_SPACE(sizeof(struct sctp_rcvinfo))];
        } control;
        struct iovec data = {kernel->buffer, ENDPOINT_MESSAGE_MAX + 1};
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
            if (endpoint->count == 0) {
                free(kernel->buffer);
                kernel->buffer = NULL;
            }
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

static bool
is_due(const struct waiting *list, int64_t now)
{
    return list->first < list->end && now >= list->at;
}

/* Let at most so many of the list try again, if it is time. */
static void
retry(struct waiting *list, int64_t now, int64_t wait, size_t most)
{
    size_t count = list->end - list->first;

    if (count == 0) {
        list->first = list->end = 0;
        return;
    }
    if (is_due(list, now)) {
        list->ready = count < most ? count : most;
        list->at = now + wait;
    }
}

/* Those who met a full buffer try again as soon as there is room, whoever made it. */
static void
kernel_tick(struct endpoint *endpoint, int64_t now)
{
    struct endpoint_kernel *kernel = (struct endpoint_kernel *)endpoint;

    if (is_due(&kernel->full, now))
        look(kernel);
    retry(&kernel->full, now, RETRY_MS, kernel->queued < kernel->send_buffer ? SIZE_MAX : 0);
    retry(&kernel->closed, now, WINDOW_MS, WINDOW_LOOKS);
}

static int64_t
kernel_deadline(const struct endpoint *endpoint)
{
    const struct endpoint_kernel *kernel = (const struct endpoint_kernel *)endpoint;
    int64_t next = endpoint->now + LOOK_MS;

    if (endpoint->count == 0)
        return ENDPOINT_NO_DEADLINE;
    if (kernel->full.first < kernel->full.end && kernel->full.at < next)
        next = kernel->full.at;
    if (kernel->closed.first < kernel->closed.end && kernel->closed.at < next)
        next = kernel->closed.at;
    return next;
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
    free(kernel->full.ids);
    free(kernel->closed.ids);
    free(kernel->buffer);
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
    .deadline = kernel_deadline,
    .close = kernel_close,
};

bool
endpoint_kernel_available(void)
{
    return kernel_socket_available();
}

int
endpoint_kernel_open(struct endpoint **endpoint, const struct address *addresses, size_t count,
                     const struct endpoint_config *config)
{
    struct endpoint_kernel *kernel = calloc(1, sizeof(*kernel));
    int error;

    if (kernel == NULL)
        return LAZYCHAT_NO_MEMORY;
    error = endpoint_init(&kernel->base, &driver, config);
    if (error == LAZYCHAT_OK)
        error = kernel_socket_open(&kernel->base.fd, addresses, count, config);
    if (error != LAZYCHAT_OK) {
        kernel_close(&kernel->base);
        return error;
    }
    kernel->send_buffer = kernel_socket_send_buffer(kernel->base.fd, &kernel->per_association);
    kernel->sendall = true;
    kernel->base.stats.sendall = "SCTP_SENDALL";
    *endpoint = &kernel->base;
    return LAZYCHAT_OK;
}
