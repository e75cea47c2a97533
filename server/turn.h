/* turn.h: one turn of the chat: all that has come is read, the rules are applied, the log gets what
 * is to last and says what has, and everyone hears it.
 *
 * Owns the order of a turn and the event log's lines about associations. Must not know what
 * messages mean.
 */
#ifndef TURN_H
#define TURN_H

#include "chat.h"

/* Returns when the next one is due at the latest (ms of clock_ms). */
int64_t turn(struct chat *chat, int64_t now);

/* All associations begin to leave; nobody new comes in. Returns how many there are. */
size_t turn_shutdown(struct chat *chat);

/* Is anybody there, or anything that the log was given and has not answered? */
bool turn_unfinished(const struct chat *chat);

/* How many are up still, and the end of them. */
size_t turn_associations(const struct chat *chat);
void turn_abort(struct chat *chat);

#endif
