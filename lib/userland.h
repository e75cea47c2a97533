/* userland.h: SCTP in user space, one for the process: a stack and the links beneath it.
 *
 * All endpoint_user of a process are ports of it, and all share its links: a listener is a
 * transport, not a room. A turn is: userland_receive, then endpoint_recv of each endpoint until it
 * is empty and whatever that causes to be sent, then userland_flush.
 * Must not know what endpoints do with their messages.
 */
#ifndef USERLAND_H
#define USERLAND_H

#include "link.h"
#include "stack.h"

struct userland;

/* LAZYCHAT_IN_USE when the process has one. */
int userland_create(struct userland **userland);

/* The endpoints are closed before; the links go with it. NULL is fine. */
void userland_destroy(struct userland *userland);

/* Take a link over, from here on it is the userland's. On failure it is closed. */
int userland_add_link(struct userland *userland, struct link *link);

/* The links, in the order in which they came; for start-up messages and figures. */
const struct link *userland_links(const struct userland *userland);

/* One descriptor that is readable while any link is. */
int userland_fd(const struct userland *userland);

/* Take what has come, and run the timers. Returns when to call again at the latest. */
int64_t userland_receive(struct userland *userland, int64_t now);

/* Send what the turn has made. */
void userland_flush(struct userland *userland);

/* For endpoint_user.c: the stack, and the peer of a number or of an address. */
struct stack *userland_stack(struct userland *userland);
struct peer *userland_peer(struct userland *userland, uint32_t number);
/* Over the newest link of the same family; NULL when there is none, or no memory. */
struct peer *userland_peer_at(struct userland *userland, const struct address *address);
struct peers *userland_peers(struct userland *userland);
int64_t userland_now(const struct userland *userland);

#endif
