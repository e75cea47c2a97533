/* log_request.c: the memory of a request: a few blocks, freed together. */
#include "log_request.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST 128
#define BLOCK_MAX   65536
#define ALIGNMENT   _Alignof(max_align_t)

struct log_memory {
    struct log_memory *next;
    size_t used, size;
    max_align_t bytes[];
};

struct log_request *
log_request_create(enum log_request_type type, uint64_t token)
{
    struct log_request *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    request->type = type;
    request->token = token;
    return request;
}

void
log_request_destroy(struct log_request *request)
{
    if (request == NULL)
        return;
    while (request->memory != NULL) {
        struct log_memory *block = request->memory;

        request->memory = block->next;
        free(block);
    }
    free(request);
}

/* Each block twice the one before, so that many small pieces cost few blocks. */
static struct log_memory *
add_block(struct log_request *request, size_t least)
{
    size_t size = request->memory == NULL ? BLOCK_FIRST : request->memory->size * 2;
    struct log_memory *block;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < least)
        size = least;
    block = malloc(sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    *block = (struct log_memory){.next = request->memory, .size = size};
    request->memory = block;
    return block;
}

void *
log_request_take(struct log_request *request, size_t size)
{
    struct log_memory *block = request->memory;
    char *taken;

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || block->size - block->used < size)
        block = add_block(request, size);
    if (block == NULL)
        return NULL;
    taken = (char *)block->bytes + block->used;
    block->used += size;
    return taken;
}

const char *
log_request_copy(struct log_request *request, const char *text, bool *failed)
{
    size_t size;
    char *copy;

    if (text == NULL)
        return NULL;
    size = strlen(text) + 1;
    copy = log_request_take(request, size);
    if (copy == NULL)
        *failed = true;
    else
        memcpy(copy, text, size);
    return copy;
}
