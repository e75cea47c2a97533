/* utf8.h: one character of UTF-8 at a time (RFC 3629). Owns nothing; knows nothing of locales. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at the start of `length` bytes, by RFC 3629, section 4: no overlong form, no
 * surrogate, nothing above U+10FFFF. Returns how many bytes it takes, 0 when there is none. */
size_t utf8_decode(const void *bytes, size_t length, uint32_t *character);

#endif
