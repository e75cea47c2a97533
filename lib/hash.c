/* hash.c: an intrusive hash table with chained buckets. */
#include "hash.h"

#include "lazychat.h"

#include <stdlib.h>

uint64_t
hash_mix(uint64_t number)
{
    /* The finalizer of MurmurHash3: each bit of the input changes about half of the output's. */
    number ^= number >> 33;
    number *= UINT64_C(0xff51afd7ed558ccd);
    number ^= number >> 33;
    number *= UINT64_C(0xc4ceb9fe1a85ec53);
    return number ^ (number >> 33);
}

static struct hash_node **
bucket(const struct hash *hash, uint64_t value)
{
    return &hash->buckets[value & (hash->size - 1)];
}

/* Double the buckets, so that a chain holds about one node. */
static int
grow(struct hash *hash)
{
    struct hash bigger = {NULL, hash->size == 0 ? 16 : hash->size * 2, hash->count};

    bigger.buckets = calloc(bigger.size, sizeof(struct hash_node *));
    if (bigger.buckets == NULL)
        return LAZYCHAT_NO_MEMORY;
    for (size_t i = 0; i < hash->size; i++) {
        struct hash_node *node = hash->buckets[i];

        while (node != NULL) {
            struct hash_node *next = node->next;
            struct hash_node **to = bucket(&bigger, node->value);

            node->next = *to;
            *to = node;
            node = next;
        }
    }
    free(hash->buckets);
    *hash = bigger;
    return LAZYCHAT_OK;
}

int
hash_insert(struct hash *hash, struct hash_node *node, uint64_t value)
{
    struct hash_node **to;

    if (hash->count >= hash->size && grow(hash) != LAZYCHAT_OK && hash->size == 0)
        return LAZYCHAT_NO_MEMORY;
    to = bucket(hash, value);
    node->value = value;
    node->next = *to;
    *to = node;
    hash->count++;
    return LAZYCHAT_OK;
}

void
hash_remove(struct hash *hash, struct hash_node *node)
{
    struct hash_node **at = bucket(hash, node->value);

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    hash->count--;
}

struct hash_node *
hash_first(const struct hash *hash, uint64_t value)
{
    struct hash_node *node;

    if (hash->size == 0)
        return NULL;
    node = *bucket(hash, value);
    while (node != NULL && node->value != value)
        node = node->next;
    return node;
}

struct hash_node *
hash_next(const struct hash_node *node)
{
    uint64_t value = node->value;

    for (node = node->next; node != NULL; node = node->next)
        if (node->value == value)
            return (struct hash_node *)node;
    return NULL;
}

void
hash_free(struct hash *hash)
{
    free(hash->buckets);
    *hash = (struct hash){NULL, 0, 0};
}
