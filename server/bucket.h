/* bucket.h: a token bucket: so many a second, so many at once. No clock of its own. */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t at;     /* ms: when it was looked at last; 0: never, it is full */
    int64_t tokens; /* thousandths */
};

/* Takes one; false when there is none. `rate` a second, at most `burst` saved up; rate 0: no limit.
 */
static inline bool
bucket_take(struct bucket *bucket, int64_t now, unsigned int rate, unsigned int burst)
{
    int64_t full = (int64_t)burst * 1000;

    if (rate == 0)
        return true;
    if (bucket->at == 0)
        bucket->tokens = full;
    else if (now > bucket->at)
        bucket->tokens += (now - bucket->at) * rate;
    if (bucket->tokens > full)
        bucket->tokens = full;
    bucket->at = now;
    if (bucket->tokens < 1000)
        return false;
    bucket->tokens -= 1000;
    return true;
}

#endif
