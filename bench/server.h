/* server.h: the server under test as a process: started, timed, ended.
 *
 * It never outlives the process that started it. Knows nothing of SCTP.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdint.h>
#include <sys/types.h>

/* Run argv[0] with argv; returns when it has written something on stdout, by which servers say that
 * they are open. The pid, or -1 with a line on stderr. */
pid_t server_start(char *const argv[], int64_t timeout_ms);

/* CPU time of all its threads so far, user and system; -1 when it cannot be had. */
int64_t server_cpu_ns(pid_t pid);

/* SIGTERM, then SIGKILL. */
void server_stop(pid_t pid);

/* A UDP port of the loopback address (family AF_INET) that is free now; 0: none. */
uint16_t server_free_port(void);

#endif
