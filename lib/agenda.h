/* agenda.h: of many endpoints, those that have something to do in this turn.
 *
 * A server with a thousand rooms has as many endpoints and more, most of them with nobody in. An
 * endpoint that is opened with an agenda (endpoint_config) puts itself on it when packets or timers
 * made events for it, when its deadline is reached, and when it said something. So a turn costs
 * what happens in it, not what is open.
 * Owns lists of entries; each lies in its endpoint. Must not know what an endpoint is, nor do what
 * is to be done: endpoint_next and endpoint_finish (endpoint.h) do.
 */
#ifndef AGENDA_H
#define AGENDA_H

#include <stdbool.h>
#include <stdint.h>

struct endpoint;
struct agenda;

/* A place in a list without end; `next` is NULL while it is in none. */
struct agenda_link {
    struct agenda_link *prev, *next;
};

struct agenda_entry {
    struct agenda *agenda; /* NULL: none, and then what follows is idle */
    struct endpoint *endpoint;
    int64_t deadline;
    struct agenda_link ready, begun, timed;
};

struct agenda {
    struct agenda_link ready; /* have something to do; first come, first served */
    struct agenda_link begun; /* did or said something in this turn, and must be finished */
    struct agenda_link timed; /* have a deadline */
    int64_t earliest;         /* no deadline is before this one */
};

/* It must stay where it is. */
void agenda_init(struct agenda *agenda);

/* An endpoint's entry; `agenda` NULL: the functions below do nothing with it. */
void agenda_add(struct agenda *agenda, struct agenda_entry *entry, struct endpoint *endpoint);
void agenda_remove(struct agenda_entry *entry);

/* There may be something to read: agenda_next will give it. */
void agenda_wake(struct agenda_entry *entry);

/* It did something outside its turn: agenda_begun will give it. */
void agenda_begin(struct agenda_entry *entry);

/* When it is to be woken, if nothing does so before; INT64_MAX: never. */
void agenda_set_deadline(struct agenda_entry *entry, int64_t deadline);

/* The next one that has something to do, each once; it has begun. NULL: no more. */
struct endpoint *agenda_next(struct agenda *agenda, int64_t now);

/* The next one of those that have begun, each once; NULL: no more. */
struct endpoint *agenda_begun(struct agenda *agenda);

/* When agenda_next has something again at the latest: INT64_MIN when it has now, INT64_MAX for
 * never. */
int64_t agenda_deadline(const struct agenda *agenda);

#endif
