/* request.h: what a peer's message does: one function for each type of docs/protocol.md, and the
 * classic lobby's bytes.
 *
 * Owns the rules: who may what, how often, what is answered at once. What has to last is handed to
 * the log, and answer.c goes on when the log has answered. Must not know how packets come.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "chat.h"
#include "endpoint.h"

#define REQUEST_HISTORY_RATE 200 /* history and search a second of an association */
#define REQUEST_FAULTS       100 /* malformed messages; one a second is forgiven */
#define REQUEST_TYPING_MS    2000

/* A message came. False: the member has been malformed too often and is to be aborted. */
bool request_take(struct chat *chat, struct member *member, const struct endpoint_event *event);

/* The log has told who the member is, or that it cannot: what it said in the meantime. As above. */
bool request_release(struct chat *chat, struct member *member);

/* The member's account is known: welcome it, with what it asked for in `join`. */
void request_welcome(struct chat *chat, struct member *member);

/* Tell the clients of an account, but the member `but`, up to where it has read in a room. */
void request_tell_read(const struct chat *chat, struct account *account, const struct room *room,
                       const struct member *but);

/* Ask the log for a nickname for the member's account; refuses what is none. */
void request_nick(struct chat *chat, struct member *member, const char *nick, const char *id);

#endif
