/* sequence.c: what is seen, held and missing. */
#include "sequence.h"

#include <stdlib.h>
#include <string.h>

#define SLOT sizeof(void *) /* of `held` */

void
sequence_init(struct sequence *sequence)
{
    memset(sequence, 0, sizeof(*sequence));
}

static void
remove_held(struct sequence *sequence, size_t from, size_t to)
{
    size_t after = sequence->held_count - to;

    for (size_t i = from; i < to; i++)
        sequence->held_bytes -= sequence->held[i] != NULL ? sequence->held[i]->length : 0;
    if (after > 0)
        memmove(sequence->held + from, sequence->held + to, after * SLOT);
    sequence->held_count -= to - from;
}

static void
free_held(struct sequence *sequence, size_t from, size_t to)
{
    struct sequence_entry **held = sequence->held;

    for (size_t i = from; i < to; i++) {
        sequence->held_bytes -= held[i]->length;
        free(held[i]);
        held[i] = NULL;
    }
    remove_held(sequence, from, to);
}

void
sequence_free(struct sequence *sequence)
{
    free_held(sequence, 0, sequence->held_count);
    free(sequence->held);
    sequence_init(sequence);
}

void
sequence_anchor(struct sequence *sequence, int64_t seen)
{
    sequence->anchored = true;
    sequence->seen = seen;
    sequence->head = sequence->head > seen ? sequence->head : seen;
    sequence->folded_count = 0;
}

void
sequence_head(struct sequence *sequence, int64_t head, int64_t first)
{
    if (head > sequence->head)
        sequence->head = head;
    if (sequence->anchored && first <= sequence->head + 1 && sequence->seen < first - 1)
        sequence->seen = first - 1;
}

bool
sequence_next(struct sequence *sequence, int64_t seq)
{
    if (!sequence->anchored || seq != sequence->seen + 1)
        return false;
    sequence->seen = seq;
    return true;
}

/* ---- Held ---- */

/* The first held entry that ends at `seq` or later. */
static size_t
find(const struct sequence *sequence, int64_t seq)
{
    size_t low = 0, high = sequence->held_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sequence->held[middle]->last < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
has_room(const struct sequence *sequence, size_t length)
{
    return sequence->held_count < SEQUENCE_HELD_MAX &&
           sequence->held_bytes + length <= SEQUENCE_BYTES_MAX;
}

static bool
grow(struct sequence *sequence)
{
    size_t size = sequence->held_size > 0 ? sequence->held_size * 2 : 16;
    struct sequence_entry **held;

    if (sequence->held_count < sequence->held_size)
        return true;
    held = realloc(sequence->held, size * SLOT);
    if (held == NULL)
        return false;
    sequence->held = held;
    sequence->held_size = size;
    return true;
}

/* Nothing held lies between first and last. Without memory it is as if it had not come. */
static void
insert(struct sequence *sequence, int64_t first, int64_t last, bool old, const void *bytes,
       size_t length)
{
    struct sequence_entry *entry = malloc(sizeof(*entry) + length + 1);
    size_t at = find(sequence, first);

    if (entry == NULL || !grow(sequence)) {
        free(entry);
        return;
    }
    entry->first = first;
    entry->last = last;
    entry->old = old;
    entry->length = length;
    if (length > 0)
        memcpy(entry->bytes, bytes, length);
    entry->bytes[length] = '\0';
    memmove(sequence->held + at + 1, sequence->held + at, (sequence->held_count - at) * SLOT);
    sequence->held[at] = entry;
    sequence->held_count++;
    sequence->held_bytes += length;
}

void
sequence_hold(struct sequence *sequence, int64_t seq, const void *bytes, size_t length)
{
    size_t at = find(sequence, seq);

    if (seq > sequence->head)
        sequence->head = seq;
    if (sequence->anchored && seq <= sequence->seen)
        return;
    if (at < sequence->held_count && sequence->held[at]->first <= seq)
        return;
    if (has_room(sequence, length))
        insert(sequence, seq, seq, false, bytes, length);
}

struct sequence_entry *
sequence_pop(struct sequence *sequence)
{
    while (sequence->anchored && sequence->held_count > 0) {
        struct sequence_entry *entry = sequence->held[0];

        if (entry->first > sequence->seen + 1)
            return NULL;
        remove_held(sequence, 0, 1);
        if (entry->last > sequence->seen) {
            sequence->seen = entry->last;
            if (entry->length > 0)
                return entry;
        }
        free(entry);
    }
    return NULL;
}

/* ---- Batches ---- */

bool
sequence_answered(struct sequence *sequence, int64_t from, int64_t until, int64_t now)
{
    for (size_t i = 0; i < sequence->request_count; i++) {
        bool last = sequence->requests[i].since == SEQUENCE_LAST;

        if (!last && sequence->requests[i].since + 1 != from)
            continue;
        sequence->request_count--;
        memmove(sequence->requests + i, sequence->requests + i + 1,
                (sequence->request_count - i) * sizeof(sequence->requests[0]));
        if (last && !sequence->anchored)
            sequence_anchor(sequence, from - 1);
        if (until < from || until > sequence->head)
            sequence->pause = now + SEQUENCE_PAUSE;
        return true;
    }
    return false;
}

/* What is held reaches into from..until: that part of it goes, and with it the message, which a
 * later batch knows better. */
static void
trim(struct sequence *sequence, int64_t from, int64_t until)
{
    size_t at = find(sequence, from);
    struct sequence_entry *entry = at < sequence->held_count ? sequence->held[at] : NULL;

    if (entry != NULL && entry->first < from) {
        int64_t first = entry->first;

        if (entry->last > until)
            entry->first = until + 1;
        else
            free_held(sequence, at, at + 1);
        insert(sequence, first, from - 1, true, NULL, 0);
    }
    at = find(sequence, until + 1);
    if (at < sequence->held_count && sequence->held[at]->first <= until)
        sequence->held[at]->first = until + 1;
    free_held(sequence, find(sequence, from), at);
}

bool
sequence_takes(const struct sequence *sequence, int64_t from, size_t count, size_t length)
{
    return from <= sequence->seen + 1 || (sequence->held_count + count + 1 <= SEQUENCE_HELD_MAX &&
                                          sequence->held_bytes + length <= SEQUENCE_BYTES_MAX);
}

bool
sequence_cover(struct sequence *sequence, int64_t *from, int64_t until)
{
    if (*from <= sequence->seen)
        *from = sequence->seen + 1;
    if (!sequence->anchored || until < *from || until > sequence->head)
        return false;
    trim(sequence, *from, until);
    return true;
}

void
sequence_put(struct sequence *sequence, int64_t first, int64_t last, const void *bytes,
             size_t length)
{
    if (first <= last)
        insert(sequence, first, last, true, bytes, length);
}

void
sequence_change(struct sequence *sequence, int64_t seq, const void *bytes, size_t length)
{
    size_t at = find(sequence, seq);
    int64_t first = seq;

    if (at < sequence->held_count && sequence->held[at]->first <= seq) {
        if (sequence->held[at]->last != seq || sequence->held[at]->length == 0)
            return;
        first = sequence->held[at]->first;
        free_held(sequence, at, at + 1);
    }
    insert(sequence, first, seq, true, bytes, length);
}

/* ---- Asking ---- */

static int64_t
min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The request that covers `seq`, or NULL. */
static const struct sequence_request *
asked_for(const struct sequence *sequence, int64_t seq)
{
    for (size_t i = 0; i < sequence->request_count; i++)
        if (sequence->requests[i].since < seq && seq <= sequence->requests[i].until)
            return &sequence->requests[i];
    return NULL;
}

/* The first hole that nobody was asked for. */
static bool
find_hole(const struct sequence *sequence, int64_t *from, int64_t *until)
{
    int64_t at = sequence->seen + 1;

    while (at <= sequence->head) {
        const struct sequence_request *request = asked_for(sequence, at);
        size_t next = find(sequence, at);
        bool held = next < sequence->held_count;

        if (request != NULL) {
            at = request->until + 1;
        } else if (held && sequence->held[next]->first <= at) {
            at = sequence->held[next]->last + 1;
        } else {
            *from = at;
            *until = min(sequence->head, at + SEQUENCE_SPAN - 1);
            if (held)
                *until = min(*until, sequence->held[next]->first - 1);
            for (size_t i = 0; i < sequence->request_count; i++)
                if (sequence->requests[i].since >= at)
                    *until = min(*until, sequence->requests[i].since);
            return true;
        }
    }
    return false;
}

static void
expire(struct sequence *sequence, int64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < sequence->request_count; i++)
        if (now - sequence->requests[i].at < SEQUENCE_PATIENCE)
            sequence->requests[kept++] = sequence->requests[i];
    sequence->request_count = kept;
}

bool
sequence_want(struct sequence *sequence, int64_t now, size_t slots,
              struct sequence_request *request)
{
    int64_t from, until;

    expire(sequence, now);
    if (!sequence->anchored || now < sequence->pause || sequence->request_count >= slots ||
        sequence->request_count >= SEQUENCE_REQUESTS || !find_hole(sequence, &from, &until))
        return false;
    if (!sequence_takes(sequence, from, (size_t)SEQUENCE_REQUESTS * SEQUENCE_SPAN,
                        SEQUENCE_BYTES_MAX / 8))
        return false;
    sequence_asked(sequence, from - 1, until, now);
    *request = sequence->requests[sequence->request_count - 1];
    return true;
}

void
sequence_asked(struct sequence *sequence, int64_t since, int64_t until, int64_t now)
{
    if (sequence->request_count < SEQUENCE_REQUESTS)
        sequence->requests[sequence->request_count++] =
            (struct sequence_request){.since = since, .until = until, .at = now};
}

void
sequence_forget_requests(struct sequence *sequence, int64_t now, int64_t pause)
{
    sequence->request_count = 0;
    if (now + pause > sequence->pause)
        sequence->pause = now + pause;
}

void
sequence_reconnect(struct sequence *sequence)
{
    free_held(sequence, 0, sequence->held_count);
    sequence->request_count = 0;
    sequence->pause = 0;
}

int64_t
sequence_deadline(const struct sequence *sequence)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; i < sequence->request_count; i++)
        due = min(due, sequence->requests[i].at + SEQUENCE_PATIENCE);
    if (sequence->anchored && sequence->seen < sequence->head && sequence->pause > 0)
        due = min(due, sequence->pause);
    return due;
}

/* ---- Folded ---- */

void
sequence_fold(struct sequence *sequence, int64_t target, int64_t changed)
{
    size_t kept = 0;

    for (size_t i = 0; i < sequence->folded_count; i++)
        if (sequence->folded[i].changed > sequence->seen && sequence->folded[i].target != target)
            sequence->folded[kept++] = sequence->folded[i];
    if (changed > sequence->seen && kept < SEQUENCE_FOLDED_MAX)
        sequence->folded[kept++] = (struct sequence_folded){target, changed};
    sequence->folded_count = kept;
}

bool
sequence_applied(const struct sequence *sequence, int64_t target, int64_t seq)
{
    for (size_t i = 0; i < sequence->folded_count; i++)
        if (sequence->folded[i].target == target)
            return seq <= sequence->folded[i].changed;
    return false;
}
