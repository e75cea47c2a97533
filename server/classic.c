/* classic.c: bytes to texts and texts to lines. */
#include "classic.h"

#include "escape.h"
#include "nick.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct classic_bytes *
classic_bytes(const void *bytes, size_t length)
{
    struct classic_bytes *copy = malloc(sizeof(*copy) + length);

    if (copy == NULL)
        return NULL;
    copy->length = length;
    if (length > 0)
        memcpy(copy->bytes, bytes, length);
    return copy;
}

/* May it stand in a text as it is? */
static bool
is_text(uint32_t character)
{
    return character == '\n' || character == '\t' ||
           (character >= 0x20 && character != 0x7f && !(character >= 0x80 && character < 0xa0));
}

size_t
classic_text(const uint8_t *bytes, size_t length, char text[MESSAGE_TEXT_MAX + 1])
{
    size_t done = 0, used = 0;

    while (done < length) {
        uint32_t character;
        size_t size = utf8_decode(bytes + done, length - done, &character);

        if (size > 0 && is_text(character)) {
            if (used + size > MESSAGE_TEXT_MAX)
                break;
            memcpy(text + used, bytes + done, size);
            used += size;
            done += size;
            continue;
        }
        if (bytes[done] == '\r' && done + 1 < length && bytes[done + 1] == '\n') {
            done++; /* a line end of other systems */
            continue;
        }
        if (used + 4 > MESSAGE_TEXT_MAX)
            break;
        snprintf(text + used, 5, "\\x%02x", bytes[done++]);
        used += 4;
    }
    if (used > 0 && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    return done;
}

/* What a line begins and ends with. */
static bool
frame(const struct log_entry *entry, char before[NICK_BYTES_MAX + 32], const char **after)
{
    *after = "";
    switch (entry->kind) {
    case LOG_SAY:
        snprintf(before, NICK_BYTES_MAX + 32, "%s: ", entry->nick);
        return true;
    case LOG_ACTION:
        snprintf(before, NICK_BYTES_MAX + 32, "* %s ", entry->nick);
        return true;
    case LOG_EDIT:
        snprintf(before, NICK_BYTES_MAX + 32, "%s: ", entry->nick);
        *after = " (edited)";
        return true;
    case LOG_TOPIC:
        snprintf(before, NICK_BYTES_MAX + 32, "* %s sets the topic: ", entry->nick);
        return true;
    default:
        return false;
    }
}

size_t
classic_lines(const struct log_entry *entry, size_t *offset, char *out, size_t size)
{
    char before[NICK_BYTES_MAX + 32];
    const char *after;
    size_t used = 0, length = entry->text != NULL ? strlen(entry->text) : 0;

    if (entry->text == NULL || !frame(entry, before, &after))
        return 0;
    while (*offset <= length && used + CLASSIC_LINE_MAX <= size) {
        size_t line = strcspn(entry->text + *offset, "\n");

        used += (size_t)snprintf(out + used, size - used, "%s", before);
        escape(out + used, size - used, entry->text + *offset, line);
        used += strlen(out + used);
        used += (size_t)snprintf(out + used, size - used, "%s\n", after);
        *offset += line + 1;
    }
    return used;
}
