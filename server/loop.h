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

/* Wake up when `fd` can be read; level-triggered. -1 is ignored. */
int loop_watch(struct loop *loop, int fd);

/* Wait until something can be read, `deadline` is reached or a signal came. Returns the signal, 0
 * for none. */
int loop_wait(struct loop *loop, int64_t deadline);

#endif
