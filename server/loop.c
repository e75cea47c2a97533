/* loop.c: epoll and signals. */
#include "loop.h"

#include "clock.h"
#include "error.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS 16

struct loop {
    int epoll;
    int signals;
    struct epoll_event events[EVENTS]; /* the first `count`, of which `given` were asked for */
    int count, given;
};

/* The signals' tag is NULL. */
static int
watch(struct loop *loop, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};

    if (fd < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return LAZYCHAT_OK;
    return error_from_errno(errno);
}

int
loop_create(struct loop **result)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    sigset_t set;

    if (loop == NULL)
        return LAZYCHAT_NO_MEMORY;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->signals < 0 || loop->epoll < 0 || watch(loop, loop->signals, NULL) != LAZYCHAT_OK) {
        int error = error_from_errno(errno);

        loop_destroy(loop);
        return error;
    }
    *result = loop;
    return LAZYCHAT_OK;
}

void
loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->signals >= 0)
        close(loop->signals);
    free(loop);
}

int
loop_watch(struct loop *loop, int fd, void *tag)
{
    return watch(loop, fd, tag);
}

int
loop_wait(struct loop *loop, int64_t deadline)
{
    struct signalfd_siginfo info;
    int64_t now = clock_ms(), wait = 0; /* a deadline may be INT64_MIN: there is something to do */

    if (deadline == INT64_MAX)
        wait = -1;
    else if (deadline > now)
        wait = deadline - now;
    loop->count =
        epoll_wait(loop->epoll, loop->events, EVENTS, wait > INT_MAX ? INT_MAX : (int)wait);
    loop->given = 0;
    if (read(loop->signals, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

void *
loop_ready(struct loop *loop)
{
    while (loop->given < loop->count) {
        void *tag = loop->events[loop->given++].data.ptr;

        if (tag != NULL)
            return tag;
    }
    return NULL;
}
