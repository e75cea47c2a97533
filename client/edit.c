/* edit.c: keys. */
#include "edit.h"

#include "escape.h"
#include "text.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { CONTROL_X = 0x1f, ESCAPE_KEY = 0x1b, DELETE_KEY = 0x7f };
#define CONTROL(letter) ((letter)&CONTROL_X)

void
edit_init(struct edit *edit)
{
    memset(edit, 0, sizeof(*edit));
}

void
edit_free(struct edit *edit)
{
    for (size_t i = 0; i < edit->line_count; i++)
        free(edit->lines[i]);
    free(edit->draft);
}

/* ---- Moving ---- */

static size_t
back(const struct edit *edit, size_t at)
{
    while (at > 0 && (edit->text[--at] & 0xc0) == 0x80)
        ;
    return at;
}

static size_t
forth(const struct edit *edit, size_t at)
{
    uint32_t c;
    size_t size = utf8_decode(edit->text + at, edit->length - at, &c);

    return at < edit->length ? at + (size == 0 ? 1 : size) : at;
}

static bool
is_space(const struct edit *edit, size_t at)
{
    return edit->text[at] == ' ' || edit->text[at] == '\n' || edit->text[at] == '\t';
}

static size_t
word_back(const struct edit *edit)
{
    size_t at = edit->cursor;

    while (at > 0 && is_space(edit, at - 1))
        at--;
    while (at > 0 && !is_space(edit, at - 1))
        at--;
    return at;
}

static size_t
word_forth(const struct edit *edit)
{
    size_t at = edit->cursor;

    while (at < edit->length && is_space(edit, at))
        at++;
    while (at < edit->length && !is_space(edit, at))
        at++;
    return at;
}

/* ---- Changing ---- */

static enum edit_result
insert(struct edit *edit, const char *bytes, size_t length)
{
    if (edit->length + length > EDIT_MAX)
        return EDIT_NOTHING;
    memmove(edit->text + edit->cursor + length, edit->text + edit->cursor,
            edit->length - edit->cursor + 1);
    memcpy(edit->text + edit->cursor, bytes, length);
    edit->length += length;
    edit->cursor += length;
    return EDIT_CHANGED;
}

static enum edit_result
cut(struct edit *edit, size_t from, size_t to)
{
    memmove(edit->text + from, edit->text + to, edit->length - to + 1);
    edit->length -= to - from;
    edit->cursor = from;
    return EDIT_CHANGED;
}

static enum edit_result
move(struct edit *edit, size_t to)
{
    edit->cursor = to;
    return EDIT_CHANGED;
}

void
edit_set(struct edit *edit, const char *text)
{
    edit->length = strnlen(text, EDIT_MAX);
    memcpy(edit->text, text, edit->length);
    edit->text[edit->length] = '\0';
    edit->cursor = edit->length;
}

/* ---- Lines entered before ---- */

static enum edit_result
recall(struct edit *edit, size_t at)
{
    if (at > edit->line_count)
        return EDIT_NOTHING;
    if (edit->at == edit->line_count) {
        free(edit->draft);
        edit->draft = strdup(edit->text);
    }
    edit->at = at;
    if (at < edit->line_count)
        edit_set(edit, edit->lines[at]);
    else
        edit_set(edit, edit->draft != NULL ? edit->draft : "");
    return EDIT_CHANGED;
}

static void
remember(struct edit *edit, const char *line)
{
    char *copy;

    if (*line == '\0' ||
        (edit->line_count > 0 && strcmp(edit->lines[edit->line_count - 1], line) == 0))
        return;
    copy = strdup(line);
    if (copy == NULL)
        return;
    if (edit->line_count == EDIT_LINES) {
        free(edit->lines[0]);
        memmove(&edit->lines[0], &edit->lines[1], (EDIT_LINES - 1) * sizeof(edit->lines[0]));
        edit->line_count--;
    }
    edit->lines[edit->line_count++] = copy;
}

void
edit_take(struct edit *edit, char *line)
{
    memcpy(line, edit->text, edit->length + 1);
    remember(edit, line);
    edit_set(edit, "");
    edit->at = edit->line_count;
}

/* ---- Keys ---- */

/* A whole sequence, without its ESC. Terminals disagree on Home and End. */
static enum edit_result
sequence(struct edit *edit, const char *keys)
{
    static const struct {
        const char *keys;
        char does;
    } table[] = {
        {"[D", '<'},    {"OD", '<'},    {"[C", '>'},    {"OC", '>'},   {"[A", '^'},
        {"OA", '^'},    {"[B", 'v'},    {"OB", 'v'},    {"[H", 'h'},   {"OH", 'h'},
        {"[1~", 'h'},   {"[7~", 'h'},   {"[F", 'e'},    {"OF", 'e'},   {"[4~", 'e'},
        {"[8~", 'e'},   {"[3~", 'd'},   {"b", 'b'},     {"f", 'f'},    {"[1;5D", 'b'},
        {"[1;5C", 'f'}, {"[1;3D", 'b'}, {"[1;3C", 'f'}, {"\x7f", 'w'}, {"[200~", 'P'},
        {"[201~", 'p'}, {"\n", 'n'},    {"\r", 'n'},
    };
    char does = 0;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].keys, keys) == 0)
            does = table[i].does;
    switch (does) {
    case '<':
        return move(edit, back(edit, edit->cursor));
    case '>':
        return move(edit, forth(edit, edit->cursor));
    case '^':
        return edit->at > 0 ? recall(edit, edit->at - 1) : EDIT_NOTHING;
    case 'v':
        return edit->at < edit->line_count ? recall(edit, edit->at + 1) : EDIT_NOTHING;
    case 'h':
        return move(edit, 0);
    case 'e':
        return move(edit, edit->length);
    case 'd':
        return cut(edit, edit->cursor, forth(edit, edit->cursor));
    case 'b':
        return move(edit, word_back(edit));
    case 'f':
        return move(edit, word_forth(edit));
    case 'w':
        return cut(edit, word_back(edit), edit->cursor);
    case 'n':
        return insert(edit, "\n", 1);
    case 'P':
    case 'p':
        edit->pasting = does == 'P';
        return EDIT_NOTHING;
    default:
        return EDIT_NOTHING;
    }
}

/* Are these (after the ESC) all of a sequence? ECMA-48: CSI ends with a byte from @ to ~. */
static bool
is_whole(const char *keys, size_t length)
{
    if (length == 0)
        return false;
    if (keys[0] == 'O')
        return length == 2;
    if (keys[0] != '[')
        return true;
    return length > 1 && keys[length - 1] >= '@' && keys[length - 1] <= '~';
}

static enum edit_result
collect(struct edit *edit, char byte)
{
    bool full = edit->sequence_length == sizeof(edit->sequence) - 1;

    if (!full)
        edit->sequence[edit->sequence_length++] = byte;
    edit->sequence[edit->sequence_length] = '\0';
    if (edit->sequence[0] == ESCAPE_KEY) {
        if (!full && !is_whole(edit->sequence + 1, edit->sequence_length - 1))
            return EDIT_NOTHING;
        edit->sequence_length = 0;
        return sequence(edit, edit->sequence + 1);
    } else {
        uint32_t c;
        size_t length = edit->sequence_length;

        if (utf8_decode(edit->sequence, length, &c) == length) {
            edit->sequence_length = 0;
            return insert(edit, edit->sequence, length);
        }
        if (length == 4)
            edit->sequence_length = 0; /* no UTF-8: nobody typed that */
        return EDIT_NOTHING;
    }
}

static enum edit_result
control(struct edit *edit, char byte)
{
    switch (byte) {
    case '\n':
    case '\r':
        return EDIT_ENTERED;
    case CONTROL('d'):
        return edit->length == 0 ? EDIT_END : cut(edit, edit->cursor, forth(edit, edit->cursor));
    case CONTROL('a'):
        return move(edit, 0);
    case CONTROL('e'):
        return move(edit, edit->length);
    case CONTROL('b'):
        return move(edit, back(edit, edit->cursor));
    case CONTROL('f'):
        return move(edit, forth(edit, edit->cursor));
    case CONTROL('p'):
        return sequence(edit, "[A");
    case CONTROL('n'):
        return sequence(edit, "[B");
    case CONTROL('h'):
    case DELETE_KEY:
        return cut(edit, back(edit, edit->cursor), edit->cursor);
    case CONTROL('k'):
        return cut(edit, edit->cursor, edit->length);
    case CONTROL('u'):
        return cut(edit, 0, edit->cursor);
    case CONTROL('w'):
        return cut(edit, word_back(edit), edit->cursor);
    case CONTROL('l'):
        return EDIT_REDRAW;
    default:
        return EDIT_NOTHING;
    }
}

enum edit_result
edit_key(struct edit *edit, char byte)
{
    unsigned char value = (unsigned char)byte;

    /* A byte that cannot go on a half character starts anew. */
    if (edit->sequence_length > 0 && edit->sequence[0] != ESCAPE_KEY && (value & 0xc0) != 0x80)
        edit->sequence_length = 0;
    if (edit->sequence_length > 0 || value == ESCAPE_KEY || value >= 0x80)
        return collect(edit, byte);
    if (edit->pasting && (byte == '\n' || byte == '\r'))
        return insert(edit, "\n", 1);
    if (edit->pasting && (byte < ' ' || byte == DELETE_KEY))
        return byte == '\t' ? insert(edit, "\t", 1) : EDIT_NOTHING;
    if (byte >= ' ' && byte != DELETE_KEY)
        return insert(edit, &byte, 1);
    return control(edit, byte);
}

/* ---- Showing ---- */

/* How the character at `at` is shown, and in how many columns. Returns its bytes in the text. */
static size_t
show(const struct edit *edit, size_t at, char shown[16], size_t *columns)
{
    uint32_t c = 0;
    size_t size = utf8_decode(edit->text + at, edit->length - at, &c);

    size = size == 0 ? 1 : size;
    if (c == '\n')
        strcpy(shown, "⏎"); /* NOLINT: 4 of 16 bytes */
    else if (c == '\t')
        strcpy(shown, " "); /* NOLINT: 2 of 16 bytes */
    else
        escape(shown, 16, edit->text + at, size);
    *columns = shown[0] == '\\' && c != '\\' ? strlen(shown) : c < ' ' ? 1 : text_width(c);
    return size;
}

static size_t
width(const struct edit *edit, size_t from, size_t to)
{
    size_t sum = 0;

    while (from < to) {
        char shown[16];
        size_t columns;

        from += show(edit, from, shown, &columns);
        sum += columns;
    }
    return sum;
}

size_t
edit_view(const struct edit *edit, size_t columns, char *out, size_t size)
{
    size_t from = 0, used = 0, filled = 0, before = width(edit, 0, edit->cursor);

    /* Move on by whole thirds, so that the text does not slide with each key. */
    while (before >= columns && from < edit->cursor) {
        size_t step = columns / 3 + 1, gone = 0;

        while (gone < step && from < edit->cursor) {
            char shown[16];
            size_t one;

            from += show(edit, from, shown, &one);
            gone += one;
        }
        before -= gone;
    }
    for (size_t at = from; at < edit->length;) {
        char shown[16];
        size_t one, length, taken = show(edit, at, shown, &one);

        length = strlen(shown);
        if (filled + one > columns || used + length >= size)
            break;
        memcpy(out + used, shown, length);
        used += length;
        filled += one;
        at += taken;
    }
    out[used] = '\0';
    return before;
}
