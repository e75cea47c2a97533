/* server.h: the server under test as a process: started, timed, measured, ended.
 *
 * It never outlives the process that started it. Knows nothing of SCTP.
 */
#ifndef SERVER_H
#define SERVER_H

#include "address.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Run argv[0] with argv; returns when it has written something on stdout, by which servers say that
 * they are open. The pid, or -1 with a line on stderr. */
pid_t server_start(char *const argv[], int64_t timeout_ms);

/* What else is not said is lazychatd's default, but for the rate: nobody is told to slow down. */
struct server_config {
    const char *path;       /* of a lazychatd; NULL: the one of this build */
    const char *durability; /* NULL: full */
    const char *data;       /* server_data_make */
    const char *errors;     /* a file for what it writes to stderr, with log level info; NULL: here,
                               only warnings */
    unsigned int classic_port, rooms; /* 0: its default */
    unsigned int sync_ms;             /* what the disk takes at least for each sync (slow_sync.c) */
};

/* lazychatd on a free UDP port of the loopback, which goes to `address`. As server_start. */
pid_t server_start_lazychatd(const struct server_config *config, struct address *address);

/* The path of a program that was built with this one: `beside` says where from here. */
void server_built_path(const char *beside, char path[PATH_MAX]);

/* A directory for the log, on a disk: under $TMPDIR, or /var/tmp. False with a line on stderr. */
bool server_data_make(char path[PATH_MAX]);

/* Takes it away with the files in it. */
void server_data_remove(const char *path);

/* CPU time of all its threads so far, user and system; -1 when it cannot be had. */
int64_t server_cpu_ns(pid_t pid);

/* What of its memory is resident, now and at most so far (VmRSS, VmHWM), in bytes; -1: cannot be
 * had. */
struct server_memory {
    int64_t now, peak;
};
struct server_memory server_memory(pid_t pid);

/* SIGTERM, then SIGKILL. */
void server_stop(pid_t pid);

/* A UDP port of the loopback address (family AF_INET) that is free now; 0: none. */
uint16_t server_free_port(void);

#endif
