/* people.h: a crowd that speaks the protocol of docs/protocol.md: joins, says, asks for what it has
 * not got, and counts.
 *
 * Each of them keeps which numbers it has, and asks `history` for what is missing, as a client
 * does. Owns the crowd, what was said and when. Must not know what a case wants to show. Not for
 * edits, redactions, reactions: every number is a `say` here.
 */
#ifndef PEOPLE_H
#define PEOPLE_H

#include "crowd.h"
#include "figures.h"
#include "message.h"

#define PEOPLE_KNOWN                                                                               \
    256 /* messages that were parsed are known by their bytes: all get the same                    \
         */

struct person {
    struct crowd_client *client;
    uint16_t port;
    bool joined;         /* welcomed */
    bool asking;         /* a batch is due */
    int64_t since, last; /* of its join */
    int64_t base;        /* numbers up to this one do not interest it */
    int64_t have;        /* it has all from there to this one, */
    int64_t top;         /* and knows that there are so many */
    int64_t live;        /* the last one that came on stream 0 */
    unsigned char *bits; /* by number less base: it has this one */
    size_t size;         /* bytes of `bits` */
    int64_t asked_at;    /* ns; when it joined */
    uint32_t said, echoed;
};

/* What was said. Its `id` is its place in people->said. */
struct utterance {
    int64_t sent; /* ns */
    struct person *by;
    uint32_t heard, audience;
};

/* A message of the server's, as far as it matters here. */
struct known {
    unsigned char *bytes;
    size_t length, size;
    enum message_type type;
    int64_t seq, head, from, until, said; /* said: its place in people->said, or MESSAGE_ABSENT */
    bool asked;                           /* it has an id: an answer */
};

struct people_config {
    struct address server;
    unsigned int clients, sockets;
    unsigned int size; /* bytes of a text */
    bool accounts;     /* they join with a secret, always the same */
    void *user;        /* for `speak` */
};

struct people {
    struct people_config config;
    struct crowd crowd;
    struct person *persons;
    struct known known[PEOPLE_KNOWN];
    struct utterance *said;
    size_t said_count, said_size;
    size_t complete;        /* of these, all have so many */
    unsigned int joined;    /* welcomed, and has what it asked for */
    size_t measured_from;   /* of what was said before, no times are taken */
    struct samples acks;    /* until its speaker heard it, */
    struct samples heard;   /* until one of the others did, */
    struct samples by_all;  /* until the last did; */
    struct samples joining; /* from `join` until it had all */
    uint64_t live, healed, doubled, heads, batches, errors;
    unsigned int opened; /* rooms: answers to `open` */
    int64_t head;        /* the latest number that anyone heard */
    int64_t last;        /* ns; when something came last */
};

bool people_open(struct people *people, const struct people_config *config);
void people_close(struct people *people);

/* `count` more of them associate with that room's port; returns when they are. */
bool people_connect(struct people *people, unsigned int count, uint16_t port);

/* `join`; since, last as in the message, or MESSAGE_ABSENT. */
void people_join(struct people *people, struct person *person, int64_t since, int64_t last);

/* The ones from `first` to before `end`, then wait until each has been welcomed and has all. */
bool people_join_all(struct people *people, unsigned int first, unsigned int end, int64_t since,
                     int64_t last);

/* One in the lobby opens rooms, on the ports from MESSAGE_PORT_ROOMS on. */
bool people_open_rooms(struct people *people, const struct person *person, unsigned int count);

/* False: its association has no room now. `when` (ns) is what the time is counted from. */
bool people_say(struct people *people, struct person *person, int64_t when);

/* Any other message of the client's side. False as people_say. */
bool people_send(const struct person *person, const struct message *message);

/* From here on: the times of what is said before do not count. */
void people_measure(struct people *people);

/* `speak` gets the people; `wake` as for crowd_turn. */
void people_turn(struct people *people, void (*speak)(void *people), int64_t wake);

/* Turns until all have everything that was said, also what a room's batch had to bring. False after
 * 15 s in which nothing came. */
bool people_settle(struct people *people);

#endif
