/* log_query.c: what counts as a word.
 *
 * Words are what FTS5's tokenizer unicode61 takes for words. Where a script has no spaces, each
 * character becomes a word, and a run of them a phrase: so a part of a sentence is found. Nothing
 * that a stranger typed is ever read as a query: it is quoted.
 */
#include "log_search.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    uint32_t first, last;
} unspaced[] = {
    {0x0e00, 0x0eff},   /* Thai, Lao */
    {0x1000, 0x109f},   /* Burmese */
    {0x1100, 0x11ff},   /* Hangul, single letters */
    {0x1780, 0x17ff},   /* Khmer */
    {0x2e80, 0x2fdf},   /* radicals */
    {0x3005, 0x3007},   /* Han: repetition, zero */
    {0x3040, 0x30ff},   /* Hiragana, Katakana */
    {0x3100, 0x31ff},   /* Bopomofo, Hangul letters, Katakana */
    {0x3400, 0x4dbf},   /* Han */
    {0x4e00, 0x9fff},   /* Han */
    {0xac00, 0xd7ff},   /* Hangul */
    {0xf900, 0xfaff},   /* Han, compatible */
    {0xff66, 0xffdc},   /* half-width Katakana and Hangul */
    {0x20000, 0x3ffff}, /* Han */
};

static bool
is_unspaced(uint32_t character)
{
    if (character < unspaced[0].first)
        return false;
    for (size_t i = 0; i < sizeof(unspaced) / sizeof(*unspaced); i++)
        if (character >= unspaced[i].first && character <= unspaced[i].last)
            return true;
    return false;
}

/* The character at `text`, which is not empty, and its length in bytes. What is not UTF-8 counts as
 * single bytes. */
static size_t
decode(const char *text, uint32_t *character)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : bytes[0] >= 0xc0 ? 2 : 1;

    *character = length == 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            *character = bytes[0];
            return 1;
        }
        *character = *character << 6 | (bytes[i] & 0x3f);
    }
    return length;
}

char *
log_query_spaced(const char *text)
{
    char *spaced = malloc(strlen(text) * 5 / 3 + 8), *end = spaced;

    if (spaced == NULL)
        return NULL;
    while (*text != '\0') {
        uint32_t character;
        size_t length = decode(text, &character);

        if (is_unspaced(character))
            *end++ = ' ';
        memcpy(end, text, length);
        end += length;
        text += length;
        if (is_unspaced(character))
            *end++ = ' ';
    }
    *end = '\0';
    return spaced;
}

static bool
is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '"';
}

/* A piece of the text in which all characters are unspaced, or none is. */
static size_t
piece_length(const char *text, bool *is_run)
{
    size_t length = 0;

    while (text[length] != '\0' && !is_space(text[length])) {
        uint32_t character;
        size_t next = decode(text + length, &character);

        if (length == 0)
            *is_run = is_unspaced(character);
        else if (is_unspaced(character) != *is_run)
            break;
        length += next;
    }
    return length;
}

/* Quoted: a run's characters one by one, the rest as one beginning. */
static char *
add_piece(char *end, const char *text, size_t length, bool is_run)
{
    uint32_t character;

    *end++ = '"';
    for (size_t at = 0, next; at < length; at += next) {
        next = is_run ? decode(text + at, &character) : length;
        memcpy(end, text + at, next);
        end += next;
        if (is_run)
            *end++ = ' ';
    }
    *end++ = '"';
    if (!is_run)
        *end++ = '*';
    *end++ = ' ';
    return end;
}

/* Does it have anything that unicode61 could take for a word? Letters and digits of ASCII, and
 * whatever is not ASCII. */
static bool
may_have_word(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= 'a' && byte <= 'z'))
            return true;
    }
    return false;
}

char *
log_query_make(const char *text)
{
    char *query = malloc(strlen(text) * 5 + 8), *end = query;

    if (query == NULL)
        return NULL;
    while (*text != '\0') {
        bool is_run = false;
        size_t length = piece_length(text, &is_run);

        if (may_have_word(text, length))
            end = add_piece(end, text, length, is_run);
        text += length > 0 ? length : 1;
    }
    *end = '\0';
    return query;
}
