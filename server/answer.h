/* answer.h: what the log's answers do: what got a number goes to all, what was asked for to whoever
 * asked. Must not know how the log works.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "chat.h"

/* Takes all that the log has to say now. */
void answer_take(struct chat *chat);

#endif
