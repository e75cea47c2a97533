/* mutate.h: how the fuzzers change a JSON message: field by field, and byte by byte where it is
 * none. Owns the random numbers, which a seed begins. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

void mutate_seed(unsigned int seed);

/* 0 to n - 1. */
unsigned int mutate_below(size_t n);

/* Changes `size` bytes in a buffer of `max`; returns the new size. */
size_t mutate_message(uint8_t *data, size_t size, size_t max);

/* A message with parts of two, in `out`. Returns its size, or 0. */
size_t mutate_splice(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                     uint8_t *out, size_t max);

#endif
