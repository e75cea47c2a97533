/* endpoint_user.h: an endpoint (endpoint.h) over the user-space stack. */
#ifndef ENDPOINT_USER_H
#define ENDPOINT_USER_H

#include "endpoint.h"
#include "userland.h"

/* A port of the userland, on all its links. LAZYCHAT_IN_USE when an endpoint of this process has
 * the port. Close it before the userland. Its endpoint_fd is -1: poll userland_fd.
 * endpoint_connect takes one address, with the UDP port of the other side. */
int endpoint_user_open(struct endpoint **endpoint, struct userland *userland,
                       const struct endpoint_config *config);

#endif
