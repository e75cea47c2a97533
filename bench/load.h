/* load.h: one run of the load: clients that listen, speakers among them, and what was measured.
 *
 * All clients are endpoints of one userland, so a process can do this once: whoever wants several
 * runs forks for each. Knows a server only by its address and, for its CPU time, its process.
 */
#ifndef LOAD_H
#define LOAD_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_SIZE_MIN 16 /* a message carries speaker, number and send time */

struct load_config {
    struct address server;
    uint16_t port;                  /* SCTP port */
    pid_t pid;                      /* of the server; 0: not known, CPU is not measured */
    unsigned int clients, speakers; /* the last `speakers` of the clients speak */
    unsigned int sockets;           /* UDP sockets that the clients share */
    unsigned int size;              /* bytes of a message */
    unsigned int window;            /* messages of a speaker that are under way: */
    bool pace_all;                  /* some client has them not yet; or just the speaker has not */
    unsigned int messages;          /* a speaker ends after so many, 0: no limit, */
    unsigned int seconds;           /* and after this time */
    unsigned int warmup_ms;
};

struct load_result {
    uint64_t messages, deliveries; /* said, and received by all clients together */
    uint64_t lost, disordered;     /* must be 0, else the run is invalid */
    uint64_t packets;              /* SCTP packets that the clients got */
    double seconds;                /* first send to last reception */
    double server_cpu, load_cpu;   /* seconds of CPU in that time; server_cpu < 0: not known */
    double p50_ms, p99_ms;         /* from send until the last client has a message */
    bool complete;                 /* false: it came to an end before all was received */
};

/* False, with a line on stderr, when not even the clients came up. */
bool load_run(const struct load_config *config, struct load_result *result);

#endif
