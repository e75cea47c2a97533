/* server.c: a child process, its CPU time and its memory. */
#include "server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000 /* with many rooms it takes a while */
#define STOP_MS  5000

/* In the new process. */
static void
become(char *const argv[], const int out[2], const char *errors)
{
    int fd = errors != NULL ? open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    execvp(argv[0], argv);
    fprintf(stderr, "bench: cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static pid_t
start(char *const argv[], int64_t timeout_ms, const char *errors)
{
    int out[2];
    pid_t pid, parent = getpid();
    struct pollfd fd;
    char byte;

    if (pipe(out) != 0 || (pid = fork()) < 0) {
        perror("bench");
        return -1;
    }
    if (pid == 0) {
        /* With its parent, however that ends. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(127);
        become(argv, out, errors);
    }
    close(out[1]);
    fd = (struct pollfd){.fd = out[0], .events = POLLIN};
    if (poll(&fd, 1, (int)timeout_ms) == 1 && read(out[0], &byte, 1) == 1)
        return pid; /* the pipe stays open: what else it says must not kill it */
    fprintf(stderr, "bench: %s did not start\n", argv[0]);
    server_stop(pid);
    close(out[0]);
    return -1;
}

pid_t
server_start(char *const argv[], int64_t timeout_ms)
{
    return start(argv, timeout_ms, NULL);
}

void
server_built_path(const char *beside, char path[PATH_MAX])
{
    char own[PATH_MAX / 2];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

    own[length > 0 ? length : 0] = '\0';
    if (strrchr(own, '/') != NULL)
        *strrchr(own, '/') = '\0';
    snprintf(path, PATH_MAX, "%s/%s", own, beside);
}

/* For what is started next. */
static void
preload(unsigned int sync_ms)
{
    char path[PATH_MAX], milliseconds[16];

    if (sync_ms == 0)
        return;
    server_built_path("libslow_sync.so", path);
    snprintf(milliseconds, sizeof(milliseconds), "%u", sync_ms);
    setenv("SLOW_SYNC_MS", milliseconds, 1);
    setenv("LD_PRELOAD", path, 1);
}

pid_t
server_start_lazychatd(const struct server_config *config, struct address *address)
{
    char path[PATH_MAX], listen[64], durability[16], data[PATH_MAX], classic_port[16], rooms[16];
    char level[] = "warn", none[] = "0";
    char *argv[] = {
        path, "--listen", listen, "--log-level", level, "--durability",   durability,   "--data",
        data, "--rate",   none,   "--rooms",     rooms, "--classic-port", classic_port, NULL};
    uint16_t port = server_free_port();
    pid_t pid;

    address_parse(address, "127.0.0.1", port);
    if (config->path != NULL)
        snprintf(path, sizeof(path), "%s", config->path);
    else
        server_built_path("../server/lazychatd", path);
    if (config->errors != NULL)
        snprintf(level, sizeof(level), "info");
    snprintf(listen, sizeof(listen), "udp:127.0.0.1:%u", port);
    snprintf(durability, sizeof(durability), "%s",
             config->durability != NULL ? config->durability : "full");
    snprintf(data, sizeof(data), "%s", config->data);
    snprintf(rooms, sizeof(rooms), "%u", config->rooms != 0 ? config->rooms : 1000);
    snprintf(classic_port, sizeof(classic_port), "%u",
             config->classic_port != 0 ? config->classic_port : 2013);
    preload(config->sync_ms);
    pid = start(argv, START_MS, config->errors);
    unsetenv("LD_PRELOAD");
    return pid;
}

/* ---- Its directory ---- */

bool
server_data_make(char path[PATH_MAX])
{
    const char *under = getenv("TMPDIR");

    snprintf(path, PATH_MAX, "%s/lazychat-bench-XXXXXX", under != NULL ? under : "/var/tmp");
    if (mkdtemp(path) != NULL)
        return true;
    fprintf(stderr, "bench: no directory %s: %s\n", path, strerror(errno));
    return false;
}

void
server_data_remove(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}

/* ---- Its figures ---- */

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

struct server_memory
server_memory(pid_t pid)
{
    struct server_memory memory = {-1, -1};
    char path[64], line[256];
    FILE *stream;
    int64_t kilobytes;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    stream = fopen(path, "r");
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNd64, &kilobytes) == 1)
            memory.now = kilobytes * 1024;
        else if (sscanf(line, "VmHWM: %" SCNd64, &kilobytes) == 1)
            memory.peak = kilobytes * 1024;
    }
    if (stream != NULL)
        fclose(stream);
    return memory;
}

/* ---- Ending it ---- */

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
