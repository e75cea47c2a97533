/* store.h: what a client keeps on disk: its secrets, what it has seen, what is not acknowledged.
 *
 * One SQLite file, `lazychat.db`, in a directory of its own that one process uses at a time. Writes
 * of a turn are one transaction, ended by store_commit. The first write that fails ends it all:
 * every later one fails at once, and what the file holds is what the last commit left.
 * Owns the file. Must not know what the messages say, but that some can change others.
 */
#ifndef STORE_H
#define STORE_H

#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_MESSAGES_MAX 100000 /* the latest so many of a room are kept */

struct store;

struct store_room {
    int64_t row; /* names the room in the other functions */
    bool known;  /* log and seen are set */
    char log[65];
    int64_t seen;
    uint16_t port; /* 0: not known */
};

/* Makes the directory (0700) and the file (0600) when they are not there. LAZYCHAT_IN_USE: another
 * process has it; LAZYCHAT_DENIED, LAZYCHAT_SYSTEM, LAZYCHAT_INVALID (not a database of ours, or
 * damaged). */
int store_open(struct store **store, const char *directory);

/* Commits. NULL is fine. */
void store_close(struct store *store);

/* End the transaction of this turn, if there is one. */
int store_commit(struct store *store);

/* Why it failed, for people. */
const char *store_text(const struct store *store);

/* The secret of a server, 32 digits; *found false: there is none. */
int store_secret(struct store *store, const char *host, char secret[33], int64_t *account,
                 bool *found);
int store_set_secret(struct store *store, const char *host, const char *secret, int64_t account);

int store_room(struct store *store, const char *host, const char *name, struct store_room *room);
int store_set_seen(struct store *store, int64_t row, const char *log, int64_t seen);
int store_set_port(struct store *store, int64_t row, uint16_t port);

/* The log is another one: everything of the room goes, but for what is unsent. */
int store_forget(struct store *store, int64_t row);

/* A say or a topic as JSON, in place of what was there of that number. */
int store_message(struct store *store, int64_t row, int64_t seq, const char *json, size_t length);

/* One message; NULL: there is none. The caller frees it. */
char *store_read(struct store *store, int64_t row, int64_t seq);

/* The latest `limit` ones before `before`, oldest first. `each` returns false to stop. */
int store_latest(struct store *store, int64_t row, int64_t before, unsigned int limit,
                 bool (*each)(void *user, const char *json, size_t length), void *user);

int store_unsent_add(struct store *store, int64_t row, const char *id, const void *bytes,
                     size_t length);
int store_unsent_remove(struct store *store, int64_t row, const char *id);
int store_unsent_each(struct store *store, int64_t row,
                      bool (*each)(void *user, const char *id, const char *bytes, size_t length),
                      void *user);

#endif
