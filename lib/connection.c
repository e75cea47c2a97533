/* connection.c: race the transports to a server, then be one association with it. */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 16

/* One way to the server. */
struct attempt {
    enum connection_transport transport;
    struct address address;
    struct endpoint *endpoint; /* NULL: not begun, or over */
    uint32_t assoc;
    bool begun;
    int error; /* why it could not even begin */
};

struct connection {
    struct network *network;
    struct attempt attempts[ATTEMPTS_MAX];
    size_t count, begun;
    struct attempt *winner;
    enum connection_state state;
    enum endpoint_reason reason;
    const struct endpoint_profile *profile;
    uint16_t port;
    int64_t next_attempt, deadline;
    char text[512];
};

static const char *
transport_name(enum connection_transport transport)
{
    return transport == CONNECTION_SCTP ? "kernel SCTP" : "SCTP over UDP";
}

static void
plan(struct connection *connection, const struct connection_config *config)
{
    const enum connection_transport order[] = {CONNECTION_SCTP, CONNECTION_UDP};

    for (size_t i = 0; i < config->count; i++) {
        for (size_t t = 0; t < 2; t++) {
            struct attempt *attempt = &connection->attempts[connection->count];

            if ((config->transports & order[t]) == 0 || connection->count == ATTEMPTS_MAX)
                continue;
            if (order[t] == CONNECTION_SCTP && !network_has_sctp(config->network))
                continue;
            attempt->transport = order[t];
            attempt->address = config->addresses[i];
            address_set_port(&attempt->address,
                             order[t] == CONNECTION_UDP ? config->udp_port : config->port);
            connection->count++;
        }
    }
}

int
connection_open(struct connection **result, const struct connection_config *config, int64_t now)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return LAZYCHAT_NO_MEMORY;
    connection->network = config->network;
    connection->profile = config->profile;
    connection->port = config->port;
    plan(connection, config);
    if (connection->count == 0) {
        free(connection);
        return config->count == 0 ? LAZYCHAT_INVALID : LAZYCHAT_UNSUPPORTED;
    }
    connection->next_attempt = now;
    connection->deadline = now + CONNECTION_TIMEOUT_MS;
    *result = connection;
    return LAZYCHAT_OK;
}

/* ---- The race ---- */

static int
open_endpoint(struct connection *connection, struct attempt *attempt)
{
    sa_family_t family = attempt->address.any.sa_family;

    if (attempt->transport == CONNECTION_SCTP)
        return network_open_sctp(connection->network, family, connection->profile,
                                 &attempt->endpoint);
    return network_open_udp(connection->network, family, connection->profile, &attempt->endpoint);
}

static void
end_attempt(struct connection *connection, struct attempt *attempt)
{
    network_close(connection->network, attempt->endpoint);
    attempt->endpoint = NULL;
}

static void
begin_attempt(struct connection *connection, int64_t now)
{
    struct attempt *attempt = &connection->attempts[connection->begun++];

    attempt->begun = true;
    attempt->error = open_endpoint(connection, attempt);
    if (attempt->error == LAZYCHAT_OK) {
        endpoint_tick(attempt->endpoint, now);
        attempt->error = endpoint_connect(attempt->endpoint, &attempt->address, 1, connection->port,
                                          &attempt->assoc);
    }
    if (attempt->error != LAZYCHAT_OK) {
        end_attempt(connection, attempt);
        connection->next_attempt = now; /* no use in waiting for this one */
        return;
    }
    connection->next_attempt = now + CONNECTION_STAGGER_MS;
}

/* An attempt came up: the others end. */
static void
won(struct connection *connection, struct attempt *winner)
{
    char address[ADDRESS_TEXT_MAX];

    connection->winner = winner;
    connection->state = CONNECTION_OPEN;
    for (size_t i = 0; i < connection->count; i++)
        if (&connection->attempts[i] != winner)
            end_attempt(connection, &connection->attempts[i]);
    snprintf(connection->text, sizeof(connection->text), "%s, %s",
             transport_name(winner->transport), address_format(&winner->address, address));
}

static void
failed(struct connection *connection, bool timeout)
{
    size_t used = 0;

    connection->state = CONNECTION_FAILED;
    for (size_t i = 0; i < connection->count && used < sizeof(connection->text); i++) {
        struct attempt *attempt = &connection->attempts[i];
        char address[ADDRESS_TEXT_MAX];
        const char *why = timeout && attempt->endpoint != NULL ? "no answer" : "refused";
        int length;

        if (attempt->error != LAZYCHAT_OK)
            why = lazychat_strerror(attempt->error);
        length = snprintf(connection->text + used, sizeof(connection->text) - used, "%s%s %s: %s",
                          used > 0 ? "; " : "", transport_name(attempt->transport),
                          address_format(&attempt->address, address), why);
        used += length > 0 ? (size_t)length : 0;
        end_attempt(connection, attempt);
    }
}

/* What came for an attempt while nothing is open yet. True when it is up. */
static bool
attempt_turn(struct connection *connection, struct attempt *attempt)
{
    struct endpoint_event event;

    while (attempt->endpoint != NULL && endpoint_recv(attempt->endpoint, &event) == 1) {
        if (event.type == ENDPOINT_UP && event.assoc == attempt->assoc)
            return true;
        if (event.type == ENDPOINT_DOWN)
            end_attempt(connection, attempt);
    }
    return false;
}

static int64_t
race(struct connection *connection, int64_t now)
{
    bool alive = false, began = false;

    while (connection->begun < connection->count && connection->next_attempt <= now) {
        begin_attempt(connection, now);
        began = true;
    }
    for (size_t i = 0; i < connection->begun; i++) {
        if (attempt_turn(connection, &connection->attempts[i])) {
            won(connection, &connection->attempts[i]);
            return now;
        }
        alive = alive || connection->attempts[i].endpoint != NULL;
    }
    if (!alive && connection->begun < connection->count) {
        connection->next_attempt = now;
        return now;
    }
    if (began && alive)
        return now; /* what it needs of the transport's timers, the next turn says */
    if (!alive || now >= connection->deadline) {
        failed(connection, alive);
        return now;
    }
    return connection->begun < connection->count ? connection->next_attempt : connection->deadline;
}

/* ---- A turn ---- */

int64_t
connection_turn(struct connection *connection, int64_t now)
{
    int64_t next = ENDPOINT_NO_DEADLINE;

    for (size_t i = 0; i < connection->begun; i++) {
        struct endpoint *endpoint = connection->attempts[i].endpoint;
        int64_t due = endpoint != NULL ? endpoint_tick(endpoint, now) : ENDPOINT_NO_DEADLINE;

        next = due < next ? due : next;
    }
    if (connection->state == CONNECTION_TRYING) {
        int64_t due = race(connection, now);

        next = due < next ? due : next;
    }
    return next;
}

int
connection_recv(struct connection *connection, struct endpoint_event *event)
{
    int result;

    if (connection->state != CONNECTION_OPEN)
        return 0;
    result = endpoint_recv(connection->winner->endpoint, event);
    if (result == 1 && event->type == ENDPOINT_DOWN) {
        connection->state = CONNECTION_CLOSED;
        connection->reason = event->reason;
        end_attempt(connection, connection->winner);
        return 0;
    }
    return result;
}

int
connection_send(struct connection *connection, const struct endpoint_message *message)
{
    if (connection->state != CONNECTION_OPEN)
        return LAZYCHAT_GONE;
    return endpoint_send(connection->winner->endpoint, connection->winner->assoc, message);
}

void
connection_shutdown(struct connection *connection)
{
    if (connection->state == CONNECTION_OPEN)
        endpoint_shutdown(connection->winner->endpoint, connection->winner->assoc);
}

enum connection_state
connection_state(const struct connection *connection)
{
    return connection->state;
}

enum endpoint_reason
connection_reason(const struct connection *connection)
{
    return connection->reason;
}

bool
connection_reachable(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN &&
           endpoint_reachable(connection->winner->endpoint, connection->winner->assoc);
}

enum connection_transport
connection_way(const struct connection *connection, struct address *address)
{
    *address = connection->winner->address;
    return connection->winner->transport;
}

const char *
connection_text(const struct connection *connection)
{
    return connection->text;
}

void
connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    for (size_t i = 0; i < connection->count; i++)
        end_attempt(connection, &connection->attempts[i]);
    free(connection);
}
