/* straggler.h: one in the lobby who stops listening, in a process of its own.
 *
 * Deaf, it does not read what comes: its receive window closes, its stack goes on acknowledging, as
 * when a program hangs in something else. Stopped (SIGSTOP), it does not even acknowledge, as when
 * ^Z is typed or a laptop sleeps. Afterwards it reads again, and asks for what it missed.
 */
#ifndef STRAGGLER_H
#define STRAGGLER_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum straggler_kind { STRAGGLER_NONE, STRAGGLER_DEAF, STRAGGLER_STOPPED };

struct straggler {
    enum straggler_kind kind;
    pid_t pid;
    int fd;
};

/* What became of it. */
struct straggler_report {
    double caught_up_ms;                 /* from when it could read again; < 0: it did not */
    uint64_t live, healed, heads, twice; /* numbers that came by themselves, and by batches */
    bool lost;                           /* its association ended */
};

/* Before the caller has a crowd. Returns when it has joined; false with a line on stderr. */
bool straggler_start(struct straggler *straggler, enum straggler_kind kind,
                     const struct address *server);

/* It stops listening, from now on. */
void straggler_stall(const struct straggler *straggler);

/* It listens again; to be caught up with all numbers up to `head`. */
void straggler_resume(const struct straggler *straggler, int64_t head);

/* True with a report once it has all up to `head`, or when it gave up. Does not wait. */
bool straggler_done(const struct straggler *straggler, struct straggler_report *report);

/* The last word: it must have all up to `head` in a moment, and ends. */
bool straggler_end(struct straggler *straggler, int64_t head, struct straggler_report *report);

#endif
