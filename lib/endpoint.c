/* endpoint.c: the contract of endpoint.h, written once over two drivers.
 *
 * Associations lie in a dense array (for the loop of endpoint_sendall) and in a hash by id (for the
 * events). An association is made by a connect or by UP and lives until DOWN has been given out or
 * endpoint_abort was called; nothing is removed in the middle of a loop over the array.
 */
#include "endpoint.h"

#include "endpoint_driver.h"

#include <stdlib.h>
#include <string.h>

/* Within 6 s of silence it is known that a peer to whom data are due is unreachable. In the kernel:
 * after path_max_retrans + 1 timeouts in a row, each twice the one before up to rto_max, so 0.5 + 1
 * + 2 s by default, and in a local network 0.1 + 0.2 s, because a second path takes over by then.
 * When idle, as many heartbeats must fail, or one in user space. */
static const struct endpoint_profile profiles[] = {
    {"default", 1000, 500, 2000, 12000, 2, 4500, 100, 120000},
    {"lan", 200, 100, 200, 1000, 1, 3000, 20, 120000},
};

const struct endpoint_profile *
endpoint_profile_find(const char *name)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const char *
endpoint_reason_text(enum endpoint_reason reason)
{
    switch (reason) {
    case ENDPOINT_CLOSED:
        return "closed";
    case ENDPOINT_ABORTED:
        return "aborted";
    case ENDPOINT_UNREACHABLE:
        return "unreachable";
    case ENDPOINT_REFUSED:
        return "refused";
    }
    return "unknown";
}

int
endpoint_init(struct endpoint *endpoint, const struct endpoint_driver *driver,
              const struct endpoint_config *config)
{
    endpoint->driver = driver;
    endpoint->profile = config->profile;
    endpoint->fd = -1;
    endpoint->next_lost = ENDPOINT_NO_DEADLINE;
    endpoint->owner = config->owner;
    agenda_add(config->agenda, &endpoint->entry, endpoint);
    backlog_init(&endpoint->backlog,
                 config->backlog_bytes != 0 ? config->backlog_bytes : ENDPOINT_BACKLOG_BYTES);
    return config->profile != NULL ? LAZYCHAT_OK : LAZYCHAT_INVALID;
}

struct association *
endpoint_find(const struct endpoint *endpoint, uint32_t id)
{
    /* The stack counts ids up, so the id itself spreads well; two never share a value. */
    struct hash_node *node = hash_first(&endpoint->by_id, id);

    return node != NULL ? hash_entry(node, struct association, by_id) : NULL;
}

static struct association *
association_add(struct endpoint *endpoint, uint32_t id)
{
    struct association *association = calloc(1, sizeof(*association));

    if (association == NULL)
        return NULL;
    if (endpoint->count == endpoint->capacity) {
        size_t capacity = endpoint->capacity == 0 ? 16 : endpoint->capacity * 2;
        struct association **bigger =
            realloc(endpoint->associations, capacity * sizeof(struct association *));

        if (bigger == NULL)
            goto fail;
        endpoint->associations = bigger;
        endpoint->capacity = capacity;
    }
    association->id = id;
    association->lost_at = ENDPOINT_NO_DEADLINE;
    if (hash_insert(&endpoint->by_id, &association->by_id, id) != LAZYCHAT_OK)
        goto fail;
    association->index = endpoint->count;
    endpoint->associations[endpoint->count++] = association;
    return association;
fail:
    free(association);
    return NULL;
}

static void
behind_ends(struct endpoint *endpoint, struct association *association)
{
    if (!association->behind)
        return;
    association->behind = false;
    endpoint->stats.behind--;
    if (endpoint->stats.behind == 0 && endpoint->flushed == endpoint->backlog.end)
        backlog_clear(&endpoint->backlog, BACKLOG_KEEP);
}

/* Nobody is here any more: an empty room costs no more than one that was never used. */
static void
give_back(struct endpoint *endpoint)
{
    free(endpoint->associations);
    endpoint->associations = NULL;
    endpoint->capacity = 0;
    hash_free(&endpoint->by_id);
    endpoint->flushed = endpoint->backlog.end;
    endpoint->pending = 0;
    backlog_clear(&endpoint->backlog, 0);
}

static void
association_remove(struct endpoint *endpoint, struct association *association)
{
    struct association *last = endpoint->associations[--endpoint->count];

    endpoint->associations[association->index] = last;
    last->index = association->index;
    hash_remove(&endpoint->by_id, &association->by_id);
    behind_ends(endpoint, association);
    if (association->up)
        endpoint->up--;
    free(association->partial);
    free(association);
    if (endpoint->count == 0)
        give_back(endpoint);
}

/* ---- Receiving ---- */

static void
partial_drop(struct association *association)
{
    free(association->partial);
    association->partial = NULL;
    association->partial_length = association->partial_size = 0;
}

/* Add a piece to the message being put together. False when there is no memory for it. */
static bool
partial_add(struct association *association, const uint8_t *data, size_t length)
{
    size_t needed = association->partial_length + length;

    if (needed > association->partial_size) {
        size_t size = needed < ENDPOINT_MESSAGE_MAX / 4 ? needed * 2 : ENDPOINT_MESSAGE_MAX;
        uint8_t *bigger = realloc(association->partial, size);

        if (bigger == NULL)
            return false;
        association->partial = bigger;
        association->partial_size = size;
    }
    memcpy(association->partial + association->partial_length, data, length);
    association->partial_length = needed;
    return true;
}

/* A message or a piece of one came; true when `event` now holds something to give out. */
static bool
take_message(struct endpoint *endpoint, struct association *association,
             const struct endpoint_raw *raw, struct endpoint_event *event)
{
    *event = raw->event;
    if (raw->discard) {
        partial_drop(association);
        association->oversize = false;
        return false;
    }
    if (!raw->more && association->partial_length == 0 && event->length <= ENDPOINT_MESSAGE_MAX) {
        endpoint->stats.messages_in++; /* all of it in one piece: no copy */
        return true;
    }
    if (!association->oversize &&
        (association->partial_length + event->length > ENDPOINT_MESSAGE_MAX ||
         !partial_add(association, event->data, event->length))) {
        size_t before = association->partial_length;

        partial_drop(association);
        association->oversize = true;
        association->partial_length = before + event->length;
    } else if (association->oversize) {
        association->partial_length += event->length;
    }
    if (raw->more)
        return false;
    event->length = association->partial_length;
    event->data = NULL;
    if (association->oversize) {
        event->type = ENDPOINT_OVERSIZE;
        association->oversize = false;
        association->partial_length = 0;
        return true;
    }
    endpoint->stats.messages_in++;
    endpoint->whole = association->partial;
    event->data = endpoint->whole;
    association->partial = NULL;
    association->partial_length = association->partial_size = 0;
    return true;
}

/* Give an association what it is due, up to number `until`; the last one alone is said to be the
 * last, unless there is `more`. False when it has no room before that. `skipped` grows by what the
 * backlog no longer has. */
static bool
hand_over(struct endpoint *endpoint, struct association *association, uint64_t until, bool more)
{
    struct backlog *backlog = &endpoint->backlog;

    if (association->next < backlog->first) {
        association->skipped += backlog->first - association->next;
        association->next = backlog->first;
    }
    for (; association->next < until; association->next++) {
        const struct endpoint_message *message = backlog_get(backlog, association->next);
        int result;

        if (message->ephemeral && association->behind)
            continue; /* it was for those who listened then */
        result = endpoint->driver->send(endpoint, association->id, message,
                                        more || association->next + 1 < until);
        if (result == LAZYCHAT_WOULD_BLOCK)
            return false;
        if (result == LAZYCHAT_OK)
            endpoint->stats.messages_out++;
    }
    return true;
}

static bool
take_drained(struct endpoint *endpoint, struct association *association,
             struct endpoint_event *event)
{
    if (!association->behind)
        return false;
    endpoint_flush(endpoint); /* so that all who are not behind have the same */
    if (!hand_over(endpoint, association, endpoint->backlog.end, false))
        return false;
    event->type = ENDPOINT_DRAINED;
    event->assoc = association->id;
    event->skipped = association->skipped;
    endpoint->stats.skipped += association->skipped;
    association->skipped = 0;
    behind_ends(endpoint, association);
    return true;
}

static void
take_path(struct endpoint *endpoint, struct association *association,
          const struct endpoint_raw *raw)
{
    if (!raw->stranded) {
        association->lost_at = ENDPOINT_NO_DEADLINE;
    } else if (association->lost_at == ENDPOINT_NO_DEADLINE) {
        association->lost_at = endpoint->now + endpoint->profile->keep;
        if (association->lost_at < endpoint->next_lost)
            endpoint->next_lost = association->lost_at;
    }
}

static bool
take_up(struct endpoint *endpoint, struct association *association,
        const struct endpoint_event *event)
{
    endpoint_flush(endpoint); /* what was said before it came is not for it */
    if (association == NULL)
        association = association_add(endpoint, event->assoc);
    if (association == NULL) { /* no memory for a peer more: it may try again */
        endpoint->driver->abort(endpoint, event->assoc);
        return false;
    }
    if (!association->up)
        endpoint->up++;
    association->up = true;
    association->address = event->address;
    return true;
}

/* Turn a driver's event into one of the contract; true when there is one to give out. */
static bool
take(struct endpoint *endpoint, const struct endpoint_raw *raw, struct endpoint_event *event)
{
    struct association *association = endpoint_find(endpoint, raw->event.assoc);

    *event = raw->event;
    if (event->type == ENDPOINT_UP)
        return take_up(endpoint, association, event);
    if (association == NULL) /* what was on its way when endpoint_abort was called */
        return false;
    switch (event->type) {
    case ENDPOINT_MESSAGE:
        return take_message(endpoint, association, raw, event);
    case ENDPOINT_DRAINED:
        return take_drained(endpoint, association, event);
    case ENDPOINT_PATH:
        take_path(endpoint, association, raw);
        return true;
    case ENDPOINT_RESTARTED:
        partial_drop(association);
        association->oversize = false;
        association->lost_at = ENDPOINT_NO_DEADLINE;
        return true;
    case ENDPOINT_DOWN:
        association_remove(endpoint, association);
        return true;
    case ENDPOINT_UP:
    case ENDPOINT_OVERSIZE:
        break;
    }
    return false;
}

/* Give up one association that was unreachable for too long; false when there is none. */
static bool
take_lost(struct endpoint *endpoint, struct endpoint_event *event)
{
    int64_t next = ENDPOINT_NO_DEADLINE;

    for (size_t i = 0; i < endpoint->count; i++) {
        struct association *association = endpoint->associations[i];

        if (association->lost_at <= endpoint->now) {
            memset(event, 0, sizeof(*event));
            event->type = ENDPOINT_DOWN;
            event->assoc = association->id;
            event->reason = ENDPOINT_UNREACHABLE;
            endpoint_abort(endpoint, association->id);
            return true; /* next_lost stays: there may be others */
        }
        if (association->lost_at < next)
            next = association->lost_at;
    }
    endpoint->next_lost = next;
    return false;
}

int
endpoint_recv(struct endpoint *endpoint, struct endpoint_event *event)
{
    struct endpoint_raw raw;
    int result;

    free(endpoint->whole);
    endpoint->whole = NULL;
    endpoint->unread = true;
    if (endpoint->next_lost <= endpoint->now && take_lost(endpoint, event))
        return 1;
    do {
        memset(&raw, 0, sizeof(raw));
        result = endpoint->driver->recv(endpoint, &raw);
    } while (result == 1 && !take(endpoint, &raw, event));
    endpoint->unread = result == 1;
    return result;
}

int64_t
endpoint_tick(struct endpoint *endpoint, int64_t now)
{
    endpoint->now = now;
    endpoint->driver->tick(endpoint, now);
    return endpoint_deadline(endpoint);
}

int64_t
endpoint_deadline(const struct endpoint *endpoint)
{
    int64_t next = endpoint->driver->deadline(endpoint);

    return next < endpoint->next_lost ? next : endpoint->next_lost;
}

/* ---- Sending ---- */

static int
message_check(const struct endpoint_message *message)
{
    if (message->length > ENDPOINT_MESSAGE_MAX)
        return LAZYCHAT_TOO_LARGE;
    if (message->length == 0 || message->stream >= ENDPOINT_STREAMS)
        return LAZYCHAT_INVALID;
    return LAZYCHAT_OK;
}

/* From now on everything for this association waits in the backlog, from its `next` on. */
static void
behind_begins(struct endpoint *endpoint, struct association *association)
{
    association->behind = true;
    endpoint->stats.behind++;
}

int
endpoint_send(struct endpoint *endpoint, uint32_t assoc, const struct endpoint_message *message)
{
    struct association *association = endpoint_find(endpoint, assoc);
    int result = message_check(message);

    if (result != LAZYCHAT_OK)
        return result;
    if (association == NULL || !association->up)
        return LAZYCHAT_GONE;
    endpoint_flush(endpoint); /* it must not overtake what was said to all, */
    if (association->behind)  /* nor what waits in the backlog */
        return LAZYCHAT_WOULD_BLOCK;
    result = endpoint->driver->send(endpoint, assoc, message, false);
    if (result == LAZYCHAT_OK)
        endpoint->stats.messages_out++;
    if (result == LAZYCHAT_WOULD_BLOCK) {
        association->next = endpoint->backlog.end;
        behind_begins(endpoint, association);
        agenda_begin(&endpoint->entry); /* its deadline may be another now */
    }
    return result;
}

/* As much as may be said to all in a turn before it is handed over all the same, so that what waits
 * for it is never dropped from the backlog. */
#define TURN_BYTES 262144

int
endpoint_sendall(struct endpoint *endpoint, const struct endpoint_message *message)
{
    size_t most = endpoint->backlog.max / 2 < TURN_BYTES ? endpoint->backlog.max / 2 : TURN_BYTES;
    int result = message_check(message);

    if (result != LAZYCHAT_OK || endpoint->up == 0)
        return result;
    if (endpoint->pending + message->length > most)
        endpoint_flush(endpoint);
    result = backlog_append(&endpoint->backlog, message);
    if (result != LAZYCHAT_OK)
        return result;
    endpoint->pending += message->length;
    agenda_begin(&endpoint->entry);
    return LAZYCHAT_OK;
}

/* By the driver's one call for all, as long as it can. */
static void
flush_at_once(struct endpoint *endpoint)
{
    while (endpoint->flushed < endpoint->backlog.end && endpoint->stats.behind == 0) {
        const struct endpoint_message *message = backlog_get(&endpoint->backlog, endpoint->flushed);

        if (endpoint->driver->sendall(endpoint, message) == LAZYCHAT_UNSUPPORTED)
            return;
        endpoint->flushed++;
        endpoint->stats.messages_out += endpoint->up;
    }
}

/* To one after the other, each everything up to `until`: what is for one peer shares its packets.
 */
static void
flush_one_by_one(struct endpoint *endpoint, uint64_t until, bool more)
{
    for (size_t i = 0; i < endpoint->count; i++) {
        struct association *association = endpoint->associations[i];

        if (!association->up || association->behind)
            continue;
        if (association->next < endpoint->flushed)
            association->next = endpoint->flushed;
        if (!hand_over(endpoint, association, until, more))
            behind_begins(endpoint, association);
    }
}

void
endpoint_flush(struct endpoint *endpoint)
{
    uint64_t end = endpoint->backlog.end;

    if (endpoint->flushed == end)
        return;
    if (endpoint->driver->sendall != NULL)
        flush_at_once(endpoint);
    /* All but the last message with the word that more follows, and then the last one to each: so
     * the stack is told twice in a turn, not twice for each peer. */
    if (end - endpoint->flushed > 1)
        flush_one_by_one(endpoint, end - 1, true);
    if (end > endpoint->flushed)
        flush_one_by_one(endpoint, end, false);
    endpoint->flushed = end;
    endpoint->pending = 0;
    if (endpoint->stats.behind == 0)
        backlog_clear(&endpoint->backlog, BACKLOG_KEEP);
}

/* ---- One out of many ---- */

struct endpoint *
endpoint_next(struct agenda *agenda, int64_t now)
{
    struct endpoint *endpoint = agenda_next(agenda, now);

    if (endpoint != NULL) {
        endpoint_tick(endpoint, now);
        endpoint->unread = true;
    }
    return endpoint;
}

void
endpoint_wake(struct endpoint *endpoint)
{
    agenda_wake(&endpoint->entry);
}

int64_t
endpoint_finish(struct agenda *agenda)
{
    struct endpoint *endpoint;

    while ((endpoint = agenda_begun(agenda)) != NULL) {
        endpoint_flush(endpoint);
        if (endpoint->unread)
            agenda_wake(&endpoint->entry);
        agenda_set_deadline(&endpoint->entry, endpoint_deadline(endpoint));
    }
    return agenda_deadline(agenda);
}

/* ---- Beginning and ending ---- */

int
endpoint_connect(struct endpoint *endpoint, const struct address *addresses, size_t count,
                 uint16_t port, uint32_t *assoc)
{
    int result = endpoint->driver->connect(endpoint, addresses, count, port, assoc);
    struct association *association;

    if (result != LAZYCHAT_OK)
        return result;
    association = association_add(endpoint, *assoc);
    if (association == NULL) {
        endpoint->driver->abort(endpoint, *assoc);
        return LAZYCHAT_NO_MEMORY;
    }
    association->address = addresses[0];
    agenda_begin(&endpoint->entry);
    return LAZYCHAT_OK;
}

int
endpoint_shutdown(struct endpoint *endpoint, uint32_t assoc)
{
    if (endpoint_find(endpoint, assoc) == NULL)
        return LAZYCHAT_GONE;
    endpoint_flush(endpoint);
    return endpoint->driver->shutdown(endpoint, assoc);
}

void
endpoint_abort(struct endpoint *endpoint, uint32_t assoc)
{
    struct association *association = endpoint_find(endpoint, assoc);

    if (association == NULL)
        return;
    endpoint->driver->abort(endpoint, assoc);
    association_remove(endpoint, association);
}

void
endpoint_shutdown_all(struct endpoint *endpoint)
{
    endpoint_flush(endpoint);
    for (size_t i = 0; i < endpoint->count; i++)
        endpoint->driver->shutdown(endpoint, endpoint->associations[i]->id);
}

void
endpoint_abort_all(struct endpoint *endpoint)
{
    while (endpoint->count > 0)
        endpoint_abort(endpoint, endpoint->associations[endpoint->count - 1]->id);
}

void *
endpoint_owner(const struct endpoint *endpoint)
{
    return endpoint->owner;
}

size_t
endpoint_associations(const struct endpoint *endpoint)
{
    return endpoint->up;
}

bool
endpoint_peer(const struct endpoint *endpoint, uint32_t assoc, struct address *address)
{
    const struct association *association = endpoint_find(endpoint, assoc);

    if (association == NULL)
        return false;
    *address = association->address;
    return true;
}

bool
endpoint_reachable(const struct endpoint *endpoint, uint32_t assoc)
{
    const struct association *association = endpoint_find(endpoint, assoc);

    return association != NULL && association->up && association->lost_at == ENDPOINT_NO_DEADLINE;
}

void
endpoint_stats(const struct endpoint *endpoint, struct endpoint_stats *stats)
{
    *stats = endpoint->stats;
    stats->backlog_bytes = endpoint->backlog.bytes;
    if (stats->sendall == NULL || stats->behind > 0)
        stats->sendall = "loop";
}

int
endpoint_fd(const struct endpoint *endpoint)
{
    return endpoint->fd;
}

void
endpoint_close(struct endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    endpoint_abort_all(endpoint);
    agenda_remove(&endpoint->entry);
    free(endpoint->associations);
    free(endpoint->whole);
    hash_free(&endpoint->by_id);
    backlog_free(&endpoint->backlog);
    endpoint->driver->close(endpoint);
}
