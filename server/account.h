/* account.h: who is here, over all rooms: an account while it has at least one association.
 *
 * Owns: number, nickname, read markers as they are now, the list of the account's members. What
 * lasts is in the log; this is what the loop has in hand. Must not know rooms' insides, sockets,
 * JSON.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "hash.h"
#include "log.h"
#include "nick.h"

struct member;

/* Read up to where, in one room. */
struct account_mark {
    int64_t room;
    int64_t seq;
    int64_t said; /* how many `say` of the room that are; fewer while they are counted */
    bool dirty;   /* the log does not know yet */
};

#define MARK_UNKNOWN (-1) /* `said`: it is being counted */

struct account {
    struct hash_node by_id, by_skeleton;
    int64_t id;
    bool kept;            /* it has a key: it lasts */
    bool verified;        /* a key that proves something: secure transports */
    char nick[NICK_SIZE]; /* "guest-7" until it has chosen one */
    char *skeleton;       /* NULL until it has chosen one */
    int64_t active;       /* when it last said something, typed, or came */
    struct member *members;
    struct account_mark *marks;
    size_t mark_count;
    bool dirty; /* has a dirty mark */
    struct account *next_dirty;
};

struct accounts {
    struct hash by_id, by_skeleton;
    struct account *dirty;
};

/* The account of that number if it is here, else NULL. */
struct account *account_find(const struct accounts *accounts, int64_t id);

/* The one that is here by a nickname: a chosen one by its skeleton, or `guest-N`. */
struct account *account_by_skeleton(const struct accounts *accounts, const char *skeleton);
struct account *account_by_guest_name(const struct accounts *accounts, const char *nick);

/* A new one, not here yet; named guest-N. NULL: no memory. */
struct account *account_create(struct accounts *accounts, int64_t id, bool kept);

/* Give it a nickname that nick_check made. LAZYCHAT_OK or LAZYCHAT_NO_MEMORY. */
int account_name(struct accounts *accounts, struct account *account, const char *nick,
                 const char *skeleton);

/* Its mark in a room; made, with nothing read, when `make`; else NULL. */
struct account_mark *account_mark(struct account *account, int64_t room, bool make);

/* Moves the mark forward; false when it was there already (or no memory). */
bool account_read(struct accounts *accounts, struct account *account, int64_t room, int64_t seq,
                  int64_t said);

/* Hands the dirty marks of one account to the log. */
void account_save(struct account *account, struct log *log);

/* Saves all dirty marks. */
void accounts_save(struct accounts *accounts, struct log *log);

/* Ends one that has no members any more. Saves its marks. */
void account_destroy(struct accounts *accounts, struct account *account, struct log *log);

void accounts_free(struct accounts *accounts);

#endif
