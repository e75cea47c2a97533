/* escape.c: neutralises text from strangers. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One character of UTF-8 by RFC 3629, section 4: no overlong form, no surrogate, nothing above
 * U+10FFFF. Returns its length, 0 when there is none. */
static size_t
decode(const uint8_t *bytes, size_t length, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size;

    if (bytes[0] < 0x80) {
        *character = bytes[0];
        return 1;
    }
    if (bytes[0] >= 0xf8 || bytes[0] < 0xc0)
        return 0;
    size = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (size > length)
        return 0;
    *character = bytes[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3fu);
    }
    if (*character < least[size] || *character > 0x10ffff ||
        (*character >= 0xd800 && *character <= 0xdfff))
        return 0;
    return size;
}

static bool
is_hostile(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || /* C0, DEL, C1 */
           c == 0xad || c == 0x61c ||              /* soft hyphen, Arabic letter mark */
           (c >= 0x200b && c <= 0x200f) ||         /* zero-width, direction marks */
           (c >= 0x2028 && c <= 0x202e) ||         /* separators, embeddings, overrides */
           (c >= 0x2060 && c <= 0x206f) ||         /* word joiner, isolates, deprecated */
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

/* The escape of a character or, when size is 0, of the byte that is none. */
static size_t
visible(char out[16], uint32_t character, size_t size)
{
    if (size == 1 && character == '\n')
        return (size_t)snprintf(out, 16, "\\n");
    if (size == 1 && character == '\t')
        return (size_t)snprintf(out, 16, "\\t");
    if (size <= 1)
        return (size_t)snprintf(out, 16, "\\x%02x", (unsigned int)character);
    return (size_t)snprintf(out, 16, "\\u{%x}", (unsigned int)character);
}

size_t
escape(char *out, size_t size, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    size_t done = 0, used = 0;

    while (done < length) {
        uint32_t character = from[done];
        size_t taken = decode(from + done, length - done, &character);
        char text[16];
        size_t width = taken;

        if (taken == 0 || is_hostile(character)) {
            if (taken == 0)
                character = from[done];
            width = visible(text, character, taken);
        } else {
            memcpy(text, from + done, taken);
        }
        if (used + width >= size)
            break;
        memcpy(out + used, text, width);
        used += width;
        done += taken == 0 ? 1 : taken;
    }
    out[used] = '\0';
    return done;
}
