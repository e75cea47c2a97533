/* classic.h: the classic lobby from the other side: lines in, lines out.
 *
 * Each line of the input is a message, and what comes from the server is printed, made safe. The
 * classic lobby sends everything back to the one who said it too: that is how a line is known to
 * have arrived, and no more than CLASSIC_WINDOW bytes are said ahead of it.
 * Owns the conversation. Must not know which transport carries it.
 */
#ifndef CLASSIC_H
#define CLASSIC_H

#include "connection.h"

#include <stdbool.h>

#define CLASSIC_PORT     2013
#define CLASSIC_UDP_PORT 9899
#define CLASSIC_WINDOW   65536

/* Talks until the input ends and its last line has come back, or the server goes. Returns the exit
 * status; says on stderr what went wrong. config->network is ignored. `quiet`: does not say how it
 * is connected. */
int classic_run(const char *host, const struct connection_config *config, bool quiet);

#endif
