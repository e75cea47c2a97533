/* slow_sync.c: a disk that takes its time: fdatasync and fsync last at least SLOW_SYNC_MS.
 *
 * To be preloaded (LD_PRELOAD). Disks of virtual machines often answer in a fraction of a
 * millisecond; what a commit costs on a real one is not seen there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int
slowly(const char *name, int fd)
{
    const char *text = getenv("SLOW_SYNC_MS");
    long milliseconds = text != NULL ? strtol(text, NULL, 10) : 0;
    struct timespec end;
    int (*sync_it)(int);

    *(void **)&sync_it = dlsym(RTLD_NEXT, name);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += milliseconds / 1000;
    end.tv_nsec += milliseconds % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    if (sync_it(fd) != 0)
        return -1;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return 0;
}

int
fdatasync(int fd)
{
    return slowly("fdatasync", fd);
}

int
fsync(int fd)
{
    return slowly("fsync", fd);
}
