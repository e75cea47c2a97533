/* json.h: --json: each line in and out is one message of docs/protocol.md.
 *
 * For bots in any language. Owns which line is next. A faulty line is answered as the server would,
 * by an `error`. Must not know what the messages mean.
 */
#ifndef JSON_H
#define JSON_H

#include "lazychat.h"

#include <stdbool.h>

/* Talks until it is over. Returns the exit status; says on stderr what went wrong. The config's
 * callbacks are set here. `quiet`: does not say how it is connected. */
int json_run(struct lazychat_config *config, const char *where, bool quiet);

#endif
