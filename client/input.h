/* input.h: standard input, cut into lines.
 *
 * Owns the bytes that were read and are no whole line yet. Must not know what a line means.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>

#define INPUT_LINE_MAX 65536 /* a longer line comes in parts */

struct input {
    char *bytes;
    size_t from, to; /* which of them are still to be taken */
    bool ended;
    bool in_part; /* the last line was the beginning of a longer one */
};

/* LAZYCHAT_OK or LAZYCHAT_NO_MEMORY. */
int input_open(struct input *input);
void input_close(struct input *input);

/* Reads what is there; never waits. To be called when input_line has nothing more. */
void input_read(struct input *input);

/* The next line, without its end; valid until input_read. What follows the last line feed is a line
 * once the input has ended. False: there is none. */
bool input_line(struct input *input, char **line, size_t *length);

/* Whether everything was taken and nothing will follow. */
bool input_done(const struct input *input);

#endif
