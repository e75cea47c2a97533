/* classic.c: what one says goes back to all. */
#include "classic.h"

#include "logger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Events of one endpoint taken in a turn, so that a flood on one does not silence the others. */
#define TURN_EVENTS 512

struct classic {
    struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS];
    size_t count;
    bool closing;
};

int
classic_open(struct classic **result, struct transport *transport, uint16_t port, FILE *errors)
{
    struct classic *classic = calloc(1, sizeof(*classic));
    int count;

    if (classic == NULL)
        return LAZYCHAT_NO_MEMORY;
    count = transport_endpoints(transport, port, classic, classic->endpoints, errors);
    if (count < 0) {
        free(classic);
        return count;
    }
    classic->count = (size_t)count;
    *result = classic;
    return LAZYCHAT_OK;
}

const struct transport_endpoint *
classic_endpoints(const struct classic *classic, size_t *count)
{
    *count = classic->count;
    return classic->endpoints;
}

size_t
classic_associations(const struct classic *classic)
{
    size_t count = 0;

    for (size_t i = 0; i < classic->count; i++)
        count += endpoint_associations(classic->endpoints[i].endpoint);
    return count;
}

/* The whole of the article's server. */
static void
say_to_all(struct classic *classic, const struct endpoint_event *event)
{
    struct endpoint_message message = {.data = event->data, .length = event->length};

    for (size_t i = 0; i < classic->count; i++)
        endpoint_sendall(classic->endpoints[i].endpoint, &message);
}

/* One line for what happened to an association. */
static void
log_event(const struct classic *classic, const struct transport_endpoint *from, const char *what,
          const struct endpoint_event *event, const char *more)
{
    char peer[ADDRESS_TEXT_MAX] = "?";
    struct address address = event->address;

    if (event->type == ENDPOINT_UP || event->type == ENDPOINT_DOWN || event->type == ENDPOINT_PATH)
        endpoint_peer(from->endpoint, event->assoc, &address);
    else if (!endpoint_peer(from->endpoint, event->assoc, &address))
        address.any.sa_family = AF_UNSPEC;
    if (event->type == ENDPOINT_PATH)
        address = event->address;
    if (address.any.sa_family != AF_UNSPEC)
        address_format(&address, peer);
    logger_write(LOGGER_INFO, what,
                 "room=classic transport=%s assoc=%" PRIu32 " peer=%s%s%s here=%zu", from->name,
                 event->assoc, peer, more[0] != '\0' ? " " : "", more,
                 classic_associations(classic));
}

static void
take(struct classic *classic, const struct transport_endpoint *from,
     const struct endpoint_event *event)
{
    char more[LOGGER_QUOTE_MAX];

    switch (event->type) {
    case ENDPOINT_MESSAGE:
        if (logger_wants(LOGGER_DEBUG))
            logger_write(LOGGER_DEBUG, "say",
                         "room=classic transport=%s assoc=%" PRIu32 " bytes=%zu text=%s",
                         from->name, event->assoc, event->length,
                         logger_quote(more, event->data, event->length));
        say_to_all(classic, event);
        break;
    case ENDPOINT_OVERSIZE:
        snprintf(more, sizeof(more), "bytes=%zu limit=%d", event->length, ENDPOINT_MESSAGE_MAX);
        log_event(classic, from, "oversize", event, more);
        break;
    case ENDPOINT_UP:
        log_event(classic, from, "up", event, "");
        if (classic->closing)
            endpoint_abort(from->endpoint, event->assoc);
        break;
    case ENDPOINT_DOWN:
        snprintf(more, sizeof(more), "reason=%s", endpoint_reason_text(event->reason));
        log_event(classic, from, "down", event, more);
        break;
    case ENDPOINT_RESTARTED:
        log_event(classic, from, "restarted", event, "");
        break;
    case ENDPOINT_PATH:
        snprintf(more, sizeof(more), "state=%s", event->reachable ? "reachable" : "unreachable");
        log_event(classic, from, "path", event, more);
        break;
    case ENDPOINT_DRAINED:
        snprintf(more, sizeof(more), "skipped=%" PRIu64, event->skipped);
        log_event(classic, from, "drained", event, more);
        break;
    }
}

void
classic_turn(struct classic *classic, struct endpoint *endpoint)
{
    const struct transport_endpoint *from = classic->endpoints;
    struct endpoint_event event;

    while (from->endpoint != endpoint)
        from++;
    for (int taken = 0; taken < TURN_EVENTS && endpoint_recv(endpoint, &event) == 1; taken++)
        take(classic, from, &event);
}

void
classic_shutdown(struct classic *classic)
{
    classic->closing = true;
    for (size_t i = 0; i < classic->count; i++)
        endpoint_shutdown_all(classic->endpoints[i].endpoint);
}

void
classic_abort(struct classic *classic)
{
    for (size_t i = 0; i < classic->count; i++)
        endpoint_abort_all(classic->endpoints[i].endpoint);
}

void
classic_close(struct classic *classic)
{
    if (classic == NULL)
        return;
    for (size_t i = 0; i < classic->count; i++)
        endpoint_close(classic->endpoints[i].endpoint);
    free(classic);
}
