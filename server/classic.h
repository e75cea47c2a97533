/* classic.h: the classic lobby: the chat of the 2007 article, on SCTP port 2013.
 *
 * Its wire format is that article's: bytes in, the same bytes out to every association, the one
 * that spoke too, on stream 0 with PPID 0. There are no names and there is no log. Owns the
 * endpoints of its port, one for each transport. There is no list of clients here: the endpoints'
 * associations are it.
 */
#ifndef CLASSIC_H
#define CLASSIC_H

#include "transport.h"

#define CLASSIC_PORT 2013 /* the article's CHAT_PORT */

struct classic;

int classic_open(struct classic **classic, struct transport *transport, uint16_t port,
                 FILE *errors);

/* Its endpoints, for start-up messages; it is their owner. */
const struct transport_endpoint *classic_endpoints(const struct classic *classic, size_t *count);

/* Read what has come on one of them, as transport_ready gives it, and say it to all. */
void classic_turn(struct classic *classic, struct endpoint *endpoint);

/* SHUTDOWN with everyone; whoever comes from now on is aborted. */
void classic_shutdown(struct classic *classic);

/* ABORT whoever is left. */
void classic_abort(struct classic *classic);

/* Over all transports. */
size_t classic_associations(const struct classic *classic);

void classic_close(struct classic *classic);

#endif
