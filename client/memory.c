/* memory.c: two rings, searched from their ends. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
memory_free(struct memory *memory)
{
    for (size_t i = 0; i < MEMORY_MESSAGES; i++)
        free(memory->messages[i].text);
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        free(memory->names[i].nick);
}

static char *
copy(const char *text)
{
    char *made = strdup(text);

    if (made == NULL)
        abort();
    return made;
}

/* ---- Messages ---- */

static struct memory_message *
find(const struct memory *memory, int64_t seq)
{
    for (size_t i = 0; i < MEMORY_MESSAGES; i++)
        if (memory->messages[i].text != NULL && memory->messages[i].seq == seq)
            return (struct memory_message *)&memory->messages[i];
    return NULL;
}

static void
set(struct memory_message *is, const char *text)
{
    free(is->text);
    is->text = copy(text != NULL ? text : "");
    is->redacted = text == NULL;
}

void
memory_add(struct memory *memory, const struct lazychat_message *message)
{
    bool said = message->kind == LAZYCHAT_SAY || message->kind == LAZYCHAT_ACTION;
    int64_t seq = said || message->kind == LAZYCHAT_CHANGED ? message->seq : message->target;
    struct memory_message *is = find(memory, seq);

    if (message->nick != NULL)
        memory_set_name(memory, message->from, message->nick);
    if (is == NULL && said) {
        is = &memory->messages[memory->next++ % MEMORY_MESSAGES];
        is->seq = seq;
        is->from = message->from;
        is->own = message->own;
    }
    if (is != NULL && message->kind == LAZYCHAT_REDACTED)
        set(is, NULL);
    else if (is != NULL &&
             (said || message->kind == LAZYCHAT_EDITED || message->kind == LAZYCHAT_CHANGED))
        set(is, message->redacted ? NULL : message->text);
}

const struct memory_message *
memory_find(const struct memory *memory, int64_t seq)
{
    return find(memory, seq);
}

/* From the latest one back; the ring may hold older ones that came later (history). */
static const struct memory_message *
latest(const struct memory *memory, int64_t account, bool own)
{
    const struct memory_message *best = NULL;

    for (size_t i = 0; i < MEMORY_MESSAGES; i++) {
        const struct memory_message *is = &memory->messages[i];
        bool fits = own ? is->own : account != 0 ? is->from == account : !is->own;

        if (is->text != NULL && !is->redacted && fits && (best == NULL || is->seq > best->seq))
            best = is;
    }
    return best;
}

const struct memory_message *
memory_latest(const struct memory *memory, int64_t account)
{
    return latest(memory, account, false);
}

const struct memory_message *
memory_latest_own(const struct memory *memory)
{
    return latest(memory, 0, true);
}

/* ---- Names ---- */

static struct memory_name *
find_name(const struct memory *memory, int64_t account)
{
    for (size_t i = 0; i < MEMORY_NAMES && i < memory->next_name; i++)
        if (memory->names[i].account == account)
            return (struct memory_name *)&memory->names[i];
    return NULL;
}

const char *
memory_name(const struct memory *memory, int64_t account)
{
    const struct memory_name *is = find_name(memory, account);

    return is != NULL ? is->nick : NULL;
}

void
memory_set_name(struct memory *memory, int64_t account, const char *nick)
{
    struct memory_name *is = find_name(memory, account);

    if (is != NULL && strcmp(is->nick, nick) == 0)
        return;
    if (is == NULL)
        is = &memory->names[memory->next_name++ % MEMORY_NAMES];
    if (is->account != account)
        is->here = false;
    free(is->nick);
    is->account = account;
    is->nick = copy(nick);
}

bool
memory_set_here(struct memory *memory, int64_t account, bool here)
{
    struct memory_name *is = find_name(memory, account);
    bool news = is != NULL && is->here != here;

    if (is != NULL)
        is->here = here;
    return news;
}

void
memory_empty(struct memory *memory)
{
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        memory->names[i].here = false;
}

size_t
memory_whose(const struct memory *memory, const char *text, int64_t *account)
{
    size_t longest = 0, more;

    for (size_t i = 0; i < MEMORY_NAMES && i < memory->next_name; i++) {
        const struct memory_name *is = &memory->names[i];
        size_t length = strlen(is->nick);

        if (length > longest && strncasecmp(is->nick, text, length) == 0 &&
            (text[length] == '\0' || text[length] == ' ' || text[length] == ':')) {
            longest = length;
            *account = is->account;
        }
    }
    more = longest > 0 && text[longest] == ':' ? 1 : 0;
    while (longest > 0 && text[longest + more] == ' ')
        more++;
    return longest + more;
}
