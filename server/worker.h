/* worker.h: a thread with a queue of jobs, and the outbox where such threads put what is done.
 *
 * Owns threads, queues and the waiting. Must not know what a job is: it is linked by its first
 * member. The threads take no signals.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job {
    struct job *next;
};

/* Jobs in their order; all zero is an empty one. For one thread. */
struct job_queue {
    struct job *first, *last;
    size_t count;
};

void job_push(struct job_queue *queue, struct job *job);
struct job *job_pop(struct job_queue *queue); /* NULL: empty */
/* All of `from` behind `to`; `from` is empty then. */
void job_move(struct job_queue *to, struct job_queue *from);

/* ---- The outbox: any thread puts, one thread takes. ---- */

struct outbox;

int outbox_create(struct outbox **outbox);
void outbox_destroy(struct outbox *outbox); /* NULL is fine; what is in it is not freed */

/* Readable from the first thing put in until outbox_take said NULL. */
int outbox_fd(const struct outbox *outbox);

/* Takes all of `jobs` over. */
void outbox_put(struct outbox *outbox, struct job_queue *jobs);

/* The oldest one, or NULL. */
struct job *outbox_take(struct outbox *outbox);

/* ---- The thread ---- */

struct worker;

/* Gets what is queued, perhaps nothing, and takes all of it over. Returns after how many
 * milliseconds it wants to be called even if nothing is queued; -1: it does not. */
typedef int64_t worker_function(void *context, struct job_queue *jobs);

/* `name`: for ps and top, at most 15 bytes. LAZYCHAT_OK or an error. */
int worker_start(struct worker **worker, const char *name, worker_function *work, void *context);

/* Takes all of `jobs` over. */
void worker_give(struct worker *worker, struct job_queue *jobs);

/* Have `work` called soon though nothing is queued. Any thread may. */
void worker_wake(struct worker *worker);

/* Does the rest of the queue and ends the thread. What is given to it later stays in the queue.
 * Work that takes long may ask whether it is to stop. NULL is fine. */
void worker_stop(struct worker *worker);
bool worker_stopping(const struct worker *worker);

/* After worker_stop; *rest: what is still in the queue. NULL is fine. */
void worker_destroy(struct worker *worker, struct job_queue *rest);

#endif
