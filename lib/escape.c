/* escape.c: neutralises text from strangers. */
#include "escape.h"

#include "lazychat.h"
#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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
        size_t taken = utf8_decode(from + done, length - done, &character);
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

char *
lazychat_escape(char *out, size_t size, const char *text)
{
    escape(out, size, text, strlen(text));
    return out;
}
