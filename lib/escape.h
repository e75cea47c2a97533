/* escape.h: makes bytes that a stranger sent safe to show, in a terminal or a log.
 *
 * Kept as they are: valid UTF-8 (RFC 3629) of characters that only print. Control characters (C0,
 * DEL, C1), those that turn the direction of text or hide in it (bidi controls, zero-width, line
 * and paragraph separators, tags) and bytes that are no UTF-8 become visible: `\n`, `\t`, `\x1b`,
 * `\u{202e}`.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>

/* Writes at most size - 1 bytes and a NUL, never half a character or half an escape; returns how
 * many of the `length` bytes are in it. */
size_t escape(char *out, size_t size, const void *bytes, size_t length);

/* A byte becomes at most so many, so that size = length * ESCAPE_FACTOR + 1 always does. */
#define ESCAPE_FACTOR 4

#endif
