/* stack_usrsctp.c: stack.h by usrsctp, without its threads and its sockets.
 *
 * usrsctp's state is global to the process, so there is one stack. Peers are its AF_CONN addresses:
 * the number plus one, as a pointer. An address once registered stays so, to be used by the next
 * peer that gets the number: taking one back leaves work for an iterator thread that we do not run.
 */
#include "stack.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

#define SEND_BUFFER    (128 * 1024) /* for each association; usrsctp refuses what does not fit */
#define RECEIVE_BUFFER (256 * 1024)
#define QUIET_TICK_MS  200  /* how often timers run while no packet comes or goes, */
#define QUIET_AFTER_MS 1000 /* which begins after this time */
#define INIT_ATTEMPTS  5
#define LOW_WATER      (SEND_BUFFER / 2) /* one who had no room has again when less than this waits */
#define COMMON_HEADER  12                /* which usrsctp leaves out when it says MTU */
#define PORT_BUCKETS   64 /* of a port's associations by the other's port: used as they begin */

/* How much waits to be sent or acknowledged: usrsctp answers it, but its installed header leaves it
 * out (netinet/sctp.h, netinet/sctp_uio.h). */
#define SCTP_GET_SNDBUF_USE 0x00001101
struct sctp_sockstat {
    sctp_assoc_t ss_assoc_id;
    uint32_t ss_total_sndbuf;
    uint32_t ss_total_recv_buf;
};

struct stack {
    struct stack_config config;
    uint32_t registered; /* peers 0 to registered - 1 have an AF_CONN address */
    int64_t ticked;      /* usrsctp has been told of all time up to here; 0: of none */
    int64_t active;      /* when a packet last came or went */
    bool busy;           /* one did since stack_advance was last called */
    int64_t tick;        /* the finest that a port's profile wants */
    uint64_t inputs;     /* packets that came */
    size_t blocked;      /* associations of all ports that a DRAINED is due to */
    size_t ports;
    struct stack_port *occupied; /* those that timers may make events for */
};

struct stack_port {
    struct stack *stack;
    struct socket *socket;
    uint16_t number;
    struct agenda_entry *entry;
    bool readable; /* usrsctp said so, and it was not read to the end since */
    bool is_occupied;
    struct stack_port *prev, *next; /* the others that are occupied */
    bool nagle;        /* small messages wait for those that follow, while something is in flight */
    uint32_t *blocked; /* associations that a DRAINED is due to */
    size_t blocked_count, blocked_size;
    size_t looked, to_look; /* how many of them were looked at in this turn, and will be */
    uint64_t looked_inputs; /* stack->inputs then */
    uint8_t *buffer;        /* what is received; NULL while nobody is here */
};

static struct stack *the_stack;

static void *
peer_to_pointer(uint32_t peer)
{
    return (void *)((uintptr_t)peer + 1);
}

static uint32_t
pointer_to_peer(const void *pointer)
{
    return (uint32_t)((uintptr_t)pointer - 1);
}

/* usrsctp's way out. It holds locks here. */
static int
output(void *address, void *packet, size_t length, uint8_t tos, uint8_t set_df)
{
    (void)tos;
    (void)set_df;
    if (the_stack == NULL || address == NULL)
        return 0;
    the_stack->busy = true;
    the_stack->config.output(the_stack->config.user, pointer_to_peer(address), packet, length);
    return 0;
}

int
stack_create(struct stack **stack, const struct stack_config *config)
{
    if (the_stack != NULL)
        return LAZYCHAT_IN_USE;
    *stack = calloc(1, sizeof(**stack));
    if (*stack == NULL)
        return LAZYCHAT_NO_MEMORY;
    (*stack)->config = *config;
    (*stack)->tick = QUIET_TICK_MS;
    /* Room for thousands of associations, all ports together; read at init only. */
    usrsctp_tunable_set_sctp_hashtblsize(4096);
    usrsctp_tunable_set_sctp_pcbtblsize(PORT_BUCKETS);
    usrsctp_init_nothreads(0, output, NULL);
    usrsctp_enable_crc32c_offload();
    usrsctp_sysctl_set_sctp_blackhole(0); /* ABORT where nobody listens: a client knows at once */
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auto_asconf(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_max_burst_default(0); /* of 4 packets, before we bundle them */
    usrsctp_sysctl_set_sctp_max_chunks_on_queue(2048);
    usrsctp_sysctl_set_sctp_max_retran_chunk(0); /* or it aborts after 30 tries, in a minute */
    the_stack = *stack;
    return LAZYCHAT_OK;
}

void
stack_destroy(struct stack *stack)
{
    if (stack == NULL)
        return;
    /* Sockets that still have an association to end refuse; a few ticks free them. */
    for (int i = 0; usrsctp_finish() != 0 && i < 100; i++)
        usrsctp_handle_timers(1000);
    the_stack = NULL;
    free(stack);
}

static void
register_up_to(struct stack *stack, uint32_t peer)
{
    while (stack->registered <= peer)
        usrsctp_register_address(peer_to_pointer(stack->registered++));
}

void
stack_input(struct stack *stack, uint32_t peer, const uint8_t *packet, size_t length)
{
    stack->busy = true;
    stack->inputs++;
    register_up_to(stack, peer);
    usrsctp_conninput(peer_to_pointer(peer), packet, length, 0);
}

static void
wake(struct stack_port *port)
{
    port->readable = true;
    agenda_wake(port->entry);
}

/* Timers make events too, and usrsctp does not say so. */
static void
look_after_timers(struct stack *stack)
{
    for (struct stack_port *port = stack->occupied; port != NULL; port = port->next)
        if ((usrsctp_get_events(port->socket) & SCTP_EVENT_READ) != 0)
            wake(port);
}

/* Nor that a SACK made room for those who had none. */
static void
look_for_room(struct stack *stack)
{
    if (stack->blocked == 0)
        return;
    for (struct stack_port *port = stack->occupied; port != NULL; port = port->next)
        if (port->blocked_count > 0 && port->looked_inputs != stack->inputs)
            wake(port);
}

/* A tick walks all of usrsctp's timers, so there are not more than are needed: fine ones while
 * packets come and go, coarse ones for the heartbeats of a quiet stack. */
int64_t
stack_advance(struct stack *stack, int64_t now)
{
    int64_t tick;

    if (stack->ticked == 0)
        stack->ticked = now;
    if (stack->busy)
        stack->active = now;
    stack->busy = false;
    look_for_room(stack);
    tick = now - stack->active < QUIET_AFTER_MS ? stack->tick : QUIET_TICK_MS;
    if (now - stack->ticked >= tick) {
        usrsctp_handle_timers((uint32_t)(now - stack->ticked));
        stack->ticked = now;
        look_after_timers(stack);
    }
    return stack->ports > 0 ? stack->ticked + tick : ENDPOINT_NO_DEADLINE;
}

/* ---- Ports ---- */

static void
upcall(struct socket *socket, void *port, int flags)
{
    (void)socket;
    (void)flags;
    wake(port);
}

static int
option(struct socket *socket, int name, const void *value, size_t length)
{
    return usrsctp_setsockopt(socket, IPPROTO_SCTP, name, value, (socklen_t)length);
}

static int
subscribe(struct socket *socket, uint32_t assoc, uint16_t type, bool on)
{
    struct sctp_event event = {.se_assoc_id = assoc, .se_type = type, .se_on = on};

    return option(socket, SCTP_EVENT, &event, sizeof(event));
}

/* What is the same for every association of a port; RFC 6458 section 8.1. */
static int
configure(struct stack_port *port, const struct endpoint_profile *profile)
{
    struct socket *socket = port->socket;
    const int on = 1, send_buffer = SEND_BUFFER, receive_buffer = RECEIVE_BUFFER;
    struct sctp_rtoinfo rto = {SCTP_FUTURE_ASSOC, profile->rto_initial, profile->rto_max,
                               profile->rto_min};
    /* Who is silent is found out and given up above. The stack must do neither: to a path that it
     * holds for unreachable it sends nothing new until a heartbeat is answered, though SACKs come.
     */
    struct sctp_assocparams assoc = {.sasoc_assoc_id = SCTP_FUTURE_ASSOC,
                                     .sasoc_asocmaxrxt = UINT16_MAX};
    struct sctp_paddrparams path = {.spp_assoc_id = SCTP_FUTURE_ASSOC,
                                    .spp_hbinterval = profile->heartbeat_interval,
                                    .spp_pathmaxrxt = UINT16_MAX,
                                    .spp_pathmtu = port->stack->config.packet_max - COMMON_HEADER,
                                    .spp_flags = SPP_HB_ENABLE | SPP_PMTUD_DISABLE};
    struct sctp_initmsg init = {ENDPOINT_STREAMS, ENDPOINT_STREAMS, INIT_ATTEMPTS,
                                (uint16_t)profile->rto_max};
    struct sctp_sack_info sack = {SCTP_FUTURE_ASSOC, profile->sack_delay, 2};
    struct sctp_assoc_value interleave = {SCTP_FUTURE_ASSOC, 1};
    int failed = 0;

    path.spp_address.ss_family = AF_CONN;
    failed |= usrsctp_set_non_blocking(socket, 1);
    failed |= usrsctp_setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(int));
    failed |= usrsctp_setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(int));
    failed |= option(socket, SCTP_NODELAY, &on, sizeof(on));
    failed |= option(socket, SCTP_RECVRCVINFO, &on, sizeof(on));
    failed |= option(socket, SCTP_RTOINFO, &rto, sizeof(rto));
    failed |= option(socket, SCTP_ASSOCINFO, &assoc, sizeof(assoc));
    failed |= option(socket, SCTP_PEER_ADDR_PARAMS, &path, sizeof(path));
    failed |= option(socket, SCTP_INITMSG, &init, sizeof(init));
    failed |= option(socket, SCTP_DELAYED_SACK, &sack, sizeof(sack));
    failed |= option(socket, SCTP_FRAGMENT_INTERLEAVE, &interleave.assoc_value, sizeof(uint32_t));
    failed |= subscribe(socket, SCTP_FUTURE_ASSOC, SCTP_ASSOC_CHANGE, true);
    failed |= subscribe(socket, SCTP_FUTURE_ASSOC, SCTP_PARTIAL_DELIVERY_EVENT, true);
    return failed == 0 ? LAZYCHAT_OK : LAZYCHAT_SYSTEM;
}

/* What is of no use to a port with nobody in. */
static void
give_back(struct stack_port *port)
{
    free(port->buffer);
    free(port->blocked);
    port->stack->blocked -= port->blocked_count;
    port->buffer = NULL;
    port->blocked = NULL;
    port->blocked_count = port->blocked_size = 0;
    port->to_look = 0;
}

int
stack_open(struct stack *stack, const struct endpoint_config *config, struct agenda_entry *entry,
           struct stack_port **result)
{
    struct stack_port *port = calloc(1, sizeof(*port));
    struct sockaddr_conn local = {.sconn_family = AF_CONN, .sconn_port = htons(config->port)};
    int error;

    if (port == NULL)
        return LAZYCHAT_NO_MEMORY;
    port->stack = stack;
    port->entry = entry;
    port->number = config->port;
    port->socket = usrsctp_socket(AF_CONN, SOCK_SEQPACKET, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (port->socket == NULL) {
        free(port);
        return LAZYCHAT_NO_MEMORY;
    }
    stack->ports++;
    error = configure(port, config->profile);
    if (error != LAZYCHAT_OK)
        goto fail;
    if (usrsctp_bind(port->socket, (struct sockaddr *)&local, sizeof(local)) != 0 ||
        (config->listen && usrsctp_listen(port->socket, 1) != 0)) {
        error = error_from_errno(errno);
        goto fail;
    }
    usrsctp_set_upcall(port->socket, upcall, port);
    if (stack->tick > config->profile->rto_min / 10)
        stack->tick = config->profile->rto_min / 10;
    *result = port;
    return LAZYCHAT_OK;
fail:
    stack_close(port);
    return error;
}

void
stack_occupied(struct stack_port *port, bool occupied)
{
    struct stack *stack = port->stack;

    if (occupied == port->is_occupied)
        return;
    port->is_occupied = occupied;
    if (occupied) {
        port->next = stack->occupied;
        if (port->next != NULL)
            port->next->prev = port;
        stack->occupied = port;
        return;
    }
    if (port->prev != NULL)
        port->prev->next = port->next;
    else
        stack->occupied = port->next;
    if (port->next != NULL)
        port->next->prev = port->prev;
    port->prev = port->next = NULL;
    give_back(port);
}

void
stack_close(struct stack_port *port)
{
    if (port == NULL)
        return;
    stack_occupied(port, false);
    usrsctp_set_upcall(port->socket, NULL, NULL);
    usrsctp_close(port->socket);
    port->stack->ports--;
    give_back(port);
    free(port);
}

int
stack_connect(struct stack_port *port, uint32_t peer, uint16_t remote_port, uint32_t *assoc)
{
    struct sockaddr_conn to = {.sconn_family = AF_CONN,
                               .sconn_port = htons(remote_port),
                               .sconn_addr = peer_to_pointer(peer)};

    register_up_to(port->stack, peer);
    if (usrsctp_connect(port->socket, (struct sockaddr *)&to, sizeof(to)) != 0 &&
        errno != EINPROGRESS)
        return error_from_errno(errno);
    *assoc = usrsctp_getassocid(port->socket, (struct sockaddr *)&to);
    return *assoc != 0 ? LAZYCHAT_OK : LAZYCHAT_GONE;
}

/* ---- Sending ---- */

static int
send_with(struct stack_port *port, uint32_t assoc, const struct endpoint_message *message,
          uint16_t flags, uint16_t stream)
{
    struct sctp_sendv_spa spa = {.sendv_flags = SCTP_SEND_SNDINFO_VALID,
                                 .sendv_sndinfo = {.snd_sid = stream,
                                                   .snd_flags = flags,
                                                   .snd_ppid = htonl(message->ppid),
                                                   .snd_assoc_id = assoc}};

    if (message->unordered)
        spa.sendv_sndinfo.snd_flags |= SCTP_UNORDERED;
    if (message->ephemeral) {
        spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
        spa.sendv_prinfo.pr_value = 0;
    }
    if (usrsctp_sendv(port->socket, message->data, message->length, NULL, 0, &spa, sizeof(spa),
                      SCTP_SENDV_SPA, 0) >= 0)
        return LAZYCHAT_OK;
    return error_from_errno(errno);
}

/* Nagle's algorithm bundles what follows at once; it is on while more follows, and nothing else. */
static void
set_nagle(struct stack_port *port, bool on)
{
    const int nodelay = !on;

    if (option(port->socket, SCTP_NODELAY, &nodelay, sizeof(nodelay)) == 0)
        port->nagle = on;
}

/* A DRAINED is due to this one. */
static int
note_blocked(struct stack_port *port, uint32_t assoc)
{
    if (port->blocked_count == port->blocked_size) {
        size_t size = port->blocked_size == 0 ? 16 : port->blocked_size * 2;
        uint32_t *bigger = realloc(port->blocked, size * sizeof(*bigger));

        if (bigger == NULL)
            return LAZYCHAT_NO_MEMORY;
        port->blocked = bigger;
        port->blocked_size = size;
    }
    port->blocked[port->blocked_count++] = assoc;
    port->stack->blocked++;
    return LAZYCHAT_WOULD_BLOCK;
}

int
stack_send(struct stack_port *port, uint32_t assoc, const struct endpoint_message *message,
           bool more)
{
    int result;

    if (more != port->nagle)
        set_nagle(port, more);
    result = send_with(port, assoc, message, 0, message->stream);

    if (result == LAZYCHAT_INVALID && message->stream != 0) /* the peer offered fewer streams */
        result = send_with(port, assoc, message, 0, 0);
    if (result == LAZYCHAT_WOULD_BLOCK)
        return note_blocked(port, assoc);
    if (result == LAZYCHAT_INVALID)
        return LAZYCHAT_GONE; /* usrsctp says EINVAL for an id it no longer has */
    return result;
}

int
stack_end(struct stack_port *port, uint32_t assoc, enum stack_end how)
{
    static const struct endpoint_message nothing = {.data = "", .length = 0};

    return send_with(port, assoc, &nothing, how == STACK_ABORT ? SCTP_ABORT : SCTP_EOF, 0);
}

/* ---- Receiving ---- */

static bool
down(struct endpoint_raw *raw, enum endpoint_reason reason)
{
    raw->event.type = ENDPOINT_DOWN;
    raw->event.reason = reason;
    return true;
}

/* RFC 6458, section 6.1.1. */
static bool
association_change(const struct sctp_assoc_change *change, struct endpoint_raw *raw)
{
    raw->event.assoc = change->sac_assoc_id;
    switch (change->sac_state) {
    case SCTP_COMM_UP:
        raw->event.type = ENDPOINT_UP;
        return true;
    case SCTP_RESTART:
        raw->event.type = ENDPOINT_RESTARTED;
        return true;
    case SCTP_COMM_LOST: /* with the ABORT chunk when one came */
        return down(raw,
                    change->sac_length > sizeof(*change) ? ENDPOINT_ABORTED : ENDPOINT_UNREACHABLE);
    case SCTP_SHUTDOWN_COMP:
        return down(raw, ENDPOINT_CLOSED);
    case SCTP_CANT_STR_ASSOC:
        return down(raw, ENDPOINT_REFUSED);
    default:
        return false;
    }
}

static bool
notification(const union sctp_notification *what, struct endpoint_raw *raw)
{
    switch (what->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        return association_change(&what->sn_assoc_change, raw);
    case SCTP_PARTIAL_DELIVERY_EVENT:
        raw->event.type = ENDPOINT_MESSAGE;
        raw->event.assoc = what->sn_pdapi_event.pdapi_assoc_id;
        raw->discard = true;
        return true;
    default:
        return false;
    }
}

/* One of those who had no room and have again; false when there is none. SENDER_DRY would tell only
 * once everything is acknowledged, and the last SACK is a delayed one. */
static bool
find_drained(struct stack_port *port, struct endpoint_raw *raw)
{
    if (port->to_look == 0) {
        if (port->looked_inputs == port->stack->inputs)
            return false; /* nothing came that could have acknowledged anything */
        port->looked_inputs = port->stack->inputs;
        port->looked = 0;
        port->to_look = port->blocked_count;
    }
    /* Each once in a turn, also one that has no room again at once. */
    for (; port->to_look > 0 && port->looked < port->blocked_count; port->to_look--) {
        struct sctp_sockstat use = {.ss_assoc_id = port->blocked[port->looked]};
        socklen_t length = sizeof(use);
        bool gone =
            usrsctp_getsockopt(port->socket, IPPROTO_SCTP, SCTP_GET_SNDBUF_USE, &use, &length) != 0;

        if (!gone && use.ss_total_sndbuf > LOW_WATER) {
            port->looked++;
            continue;
        }
        raw->event.type = ENDPOINT_DRAINED;
        raw->event.assoc = port->blocked[port->looked];
        port->blocked[port->looked] = port->blocked[--port->blocked_count];
        port->stack->blocked--;
        if (!gone) {
            port->to_look--;
            return true;
        }
    }
    port->to_look = 0;
    return false;
}

static bool
take_buffer(struct stack_port *port)
{
    if (port->buffer == NULL)
        port->buffer = malloc(ENDPOINT_MESSAGE_MAX + 1);
    return port->buffer != NULL;
}

int
stack_recv(struct stack_port *port, struct stack_event *event)
{
    if (port->readable && !take_buffer(port))
        return LAZYCHAT_NO_MEMORY;
    while (port->readable) {
        struct sockaddr_conn from = {0};
        socklen_t from_length = sizeof(from);
        struct sctp_rcvinfo info = {0};
        socklen_t info_length = sizeof(info);
        unsigned int type = 0;
        int flags = 0;
        ssize_t length = usrsctp_recvv(port->socket, port->buffer, ENDPOINT_MESSAGE_MAX + 1,
                                       (struct sockaddr *)&from, &from_length, &info, &info_length,
                                       &type, &flags);

        if (length <= 0) { /* SCTP has no empty user message: 0 says that all is read */
            port->readable = false;
            if (!port->is_occupied)
                give_back(port);
            break;
        }
        memset(event, 0, sizeof(*event));
        if ((flags & MSG_NOTIFICATION) != 0) {
            event->peer = pointer_to_peer(from.sconn_addr);
            event->remote_port = ntohs(from.sconn_port);
            if (!notification((const union sctp_notification *)(void *)port->buffer, &event->raw))
                continue;
            return 1;
        }
        event->raw.event.type = ENDPOINT_MESSAGE;
        event->raw.event.assoc = info.rcv_assoc_id;
        event->raw.event.data = port->buffer;
        event->raw.event.length = (size_t)length;
        event->raw.event.ppid = ntohl(info.rcv_ppid);
        event->raw.event.stream = info.rcv_sid;
        event->raw.event.unordered = (info.rcv_flags & SCTP_UNORDERED) != 0;
        event->raw.more = (flags & MSG_EOR) == 0;
        return 1;
    }
    memset(event, 0, sizeof(*event));
    return find_drained(port, &event->raw) ? 1 : 0;
}
