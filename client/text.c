/* text.c: cuts and cleans text. */
#include "text.h"

#include "escape.h"
#include "utf8.h"

#include <stdbool.h>
#include <string.h>
#include <wchar.h>

static bool
may_be_said(uint32_t c)
{
    return c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) || c > 0x9f;
}

size_t
text_sayable(char out[TEXT_SIZE], const char *bytes, size_t length)
{
    size_t done = 0, used = 0;

    while (done < length) {
        uint32_t c = 0;
        size_t taken = utf8_decode(bytes + done, length - done, &c);
        char visible[4 * ESCAPE_FACTOR + 1];
        const char *from = bytes + done;
        size_t width = taken;

        if (taken == 0 || !may_be_said(c)) {
            taken = taken == 0 ? 1 : taken;
            escape(visible, sizeof(visible), from, taken);
            from = visible;
            width = strlen(visible);
        }
        if (used + width > LAZYCHAT_TEXT_MAX)
            break;
        memcpy(out + used, from, width);
        used += width;
        done += taken;
    }
    out[used] = '\0';
    return done;
}

size_t
text_width(uint32_t character)
{
    int width = wcwidth((wchar_t)character);

    return width < 0 ? 1 : (size_t)width;
}

char *
text_short(char *out, size_t size, const char *text, size_t characters)
{
    size_t length = strcspn(text, "\n"), done = 0;
    const char *end = "";

    while (done < length && characters > 0) {
        uint32_t c;
        size_t taken = utf8_decode(text + done, length - done, &c);

        done += taken == 0 ? 1 : taken;
        characters--;
    }
    if (text[done] != '\0')
        end = "…";
    if (done + strlen(end) >= size)
        done = 0;
    memcpy(out, text, done);
    strcpy(out + done, end); /* NOLINT: measured above */
    return out;
}
