/* crowd.h: clients over the library's own user-space endpoints, in one process and one loop.
 *
 * Owns: the userland, its UDP sockets, an endpoint for each client, who is up. Must not know what
 * clients say. All endpoints are of one userland, so a process has one crowd: whoever wants several
 * forks for each (child.h).
 */
#ifndef CROWD_H
#define CROWD_H

#include "endpoint_user.h"

#include <stdbool.h>
#include <stdint.h>

#define CROWD_NEVER INT64_MAX

struct crowd_client {
    unsigned int index;
    struct endpoint *endpoint;
    uint32_t assoc;
    bool up, down; /* down: it was lost */
};

struct crowd_config {
    struct address server;
    unsigned int clients; /* at most */
    unsigned int sockets; /* UDP sockets that they share; 0: one for each */
    /* What an endpoint of a client had; up and down are noted already. */
    void (*event)(void *user, struct crowd_client *client, const struct endpoint_event *event);
    void *user;
};

struct crowd {
    struct crowd_config config;
    struct userland *userland;
    struct agenda agenda;
    struct crowd_client *clients;
    unsigned int begun, up, down, sockets;
    bool deaf; /* what comes is not read: as a program that has stopped reading */
};

/* Functions that can fail write why to stderr and return false. crowd_close always. */
bool crowd_open(struct crowd *crowd, const struct crowd_config *config);

/* `count` more of the clients associate with an SCTP port of the server, 50 at a time; returns when
 * all are up. */
bool crowd_connect(struct crowd *crowd, unsigned int count, uint16_t port);

/* A turn: reads all, lets `speak` (if not NULL) say what it likes, sends all, waits for packets, at
 * most until `wake` (ns, CROWD_NEVER: no limit of the caller's). */
void crowd_turn(struct crowd *crowd, void (*speak)(void *user), int64_t wake);

/* SCTP packets that they got. */
uint64_t crowd_packets(const struct crowd *crowd);

void crowd_close(struct crowd *crowd);

#endif
