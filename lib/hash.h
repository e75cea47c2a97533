/* hash.h: an intrusive hash table that grows: the node lies inside what is looked up.
 *
 * Owns the buckets, never the nodes. The key's meaning is the caller's: it walks the nodes of one
 * hash value and compares.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_node {
    struct hash_node *next;
    uint64_t value;
};

struct hash {
    struct hash_node **buckets; /* a power of two of them, or NULL */
    size_t size, count;
};

/* The struct that a node lies in. */
#define hash_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Spread a number that counts up, or that strangers chose, over all the bits. */
uint64_t hash_mix(uint64_t number);

/* LAZYCHAT_OK or LAZYCHAT_NO_MEMORY. */
int hash_insert(struct hash *hash, struct hash_node *node, uint64_t value);

void hash_remove(struct hash *hash, struct hash_node *node);

/* The first node with this value and the ones after it; NULL when there are no more. */
struct hash_node *hash_first(const struct hash *hash, uint64_t value);
struct hash_node *hash_next(const struct hash_node *node);

/* Frees the buckets. */
void hash_free(struct hash *hash);

#endif
