/* turn.c: from the endpoints' events to requests, from the log's to answers. */
#include "turn.h"

#include "answer.h"
#include "logger.h"
#include "request.h"

#include <inttypes.h>
#include <time.h>

/* Events of one endpoint taken in a turn, so that a flood on one does not silence the others. */
#define TURN_EVENTS 512

/* An event and where it came from. */
struct incident {
    struct room *room;
    const struct transport_endpoint *at;
    bool classic;
    const struct endpoint_event *event;
};

/* Which door of the room it is. */
static const struct transport_endpoint *
door(const struct room *room, const struct endpoint *endpoint, bool *classic)
{
    for (size_t i = 0; i < room->endpoint_count; i++) {
        if (room->endpoints[i].endpoint == endpoint) {
            *classic = false;
            return &room->endpoints[i];
        }
    }
    for (size_t i = 0; i < room->classic_count; i++) {
        if (room->classic[i].endpoint == endpoint) {
            *classic = true;
            return &room->classic[i];
        }
    }
    return NULL;
}

static size_t
here(const struct incident *incident)
{
    const struct room *room = incident->room;
    const struct transport_endpoint *doors = incident->classic ? room->classic : room->endpoints;
    size_t count = incident->classic ? room->classic_count : room->endpoint_count;
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += endpoint_associations(doors[i].endpoint);
    return sum;
}

/* One line for what happened to an association. */
static void
log_incident(const struct incident *incident, const char *what, const char *more)
{
    const struct endpoint_event *event = incident->event;
    const struct endpoint *endpoint = incident->at->endpoint;
    char peer[ADDRESS_TEXT_MAX] = "?";
    struct address address = event->address;

    if (event->type == ENDPOINT_UP || event->type == ENDPOINT_DOWN)
        endpoint_peer(endpoint, event->assoc, &address);
    else if (event->type != ENDPOINT_PATH && !endpoint_peer(endpoint, event->assoc, &address))
        address.any.sa_family = AF_UNSPEC;
    if (address.any.sa_family != AF_UNSPEC)
        address_format(&address, peer);
    logger_write(LOGGER_INFO, what, "room=%s transport=%s assoc=%" PRIu32 " peer=%s%s%s here=%zu",
                 incident->classic ? "classic" : incident->room->info.name, incident->at->name,
                 event->assoc, peer, more[0] != '\0' ? " " : "", more, here(incident));
}

static void
log_said(const struct incident *incident)
{
    const struct endpoint_event *event = incident->event;
    char text[LOGGER_QUOTE_MAX];

    if (logger_wants(LOGGER_DEBUG))
        logger_write(LOGGER_DEBUG, "say",
                     "room=%s transport=%s assoc=%" PRIu32 " bytes=%zu text=%s",
                     incident->classic ? "classic" : incident->room->info.name, incident->at->name,
                     event->assoc, event->length,
                     incident->classic ? logger_quote(text, event->data, event->length) : "-");
}

/* It was skipped: say up to where there is something to ask for. */
static void
tell_head(const struct room *room, struct member *member)
{
    struct message head;

    message_init(&head, MESSAGE_HEAD);
    head.head = room->info.head;
    head.first = room->info.first;
    member_send(member, MESSAGE_STREAM_LIVE, &head);
}

static void
take_up(struct chat *chat, const struct incident *incident)
{
    log_incident(incident, "up", "");
    if (chat->closing || chat_up(chat, incident->room, incident->at, incident->event->assoc,
                                 incident->classic) == NULL)
        endpoint_abort(incident->at->endpoint, incident->event->assoc);
}

static void
take_message(struct chat *chat, const struct incident *incident, struct member *member)
{
    log_said(incident);
    if (request_take(chat, member, incident->event))
        return;
    log_incident(incident, "faulty", "aborted");
    endpoint_abort(incident->at->endpoint, incident->event->assoc);
    chat_down(chat, member);
}

static void
take(struct chat *chat, const struct incident *incident)
{
    const struct endpoint_event *event = incident->event;
    struct member *member = room_member(incident->room, incident->at->endpoint, event->assoc);
    char more[64];

    if (event->type == ENDPOINT_UP) {
        take_up(chat, incident);
        return;
    }
    if (member == NULL && event->type != ENDPOINT_DOWN)
        return;
    switch (event->type) {
    case ENDPOINT_MESSAGE:
        take_message(chat, incident, member);
        break;
    case ENDPOINT_OVERSIZE:
        snprintf(more, sizeof(more), "bytes=%zu limit=%d", event->length, ENDPOINT_MESSAGE_MAX);
        log_incident(incident, "oversize", more);
        break;
    case ENDPOINT_DOWN:
        snprintf(more, sizeof(more), "reason=%s", endpoint_reason_text(event->reason));
        log_incident(incident, "down", more);
        if (member != NULL)
            chat_down(chat, member);
        break;
    case ENDPOINT_RESTARTED:
        log_incident(incident, "restarted", "");
        chat_restarted(chat, member);
        break;
    case ENDPOINT_PATH:
        snprintf(more, sizeof(more), "state=%s", event->reachable ? "reachable" : "unreachable");
        log_incident(incident, "path", more);
        break;
    case ENDPOINT_DRAINED:
        snprintf(more, sizeof(more), "skipped=%" PRIu64, event->skipped);
        log_incident(incident, "drained", more);
        member_drained(member);
        if (event->skipped > 0)
            tell_head(incident->room, member);
        break;
    case ENDPOINT_UP:
        break;
    }
}

/* What one endpoint has. The classic lobby cannot be told to slow down: it waits while the log is
 * behind, and SCTP makes its peers wait. */
static void
read_endpoint(struct chat *chat, struct endpoint *endpoint)
{
    struct endpoint_event event;
    struct incident incident = {.room = endpoint_owner(endpoint), .event = &event};

    incident.at = door(incident.room, endpoint, &incident.classic);
    for (int taken = 0; taken < TURN_EVENTS; taken++) {
        if (incident.classic && chat->appending >= CHAT_BACKPRESSURE)
            return;
        if (endpoint_recv(endpoint, &event) != 1)
            return;
        take(chat, &incident);
    }
}

int64_t
turn(struct chat *chat, int64_t now)
{
    struct transport *transport = chat->config.transport;
    struct timespec real;
    struct endpoint *endpoint;
    int64_t next, due;

    clock_gettime(CLOCK_REALTIME, &real);
    chat->now = now;
    chat->real_time = (int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000;
    transport_receive(transport, now);
    while ((endpoint = transport_ready(transport)) != NULL)
        read_endpoint(chat, endpoint);
    log_flush(chat->log);
    answer_take(chat);
    next = chat_intervals(chat, now);
    log_flush(chat->log);
    due = transport_flush(transport);
    if (due <= now && chat->appending >= CHAT_BACKPRESSURE)
        due = now + 1; /* what is ready may not be read yet; the log's descriptor tells sooner */
    return due < next ? due : next;
}

size_t
turn_associations(const struct chat *chat)
{
    size_t sum = 0;

    for (size_t i = 0; i < chat->room_count; i++)
        sum += room_associations(chat->rooms[i]);
    return sum;
}

bool
turn_unfinished(const struct chat *chat)
{
    return turn_associations(chat) > 0 || chat->appending > 0;
}

static void
each_endpoint(struct chat *chat, void (*act)(struct endpoint *))
{
    for (size_t i = 0; i < chat->room_count; i++) {
        const struct room *room = chat->rooms[i];

        for (size_t j = 0; j < room->endpoint_count; j++)
            act(room->endpoints[j].endpoint);
        for (size_t j = 0; j < room->classic_count; j++)
            act(room->classic[j].endpoint);
    }
}

size_t
turn_shutdown(struct chat *chat)
{
    chat->closing = true;
    each_endpoint(chat, endpoint_shutdown_all);
    return turn_associations(chat);
}

void
turn_abort(struct chat *chat)
{
    each_endpoint(chat, endpoint_abort_all);
}
