/* edit.h: the line that a person is typing: bytes of keys in, text and cursor out.
 *
 * Owns the text, the cursor, the lines entered before and half-read escape sequences. Must not
 * know the terminal: what a key does is the same wherever the bytes come from, and edit_view says
 * what to show. UTF-8 throughout; a cursor is always between two characters.
 *
 * Pasted text (between the sequences of "bracketed paste") may have several lines; it stays in the
 * line until one presses Enter, so that nothing is sent by a paste. Alt-Enter begins a line as
 * well.
 */
#ifndef EDIT_H
#define EDIT_H

#include <stdbool.h>
#include <stddef.h>

#define EDIT_MAX   8192 /* bytes of a line; what is typed beyond is dropped */
#define EDIT_LINES 64   /* lines entered that Up brings back */

enum edit_result {
    EDIT_NOTHING,
    EDIT_CHANGED, /* text or cursor */
    EDIT_ENTERED, /* Enter: edit_take has the line */
    EDIT_END,     /* Ctrl-D with nothing typed */
    EDIT_REDRAW,  /* Ctrl-L */
};

struct edit {
    size_t length, cursor;
    char text[EDIT_MAX + 1];
    char sequence[16]; /* an escape sequence, or a character of several bytes, so far */
    size_t sequence_length;
    bool pasting;
    char *lines[EDIT_LINES]; /* the latest last */
    size_t line_count;
    size_t at;   /* which of them is shown; line_count: what is being typed */
    char *draft; /* what was being typed before one went to another line */
};

void edit_init(struct edit *edit);
void edit_free(struct edit *edit);

/* One byte from the terminal. */
enum edit_result edit_key(struct edit *edit, char byte);

/* Moves the entered line to `line` (EDIT_MAX + 1 bytes), remembers it, and starts an empty one. */
void edit_take(struct edit *edit, char *line);

/* Puts text in place of what is typed, the cursor at its end. */
void edit_set(struct edit *edit, const char *text);

/* What to show in `columns`: the part of the line around the cursor, made safe, without a NUL
 * beyond `size` (9 * columns + 1 always does). Returns the cursor's column, from 0. */
size_t edit_view(const struct edit *edit, size_t columns, char *out, size_t size);

#endif
