/* show.h: what messages and events look like as lines.
 *
 * In a terminal: the time, the number if wanted, the room if there are several, the name in a
 * colour of its own. In a pipe: `nick: text` and `* nick text`. Each line of a text has its prefix,
 * so nobody can make a line look like another's. Whatever comes from others is made safe here and
 * nowhere else.
 */
#ifndef SHOW_H
#define SHOW_H

#include "line.h"

/* A notice, `-- …`: printf's format; texts of others must have been made safe. `room`: which one it
 * is about, or NULL. */
__attribute__((format(printf, 3, 4))) void
show_notice(struct line *line, const struct line_room *room, const char *format, ...);

/* As a notice, but shown even with --quiet: it answers what a person typed. */
__attribute__((format(printf, 2, 3))) void show_answer(struct line *line, const char *format, ...);

void show_message(struct line *line, struct line_room *room,
                  const struct lazychat_message *message);
void show_event(struct line *line, struct line_room *room, const struct lazychat_event *event);

/* The text made safe, in memory of its own; the caller frees it. NULL becomes "". */
char *show_safe(const char *text);

#endif
