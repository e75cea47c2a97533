/* memory.h: what line mode remembers of a room, so that a person can say which message is meant:
 * the latest messages, and the names of accounts.
 *
 * Owns copies. Must not know how anything is shown.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_MESSAGES 256
#define MEMORY_NAMES    1024

struct memory_message {
    int64_t seq, from;
    bool own, redacted;
    char *text;
};

struct memory_name {
    int64_t account;
    char *nick;
    bool here; /* in the room, as far as was told */
};

struct memory {
    struct memory_message messages[MEMORY_MESSAGES]; /* a ring */
    size_t next;
    struct memory_name names[MEMORY_NAMES]; /* a ring */
    size_t next_name;
};

void memory_free(struct memory *memory);

/* Takes what was said, and what an edit or a redaction makes of it; the sender's name as well. */
void memory_add(struct memory *memory, const struct lazychat_message *message);

/* The message of that number, or NULL; valid until the next memory_add. */
const struct memory_message *memory_find(const struct memory *memory, int64_t seq);

/* The latest one of that account (0: of anyone else than oneself), not redacted, or NULL. */
const struct memory_message *memory_latest(const struct memory *memory, int64_t account);

/* One's own latest one, or NULL. */
const struct memory_message *memory_latest_own(const struct memory *memory);

/* The account's name as it was last heard, or NULL; and its change. */
const char *memory_name(const struct memory *memory, int64_t account);
void memory_set_name(struct memory *memory, int64_t account, const char *nick);

/* Somebody whose name is known came or left; whether that is news. */
bool memory_set_here(struct memory *memory, int64_t account, bool here);

/* Nobody is here: those who are will be told anew. */
void memory_empty(struct memory *memory);

/* Whose name does the text begin with? Names may hold spaces; the longest counts; `:` or a space
 * follows, or nothing. Returns how many bytes belong to it, `:` and spaces included, and the
 * account; 0: nobody's. Letters of ASCII match whatever their case. */
size_t memory_whose(const struct memory *memory, const char *text, int64_t *account);

#endif
