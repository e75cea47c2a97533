/* worker.c: threads by pthreads, their answers by an eventfd. */
#include "worker.h"

#include "lazychat.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

void
job_push(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->first == NULL)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
    queue->count++;
}

struct job *
job_pop(struct job_queue *queue)
{
    struct job *job = queue->first;

    if (job == NULL)
        return NULL;
    queue->first = job->next;
    queue->count--;
    return job;
}

void
job_move(struct job_queue *to, struct job_queue *from)
{
    if (from->first == NULL)
        return;
    if (to->first == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct job_queue){0};
}

/* ---- The outbox ---- */

struct outbox {
    pthread_mutex_t lock; /* for `put` and the eventfd's value */
    struct job_queue put, taken;
    int fd;
};

int
outbox_create(struct outbox **result)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));

    if (outbox == NULL)
        return LAZYCHAT_NO_MEMORY;
    outbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (outbox->fd < 0) {
        free(outbox);
        return LAZYCHAT_SYSTEM;
    }
    pthread_mutex_init(&outbox->lock, NULL);
    *result = outbox;
    return LAZYCHAT_OK;
}

void
outbox_destroy(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_destroy(&outbox->lock);
    close(outbox->fd);
    free(outbox);
}

int
outbox_fd(const struct outbox *outbox)
{
    return outbox->fd;
}

void
outbox_put(struct outbox *outbox, struct job_queue *jobs)
{
    if (jobs->first == NULL)
        return;
    pthread_mutex_lock(&outbox->lock);
    job_move(&outbox->put, jobs);
    (void)eventfd_write(outbox->fd, 1);
    pthread_mutex_unlock(&outbox->lock);
}

struct job *
outbox_take(struct outbox *outbox)
{
    eventfd_t value;

    if (outbox->taken.first == NULL) {
        pthread_mutex_lock(&outbox->lock);
        job_move(&outbox->taken, &outbox->put);
        if (outbox->taken.first == NULL)
            (void)eventfd_read(outbox->fd, &value);
        pthread_mutex_unlock(&outbox->lock);
    }
    return job_pop(&outbox->taken);
}

/* ---- The thread ---- */

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct job_queue queue;
    bool woken;
    atomic_bool stopping;
    worker_function *work;
    void *context;
};

/* Until something is to be done, or `wait` ms are over. The caller holds the lock. */
static void
wait_for_news(struct worker *worker, int64_t wait)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait / 1000;
    until.tv_nsec += wait % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (worker->queue.first == NULL && !worker->woken && !worker->stopping)
        if (wait < 0)
            pthread_cond_wait(&worker->news, &worker->lock);
        else if (pthread_cond_timedwait(&worker->news, &worker->lock, &until) != 0)
            return;
}

static void *
run(void *argument)
{
    struct worker *worker = argument;
    int64_t wait = 0;

    for (;;) {
        struct job_queue jobs = {0};

        pthread_mutex_lock(&worker->lock);
        wait_for_news(worker, wait);
        worker->woken = false;
        job_move(&jobs, &worker->queue);
        pthread_mutex_unlock(&worker->lock);
        if (jobs.first == NULL && worker->stopping)
            return NULL;
        wait = worker->work(worker->context, &jobs);
    }
}

static int
start_thread(struct worker *worker, const char *name)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return LAZYCHAT_SYSTEM;
    pthread_setname_np(worker->thread, name);
    return LAZYCHAT_OK;
}

static void
destroy(struct worker *worker)
{
    pthread_cond_destroy(&worker->news);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

int
worker_start(struct worker **result, const char *name, worker_function *work, void *context)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    pthread_condattr_t monotonic;
    int error;

    if (worker == NULL)
        return LAZYCHAT_NO_MEMORY;
    worker->work = work;
    worker->context = context;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *result = worker; /* before it runs: it may be asked about by its own work */
    error = start_thread(worker, name);
    if (error != LAZYCHAT_OK) {
        *result = NULL;
        destroy(worker);
    }
    return error;
}

void
worker_give(struct worker *worker, struct job_queue *jobs)
{
    if (jobs->first == NULL)
        return;
    pthread_mutex_lock(&worker->lock);
    job_move(&worker->queue, jobs);
    pthread_cond_signal(&worker->news);
    pthread_mutex_unlock(&worker->lock);
}

void
worker_wake(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->woken = true;
    pthread_cond_signal(&worker->news);
    pthread_mutex_unlock(&worker->lock);
}

void
worker_stop(struct worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->news);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
}

void
worker_destroy(struct worker *worker, struct job_queue *rest)
{
    if (worker == NULL)
        return;
    job_move(rest, &worker->queue);
    destroy(worker);
}

bool
worker_stopping(const struct worker *worker)
{
    return worker->stopping;
}
