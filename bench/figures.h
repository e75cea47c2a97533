/* figures.h: times taken, and what is made of them: percentiles, medians.
 *
 * A bench has no use for going on without memory: these functions end the process then.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS 1000000

/* Of a clock that does not jump. */
int64_t now_ns(void);

/* CPU time of this process so far. */
int64_t own_cpu_ns(void);

/* `memory` with at least `needed` elements; the new ones are zero. */
void *grown(void *memory, size_t *size, size_t needed, size_t element);

/* Times in ns. */
struct samples {
    int64_t *values;
    size_t count, size;
};

void samples_add(struct samples *samples, int64_t value);

/* Milliseconds below which so many in a hundred are; sorts them. 0 when there are none. */
double samples_ms(struct samples *samples, unsigned int percent);

void samples_free(struct samples *samples);

/* Sorts them. */
double median_of(double *values, size_t count);

/* The median of a double that is `offset` bytes into each of `count` elements of `size` bytes; at
 * most MEDIAN_MAX. */
#define MEDIAN_MAX 99
double median_of_member(const void *elements, size_t size, size_t count, size_t offset);

/* Of a member of an array's elements. */
#define MEDIAN(array, count, member)                                                               \
    median_of_member(array, sizeof((array)[0]), count,                                             \
                     (size_t)((const char *)&(array)[0].member - (const char *)&(array)[0]))

/* Before anything was started: work on the machine that is not ours. */
double load_average(void);

#endif
