/* session.h: being in a chat from a terminal or a pipe: until when, and with which exit status.
 *
 * Owns the library's client, standard input, the signals and the exit status. Must not know what is
 * said nor how it is shown: line.c and json.c do.
 *
 * In a pipe it is over when the input has ended, everything that was said is acknowledged and what
 * was asked is answered. A server that cannot be reached at all is given up after SESSION_REACH_MS;
 * one that is lost later is waited for, as long as there is input, and SESSION_PATIENCE_MS after
 * it.
 */
#ifndef SESSION_H
#define SESSION_H

#include "input.h"
#include "lazychat.h"

#define SESSION_REACH_MS    10000
#define SESSION_PATIENCE_MS 60000 /* without any progress */
#define SESSION_SETTLE_MS   10000 /* for history that was asked for */
#define SESSION_RAW_MS      1000
#define SESSION_UNSENT      256 /* no more input is read while so much is unsent */

struct session {
    struct lazychat *chat;
    struct lazychat_room *room; /* the first one */
    const char *where;          /* HOST or HOST/ROOM */
    char host[256];
    const char *store; /* where the unsent is kept; NULL: nowhere */
    struct input input;
    int signals;
    int stopped; /* which signal came */
    bool input_ready;
    bool holding; /* a line was taken and not done yet */
    bool raw;
    bool person; /* one who leaves by saying so: nothing is given up */
    bool was_in;
    bool not_said;        /* something was refused */
    bool leaving;         /* asked to */
    int64_t now;          /* ms, of this turn */
    int64_t begun;        /* when it was opened */
    int64_t ended;        /* when it was to end: the input's end; 0: not yet */
    int64_t progress;     /* when something last came or went */
    size_t unsent;        /* then */
    int64_t head;         /* the latest number at the time of joining */
    int64_t seen;         /* the latest one that was shown */
    int64_t sent;         /* the latest one of one's own */
    size_t questions;     /* of lazychat_history by the user of the session, not answered yet */
    size_t others;        /* other questions, which the server may answer in another order */
    bool asked, answered; /* a question of the session's own */
    int64_t asked_at;     /* `seen` then */
    char why[600];        /* it was lost */
};

/* Opens the client in the room, with config->user and its callbacks. LAZYCHAT_IN_USE: another
 * program has the store; then it goes on without. False: *status is the exit status, and stderr has
 * why. */
bool session_open(struct session *session, struct lazychat_config *config, const char *where,
                  const int *signals, int *status);
void session_close(struct session *session);

/* What callbacks of the room get goes through here. Returns true for the answer to a question of
 * the session's own, which nobody else wants to see. */
bool session_event(struct session *session, const struct lazychat_room *room,
                   const struct lazychat_event *event);
void session_message(struct session *session, const struct lazychat_room *room, int64_t seq);

/* Leaves a room; if it was the session's, `other` is from now on. */
void session_leave(struct session *session, struct lazychat_room *room,
                   struct lazychat_room *other);

/* Whether to read more of the input. */
bool session_wants_input(const struct session *session);

/* Waits for the server, the input (if wanted) or a signal, and takes a turn. Then `input_ready`
 * says whether there is input. Returns a signal that is none that ends it, or 0. */
int session_turn(struct session *session, bool wants_input);

/* Is it over? Then *status is set, and stderr has what there is to say. `broken`: the errno of
 * writing what is shown, or 0. */
bool session_over(struct session *session, int broken, int *status);

/* Says on stderr what becomes of that which is not acknowledged, if there is any. */
void session_say_unsent(const struct session *session);

#endif
