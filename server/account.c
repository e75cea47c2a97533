/* account.c: accounts by number and by nickname, and their read markers. */
#include "account.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, spread: skeletons are chosen by strangers, but they are short and hash_mix scatters them.
 */
static uint64_t
hash_text(const char *text)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash_mix(value);
}

struct account *
account_find(const struct accounts *accounts, int64_t id)
{
    struct hash_node *node = hash_first(&accounts->by_id, hash_mix((uint64_t)id));

    for (; node != NULL; node = hash_next(node)) {
        struct account *account = hash_entry(node, struct account, by_id);

        if (account->id == id)
            return account;
    }
    return NULL;
}

struct account *
account_by_skeleton(const struct accounts *accounts, const char *skeleton)
{
    struct hash_node *node = hash_first(&accounts->by_skeleton, hash_text(skeleton));

    for (; node != NULL; node = hash_next(node)) {
        struct account *account = hash_entry(node, struct account, by_skeleton);

        if (strcmp(account->skeleton, skeleton) == 0)
            return account;
    }
    return NULL;
}

struct account *
account_by_guest_name(const struct accounts *accounts, const char *nick)
{
    struct account *account;
    char *end;
    long long id;

    if (strncmp(nick, "guest-", 6) != 0 || nick[6] < '0' || nick[6] > '9')
        return NULL;
    id = strtoll(nick + 6, &end, 10);
    account = *end == '\0' ? account_find(accounts, id) : NULL;
    return account != NULL && account->skeleton == NULL ? account : NULL;
}

struct account *
account_create(struct accounts *accounts, int64_t id, bool kept)
{
    struct account *account = calloc(1, sizeof(*account));

    if (account == NULL)
        return NULL;
    account->id = id;
    account->kept = kept;
    snprintf(account->nick, sizeof(account->nick), "guest-%" PRId64, id);
    if (hash_insert(&accounts->by_id, &account->by_id, hash_mix((uint64_t)id)) != LAZYCHAT_OK) {
        free(account);
        return NULL;
    }
    return account;
}

int
account_name(struct accounts *accounts, struct account *account, const char *nick,
             const char *skeleton)
{
    char *copy = strdup(skeleton);

    if (copy == NULL)
        return LAZYCHAT_NO_MEMORY;
    if (account->skeleton != NULL)
        hash_remove(&accounts->by_skeleton, &account->by_skeleton);
    free(account->skeleton);
    account->skeleton = NULL;
    if (hash_insert(&accounts->by_skeleton, &account->by_skeleton, hash_text(copy)) !=
        LAZYCHAT_OK) {
        free(copy);
        return LAZYCHAT_NO_MEMORY;
    }
    account->skeleton = copy;
    snprintf(account->nick, sizeof(account->nick), "%s", nick);
    return LAZYCHAT_OK;
}

struct account_mark *
account_mark(struct account *account, int64_t room, bool make)
{
    struct account_mark *marks = account->marks;

    for (size_t i = 0; i < account->mark_count; i++)
        if (marks[i].room == room)
            return &marks[i];
    if (!make)
        return NULL;
    marks = realloc(marks, (account->mark_count + 1) * sizeof(*marks));
    if (marks == NULL)
        return NULL;
    account->marks = marks;
    marks[account->mark_count] = (struct account_mark){.room = room};
    return &marks[account->mark_count++];
}

bool
account_read(struct accounts *accounts, struct account *account, int64_t room, int64_t seq,
             int64_t said)
{
    struct account_mark *mark = account_mark(account, room, true);

    if (mark == NULL || seq <= mark->seq)
        return false;
    mark->seq = seq;
    if (said != MARK_UNKNOWN)
        mark->said = said;
    if (!account->kept)
        return true;
    mark->dirty = true;
    if (!account->dirty) {
        account->dirty = true;
        account->next_dirty = accounts->dirty;
        accounts->dirty = account;
    }
    return true;
}

void
account_save(struct account *account, struct log *log)
{
    for (size_t i = 0; account->kept && i < account->mark_count; i++) {
        if (account->marks[i].dirty)
            log_mark(log, account->id, account->marks[i].room, account->marks[i].seq);
        account->marks[i].dirty = false;
    }
}

void
accounts_save(struct accounts *accounts, struct log *log)
{
    while (accounts->dirty != NULL) {
        struct account *account = accounts->dirty;

        accounts->dirty = account->next_dirty;
        account->dirty = false;
        account_save(account, log);
    }
}

static void
forget_dirty(struct accounts *accounts, const struct account *account)
{
    struct account **link = &accounts->dirty;

    while (*link != NULL && *link != account)
        link = &(*link)->next_dirty;
    if (*link != NULL)
        *link = account->next_dirty;
}

void
account_destroy(struct accounts *accounts, struct account *account, struct log *log)
{
    account_save(account, log);
    if (account->dirty)
        forget_dirty(accounts, account);
    hash_remove(&accounts->by_id, &account->by_id);
    if (account->skeleton != NULL)
        hash_remove(&accounts->by_skeleton, &account->by_skeleton);
    free(account->skeleton);
    free(account->marks);
    free(account);
}

void
accounts_free(struct accounts *accounts)
{
    hash_free(&accounts->by_id);
    hash_free(&accounts->by_skeleton);
}
