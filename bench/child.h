/* child.h: a run in a process of its own.
 *
 * The user-space stack's state is one for the process, and memory that one run left behind must not
 * burden the next.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls `run` in a new process, which ends with it. True when that returned true and `result` (of
 * `size` bytes) has come back; after `timeout_ms` it is killed, with the servers that it started.
 */
bool child_run(bool (*run)(void *user, void *result), void *user, void *result, size_t size,
               int64_t timeout_ms);

#endif
