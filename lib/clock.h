/* clock.h: the time for those who wait: programs read it once a turn and pass it down. Nothing else
 * in the library reads a clock. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that never jumps; from when is not said. */
int64_t clock_ms(void);

#endif
