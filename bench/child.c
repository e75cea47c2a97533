/* child.c: fork, and a result through a pipe. */
#include "child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

bool
child_run(bool (*run)(void *user, void *result), void *user, void *result, size_t size,
          int64_t timeout_ms)
{
    pid_t parent = getpid(), pid;
    struct pollfd fd;
    int ends[2];
    bool good;

    fflush(stdout);
    if (pipe(ends) != 0 || (pid = fork()) < 0) {
        perror("bench");
        return false;
    }
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(EXIT_FAILURE);
        close(ends[0]);
        good = run(user, result) && write(ends[1], result, size) == (ssize_t)size;
        _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(ends[1]);
    fd = (struct pollfd){.fd = ends[0], .events = POLLIN};
    good = poll(&fd, 1, (int)timeout_ms) == 1 && read(ends[0], result, size) == (ssize_t)size;
    close(ends[0]);
    if (!good)
        kill(pid, SIGKILL); /* and its server with it */
    waitpid(pid, NULL, 0);
    return good;
}
