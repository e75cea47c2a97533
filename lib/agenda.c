/* agenda.c: three lists of entries.
 *
 * Deadlines lie in no order. They are walked when the earliest is reached, not each turn; a
 * deadline that was put off leaves `earliest` too early, and costs one walk that finds nothing.
 */
#include "agenda.h"

#include <stddef.h>

#define entry_of(link, member)                                                                     \
    ((struct agenda_entry *)(void *)((char *)(link)-offsetof(struct agenda_entry, member)))

static bool
linked(const struct agenda_link *link)
{
    return link->next != NULL;
}

static void
append(struct agenda_link *list, struct agenda_link *link)
{
    if (linked(link))
        return;
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

static void
take_out(struct agenda_link *link)
{
    if (!linked(link))
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

static bool
is_empty(const struct agenda_link *list)
{
    return list->next == list;
}

void
agenda_init(struct agenda *agenda)
{
    agenda->ready = (struct agenda_link){&agenda->ready, &agenda->ready};
    agenda->begun = (struct agenda_link){&agenda->begun, &agenda->begun};
    agenda->timed = (struct agenda_link){&agenda->timed, &agenda->timed};
    agenda->earliest = INT64_MAX;
}

void
agenda_add(struct agenda *agenda, struct agenda_entry *entry, struct endpoint *endpoint)
{
    *entry = (struct agenda_entry){.agenda = agenda, .endpoint = endpoint, .deadline = INT64_MAX};
}

void
agenda_remove(struct agenda_entry *entry)
{
    take_out(&entry->ready);
    take_out(&entry->begun);
    take_out(&entry->timed);
    entry->agenda = NULL;
}

void
agenda_wake(struct agenda_entry *entry)
{
    if (entry->agenda != NULL)
        append(&entry->agenda->ready, &entry->ready);
}

void
agenda_begin(struct agenda_entry *entry)
{
    if (entry->agenda != NULL)
        append(&entry->agenda->begun, &entry->begun);
}

void
agenda_set_deadline(struct agenda_entry *entry, int64_t deadline)
{
    struct agenda *agenda = entry->agenda;

    if (agenda == NULL)
        return;
    entry->deadline = deadline;
    if (deadline == INT64_MAX) {
        take_out(&entry->timed);
        return;
    }
    append(&agenda->timed, &entry->timed);
    if (deadline < agenda->earliest)
        agenda->earliest = deadline;
}

/* Those whose time has come are ready. Their deadline stays until they say a new one, and does not
 * count meanwhile. */
static void
wake_due(struct agenda *agenda, int64_t now)
{
    agenda->earliest = INT64_MAX;
    for (struct agenda_link *link = agenda->timed.next; link != &agenda->timed; link = link->next) {
        struct agenda_entry *entry = entry_of(link, timed);

        if (entry->deadline <= now)
            agenda_wake(entry);
        else if (entry->deadline < agenda->earliest)
            agenda->earliest = entry->deadline;
    }
}

struct endpoint *
agenda_next(struct agenda *agenda, int64_t now)
{
    struct agenda_entry *entry;

    if (agenda->earliest <= now)
        wake_due(agenda, now);
    if (is_empty(&agenda->ready))
        return NULL;
    entry = entry_of(agenda->ready.next, ready);
    take_out(&entry->ready);
    agenda_begin(entry);
    return entry->endpoint;
}

struct endpoint *
agenda_begun(struct agenda *agenda)
{
    struct agenda_entry *entry;

    if (is_empty(&agenda->begun))
        return NULL;
    entry = entry_of(agenda->begun.next, begun);
    take_out(&entry->begun);
    return entry->endpoint;
}

int64_t
agenda_deadline(const struct agenda *agenda)
{
    return is_empty(&agenda->ready) ? agenda->earliest : INT64_MIN;
}
