/* sequence.h: the numbered messages of one room, brought into order.
 *
 * Everything numbered is handed over once and in the order of its numbers: what comes too early is
 * held, what is missing is asked for, what comes twice is dropped. A batch stands for all numbers
 * that it covers, because it tells what became of them; so it replaces what was held of these.
 * Owns: up to where all is known, what is held (bounded: the log has the rest), what was asked for.
 * Must not know what a message says, nor how it came. No I/O; the time is a parameter.
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQUENCE_HELD_MAX   1000
#define SEQUENCE_BYTES_MAX  (4u << 20)
#define SEQUENCE_REQUESTS   4     /* the server takes no more at once */
#define SEQUENCE_SPAN       100   /* numbers in one request: about what fits into a batch */
#define SEQUENCE_PATIENCE   10000 /* ms for an answer */
#define SEQUENCE_PAUSE      5000  /* ms after an answer that did not help */
#define SEQUENCE_FOLDED_MAX 256
#define SEQUENCE_LAST       (-1) /* `since` of a request for the latest ones */

/* Numbers first to last: one message, which has the number `last`, and nothing before it; or
 * nothing at all. */
struct sequence_entry {
    int64_t first, last;
    bool old;      /* of a batch */
    size_t length; /* 0: nothing */
    char bytes[];
};

struct sequence_request {
    int64_t since, until, at;
};

/* A message that was handed over with changes in it whose own numbers are still to come. */
struct sequence_folded {
    int64_t target, changed;
};

struct sequence {
    bool anchored; /* it is known where to begin */
    int64_t seen;  /* everything up to here was handed over, or is gone */
    int64_t head;  /* the highest number heard of */
    struct sequence_entry **held;
    size_t held_count, held_size, held_bytes;
    struct sequence_request requests[SEQUENCE_REQUESTS];
    size_t request_count;
    int64_t pause; /* nothing is asked for until then */
    struct sequence_folded folded[SEQUENCE_FOLDED_MAX];
    size_t folded_count;
};

/* Nothing is known. */
void sequence_init(struct sequence *sequence);
void sequence_free(struct sequence *sequence);

/* From here on everything after `seen` is wanted. What is held stays. */
void sequence_anchor(struct sequence *sequence, int64_t seen);

/* The log has a number `head`, and nothing before `first`. */
void sequence_head(struct sequence *sequence, int64_t head, int64_t first);

/* A live message is the next one: hand it over, the number counts as seen. */
bool sequence_next(struct sequence *sequence, int64_t seq);

/* It came too early (or, before the anchor, at all): keep it. What is not held, because it was seen
 * or there is too much, needs nothing: it is asked for in time. */
void sequence_hold(struct sequence *sequence, int64_t seq, const void *bytes, size_t length);

/* A batch of these numbers came: the request that it answers is done, and it may be the one that
 * says where to begin. False: none asked for just this; it may be an answer that nobody waited for
 * any more, and its numbers are as good as any. */
bool sequence_answered(struct sequence *sequence, int64_t from, int64_t until, int64_t now);

/* Whether there is room for a batch of `count` messages, `length` bytes of JSON, that begins there.
 * One that is ahead of its time must be taken whole or not at all. */
bool sequence_takes(const struct sequence *sequence, int64_t from, size_t count, size_t length);

/* Makes room for what a batch tells, and leaves out of the range what was seen; false when nothing
 * is new in it. Then come its entries by sequence_put, in order, without a gap, up to `until`;
 * `length` 0: there is nothing. */
bool sequence_cover(struct sequence *sequence, int64_t *from, int64_t until);
void sequence_put(struct sequence *sequence, int64_t first, int64_t last, const void *bytes,
                  size_t length);

/* A message that is not told yet has changed: a batch of later numbers tells how it is now. That
 * counts, even if the message as it was is still on its way. */
void sequence_change(struct sequence *sequence, int64_t seq, const void *bytes, size_t length);

/* The next one in order, to be freed by the caller, or NULL: none is due. Its number counts as
 * seen. */
struct sequence_entry *sequence_pop(struct sequence *sequence);

/* What to ask for now, if anything; it counts as asked. `slots`: how many requests the server takes
 * at present. */
bool sequence_want(struct sequence *sequence, int64_t now, size_t slots,
                   struct sequence_request *request);

/* Something was asked for in another way: by joining. */
void sequence_asked(struct sequence *sequence, int64_t since, int64_t until, int64_t now);

/* No answer will come to what was asked; after `pause` ms it is asked again. */
void sequence_forget_requests(struct sequence *sequence, int64_t now, int64_t pause);

/* A new association: what was held and asked is void. */
void sequence_reconnect(struct sequence *sequence);

/* When sequence_want may have something without anything else happening; INT64_MAX: never. */
int64_t sequence_deadline(const struct sequence *sequence);

/* A message that is handed over has the changes up to `changed` in it. */
void sequence_fold(struct sequence *sequence, int64_t target, int64_t changed);

/* Whether the change `seq` of `target` was in the message already when that was handed over. */
bool sequence_applied(const struct sequence *sequence, int64_t target, int64_t seq);

#endif
