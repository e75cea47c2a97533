/* figures.c: times, percentiles, medians. */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GROWN_FIRST 4096 /* elements */

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int64_t
now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t
own_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void *
grown(void *memory, size_t *size, size_t needed, size_t element)
{
    size_t bigger = *size == 0 ? GROWN_FIRST : *size;

    if (needed <= *size)
        return memory;
    while (bigger < needed)
        bigger *= 2;
    memory = realloc(memory, bigger * element);
    if (memory == NULL) {
        perror("bench");
        exit(EXIT_FAILURE);
    }
    memset((char *)memory + *size * element, 0, (bigger - *size) * element);
    *size = bigger;
    return memory;
}

void
samples_add(struct samples *samples, int64_t value)
{
    samples->values =
        grown(samples->values, &samples->size, samples->count + 1, sizeof(*samples->values));
    samples->values[samples->count++] = value;
}

static int
compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

double
samples_ms(struct samples *samples, unsigned int percent)
{
    size_t at = samples->count > 0 ? (samples->count - 1) * percent / 100 : 0;

    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof(*samples->values), compare_times);
    return (double)samples->values[at] / NS_PER_MS;
}

void
samples_free(struct samples *samples)
{
    free(samples->values);
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
median_of(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    if (count == 0)
        return 0;
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double
median_of_member(const void *elements, size_t size, size_t count, size_t offset)
{
    double values[MEDIAN_MAX];

    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)elements + i * size + offset, sizeof(values[i]));
    return median_of(values, count);
}

double
load_average(void)
{
    double average;

    return getloadavg(&average, 1) == 1 ? average : 0;
}
