/* loop.h: the server's one event loop.
 *
 * Waits until a descriptor can be read, a signal comes or the time is up, and calls for one turn
 * after the other. Owns the waiting. Must not know what a turn does.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

struct loop;

/* From now on SIGTERM and SIGINT are taken here. LAZYCHAT_OK or an error, errno set. */
int loop_create(struct loop **loop);
void loop_destroy(struct loop *loop);

/* Wake up when `fd` can be read; level-triggered. -1 is ignored. The tag tells it from others; not
 * NULL. It is watched until it is closed. */
int loop_watch(struct loop *loop, int fd, void *tag);

/* Wait until something can be read, `deadline` is reached or a signal came. Returns the signal, 0
 * for none. */
int loop_wait(struct loop *loop, int64_t deadline);

/* The tag of the next descriptor that can be read since loop_wait, each once; NULL: no more. Those
 * beyond the sixteenth come after the next loop_wait. */
void *loop_ready(struct loop *loop);

#endif
