/* member.h: one association in one room, as the room's rules see it.
 *
 * Made when the association comes up, freed when it goes down. Owns what is peculiar to it: whom it
 * speaks for, its limits, what waits until it has room again. Must not know what is said.
 */
#ifndef MEMBER_H
#define MEMBER_H

#include "account.h"
#include "bucket.h"
#include "message.h"
#include "transport.h"

#define MEMBER_REQUESTS_MAX 4            /* history and search not yet answered */
#define MEMBER_WAITING_MAX  (256u << 10) /* bytes of answers that wait for room */
#define MEMBER_HELD_MAX     (64u << 10)  /* bytes said while the log is asked who it is */

struct room;
struct waiting;

struct member {
    struct hash_node by_assoc, by_token;
    uint64_t token; /* never used again: what the log's answers name it by */
    struct room *room;
    const struct transport_endpoint *at;
    uint32_t assoc;
    bool classic;

    struct account *account; /* NULL: nobody had to know yet */
    struct member *next_of_account, **link_of_account;
    struct member *next_in_room, **link_in_room;
    struct member *next_stranger, **link_stranger; /* in room->strangers while account is NULL */

    bool joined;
    bool asking;     /* the log is asked who it is, or whether it may be called so */
    uint8_t key[32]; /* of the join: SHA-256 of the secret */
    bool has_key;
    char *wanted;                    /* nickname of the join under way, or NULL */
    int64_t since, last;             /* of the join under way; MESSAGE_ABSENT */
    char naming[MESSAGE_ID_MAX + 1]; /* id of the `nick` under way */

    unsigned int requests;
    struct bucket messages, history, faults;
    int64_t complained, complained_reading;        /* when it was told last to slow down */
    int64_t typing;                                /* when that was passed on last */
    struct waiting *first_waiting, **last_waiting; /* answers, until there is room */
    size_t waiting_bytes;
    struct waiting *first_held, **last_held; /* what it said after `join`, until the log knows it */
    size_t held_bytes;
    struct waiting *first_opening, **last_opening; /* ids of the `open` under way, in order */
};

struct member *member_create(struct room *room, const struct transport_endpoint *at, uint32_t assoc,
                             bool classic, uint64_t token);

/* It speaks for nobody any more. Returns the account that has no other member, or NULL. */
struct account *member_leave_account(struct member *member);
void member_enter_account(struct member *member, struct account *account);

/* The account is left before. */
void member_destroy(struct member *member);

/* Sends a message to it alone, now or when it has room. LAZYCHAT_OK, or why it cannot be. What is
 * over MEMBER_WAITING_MAX is dropped: LAZYCHAT_WOULD_BLOCK. */
int member_send(struct member *member, uint16_t stream, const struct message *message);
int member_send_bytes(struct member *member, uint16_t stream, const void *bytes, size_t length);

/* It has room again. */
void member_drained(struct member *member);

/* Keeps what it said for later. False: too much. */
bool member_hold(struct member *member, const void *bytes, size_t length);

/* The first that was held, off the list: the caller frees what is returned. NULL: no more. */
struct held {
    const void *bytes;
    size_t length;
};
struct waiting *member_held(struct member *member, struct held *held);

/* `open` under way: one more with this id, or NULL; the first one is answered, which had this id,
 * or
 * "". The log answers in order. */
void member_opens(struct member *member, const char *id);
void member_opened(struct member *member, char id[MESSAGE_ID_MAX + 1]);

/* An `error` message. `field`, `id` may be NULL; retry MESSAGE_ABSENT: it is no use. */
void member_refuse(struct member *member, const char *code, const char *field, const char *id,
                   int64_t retry, const char *text);

#endif
