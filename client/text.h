/* text.h: text as one types or pipes it, made fit to be said and to be put in columns.
 *
 * Owns nothing. Must not know terminals or rooms.
 */
#ifndef TEXT_H
#define TEXT_H

#include "lazychat.h"

#include <stddef.h>
#include <stdint.h>

#define TEXT_SIZE (LAZYCHAT_TEXT_MAX + 1)

/* Writes what may be said of `length` bytes: UTF-8 as it is, line feeds and tabs too; other control
 * characters and bytes that are no UTF-8 as visible escapes. Stops before LAZYCHAT_TEXT_MAX is
 * exceeded, between two characters. Returns how many bytes are in it. */
size_t text_sayable(char out[TEXT_SIZE], const char *bytes, size_t length);

/* How many columns of a terminal the character takes: 0, 1 or 2. Follows the locale's LC_CTYPE. */
size_t text_width(uint32_t character);

/* The first `characters` of the text's first line; "…" stands for what is left out. Returns out. */
char *text_short(char *out, size_t size, const char *text, size_t characters);

#endif
