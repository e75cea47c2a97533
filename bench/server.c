/* server.c: a child process and its CPU time. */
#include "server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_MS 3000

pid_t
server_start(char *const argv[], int64_t timeout_ms)
{
    int out[2];
    pid_t pid, parent = getpid();
    struct pollfd fd;
    char byte;

    if (pipe(out) != 0 || (pid = fork()) < 0) {
        perror("fanout");
        return -1;
    }
    if (pid == 0) {
        /* With its parent, however that ends. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(127);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execvp(argv[0], argv);
        fprintf(stderr, "fanout: cannot run %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    close(out[1]);
    fd = (struct pollfd){.fd = out[0], .events = POLLIN};
    if (poll(&fd, 1, (int)timeout_ms) == 1 && read(out[0], &byte, 1) == 1)
        return pid; /* the pipe stays open: what else it says must not kill it */
    fprintf(stderr, "fanout: %s did not start\n", argv[0]);
    server_stop(pid);
    close(out[0]);
    return -1;
}

/* /proc/PID/schedstat knows nanoseconds where stat knows ticks, but of one thread each. */
int64_t
server_cpu_ns(pid_t pid)
{
    char path[64];
    DIR *tasks;
    const struct dirent *task;
    int64_t all = 0;
    bool good = true;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (tasks == NULL)
        return -1;
    while (good && (task = readdir(tasks)) != NULL) {
        char file[512];
        int64_t one;
        FILE *stream;

        if (task->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s/schedstat", path, task->d_name);
        stream = fopen(file, "r");
        good = stream != NULL && fscanf(stream, "%" SCNd64, &one) == 1;
        if (good)
            all += one;
        if (stream != NULL)
            fclose(stream);
    }
    closedir(tasks);
    return good ? all : -1;
}

void
server_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    for (int waited = 0; waited < STOP_MS; waited += 10) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        poll(NULL, 0, 10);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

uint16_t
server_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;

    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}
