/* command.h: what a person can ask for by a line that begins with `/`.
 *
 * Owns the one table of commands: names, arguments, help and what they do. `//text` says text that
 * begins with a slash. A command that does not exist, or lacks something, says so and sends
 * nothing.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "line.h"

/* Does what the line, without its `/`, asks for. False: nothing was done, and the person knows why.
 */
bool command_run(struct line *line, const char *text);

/* Whether there is a command whose name the text (without its `/`) begins with. */
bool command_known(const char *text);

#endif
