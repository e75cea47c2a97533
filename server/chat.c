/* chat.c: rooms, who is here, and what is told at intervals. */
#include "chat.h"

#include "logger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Rooms ---- */

struct room *
chat_lobby(const struct chat *chat)
{
    return chat->rooms[0];
}

struct room *
chat_room_named(const struct chat *chat, const char *name)
{
    for (size_t i = 0; i < chat->room_count; i++)
        if (strcmp(chat->rooms[i]->info.name, name) == 0)
            return chat->rooms[i];
    return NULL;
}

struct room *
chat_room(const struct chat *chat, int64_t id)
{
    return id >= 0 && (size_t)id < chat->by_id_size ? chat->by_id[id] : NULL;
}

/* Room for one more in both tables. */
static bool
make_room(struct chat *chat, int64_t id)
{
    struct room **larger = realloc(chat->rooms, (chat->room_count + 1) * sizeof(struct room *));

    if (larger == NULL)
        return false;
    chat->rooms = larger;
    if ((size_t)id < chat->by_id_size)
        return true;
    larger = realloc(chat->by_id, ((size_t)id + 1) * sizeof(struct room *));
    if (larger == NULL)
        return false;
    for (size_t i = chat->by_id_size; i <= (size_t)id; i++)
        larger[i] = NULL;
    chat->by_id = larger;
    chat->by_id_size = (size_t)id + 1;
    return true;
}

static struct room *
add_room(struct chat *chat, const struct log_room *info, FILE *errors)
{
    uint16_t classic_port = info->id == LOG_LOBBY ? chat->config.classic_port : 0;
    struct room *room;
    size_t at = chat->room_count;

    if (!make_room(chat, info->id))
        return NULL;
    room = room_open(info, chat->config.transport, classic_port, &chat->stirred, errors);
    if (room == NULL)
        return NULL;
    while (at > 0 && chat->rooms[at - 1]->info.port > info->port) {
        chat->rooms[at] = chat->rooms[at - 1];
        at--;
    }
    chat->rooms[at] = room;
    chat->by_id[info->id] = room;
    chat->room_count++;
    log_keep(chat->log, info->id, chat->config.keep_age, chat->config.keep_count);
    return room;
}

struct room *
chat_add_room(struct chat *chat, const struct log_room *info)
{
    char *text = NULL;
    size_t length;
    FILE *errors = open_memstream(&text, &length);
    struct room *room = errors != NULL ? add_room(chat, info, errors) : NULL;

    if (errors != NULL)
        fclose(errors);
    if (room == NULL)
        logger_write(LOGGER_ERROR, "room", "room=%s port=%u cannot be opened: %s", info->name,
                     info->port, text != NULL ? text : "no memory");
    free(text);
    return room;
}

struct chat *
chat_open(const struct chat_config *config, FILE *errors)
{
    struct chat *chat = calloc(1, sizeof(*chat));
    struct log_room info;

    if (chat == NULL)
        return NULL;
    chat->config = *config;
    chat->log = config->log;
    for (size_t i = 0; log_room(chat->log, i, &info); i++) {
        if (add_room(chat, &info, errors) == NULL) {
            chat_close(chat);
            return NULL;
        }
    }
    return chat;
}

void
chat_close(struct chat *chat)
{
    if (chat == NULL)
        return;
    for (size_t i = 0; i < chat->room_count; i++) {
        while (chat->rooms[i]->first_member != NULL)
            chat_down(chat, chat->rooms[i]->first_member);
        room_close(chat->rooms[i]);
    }
    free(chat->rooms);
    free(chat->by_id);
    accounts_free(&chat->accounts);
    hash_free(&chat->tokens);
    free(chat);
}

/* ---- Members ---- */

struct member *
chat_member(const struct chat *chat, uint64_t token)
{
    struct hash_node *node = hash_first(&chat->tokens, hash_mix(token));

    for (; node != NULL; node = hash_next(node)) {
        struct member *member = hash_entry(node, struct member, by_token);

        if (member->token == token)
            return member;
    }
    return NULL;
}

struct member *
chat_up(struct chat *chat, struct room *room, const struct transport_endpoint *at, uint32_t assoc,
        bool classic)
{
    struct member *member = member_create(room, at, assoc, classic, ++chat->next_token);

    if (member == NULL)
        return NULL;
    if (room_add(room, member) != LAZYCHAT_OK) {
        member_destroy(member);
        return NULL;
    }
    if (hash_insert(&chat->tokens, &member->by_token, hash_mix(member->token)) != LAZYCHAT_OK) {
        room_remove(room, member);
        member_destroy(member);
        return NULL;
    }
    return member;
}

static void
left(struct chat *chat, struct account *account)
{
    if (account != NULL)
        account_destroy(&chat->accounts, account, chat->log);
}

void
chat_down(struct chat *chat, struct member *member)
{
    hash_remove(&chat->tokens, &member->by_token);
    left(chat, room_leave(member->room, member));
    room_remove(member->room, member);
    member_destroy(member);
}

void
chat_restarted(struct chat *chat, struct member *member)
{
    struct room *room = member->room;
    const struct transport_endpoint *at = member->at;
    uint32_t assoc = member->assoc;
    bool classic = member->classic;

    /* Answers that are under way belong to the one before: it gets another token. */
    chat_down(chat, member);
    chat_up(chat, room, at, assoc, classic);
}

struct account *
chat_speaker(struct chat *chat, struct member *member)
{
    if (member->account == NULL)
        chat_identified(chat, member, log_guest(chat->log), false, NULL);
    return member->account;
}

bool
chat_identified(struct chat *chat, struct member *member, int64_t id, bool kept, const char *nick)
{
    struct account *account = account_find(&chat->accounts, id);
    char skeleton[NICK_SKELETON_SIZE], name[NICK_SIZE];
    const char *why;

    if (account == NULL) {
        account = account_create(&chat->accounts, id, kept);
        if (account == NULL)
            return false;
        if (nick != NULL && nick_check(nick, name, skeleton, &why) == LAZYCHAT_OK)
            account_name(&chat->accounts, account, name, skeleton);
    }
    account->active = chat->now;
    left(chat, room_enter(member->room, member, account));
    return true;
}

void
chat_named(struct chat *chat, struct account *account, const char *nick, const char *skeleton)
{
    if (account_name(&chat->accounts, account, nick, skeleton) != LAZYCHAT_OK)
        return;
    for (struct member *member = account->members; member != NULL; member = member->next_of_account)
        room_renamed(member->room, account);
}

/* ---- Numbers ---- */

void
chat_numbered(struct chat *chat, struct room *room, int64_t seq, bool said)
{
    room->info.head = seq;
    room->info.said += said;
    if (room->head_told && room != chat_lobby(chat)) {
        room->head_told = false;
        room->next_untold = chat->untold;
        chat->untold = room;
    }
}

int64_t
chat_unread(const struct room *room, struct account *account)
{
    const struct account_mark *mark = account_mark(account, room->info.id, false);

    return room->info.said - (mark != NULL ? mark->said : 0);
}

void
chat_describe(const struct room *room, struct account *account, struct message *element)
{
    message_init(element, MESSAGE_ROOM_ITEM);
    element->room = room->info.name;
    element->port = room->info.port;
    element->topic = room->info.topic;
    element->people = (int64_t)room->people_count;
    element->head = room->info.head;
    element->said = room->info.said;
    if (account != NULL)
        element->unread = chat_unread(room, account);
}

/* ---- At intervals ---- */

static void
tell_heads(struct chat *chat)
{
    struct message heads;
    int used = 0;

    message_init(&heads, MESSAGE_HEADS);
    while (chat->untold != NULL) {
        struct room *room = chat->untold;
        struct message element;
        int added;

        chat->untold = room->next_untold;
        room->head_told = true;
        message_init(&element, MESSAGE_ROOM_ITEM);
        element.room = room->info.name;
        element.head = room->info.head;
        element.said = room->info.said;
        added = message_add(&heads.items, &element);
        used += added > 0 ? added : 0;
        if (used > MESSAGE_MAX - 512 || chat->untold == NULL) {
            room_say(chat_lobby(chat), MESSAGE_STREAM_LIVE, &heads);
            message_free(&heads);
            used = 0;
        }
    }
}

/* Whoever is here and has not said who, by the time it is told, is a guest. */
static void
name_strangers(struct chat *chat, struct room *room)
{
    for (struct member *next, *member = room->strangers; member != NULL; member = next) {
        next = member->next_stranger;
        if (!member->asking)
            chat_speaker(chat, member);
    }
}

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
chat_intervals(struct chat *chat, int64_t now)
{
    struct room **link = &chat->stirred;
    int64_t next = ENDPOINT_NO_DEADLINE;

    while (*link != NULL) {
        struct room *room = *link;

        if (room->presence_due != 0 && now >= room->presence_due)
            name_strangers(chat, room);
        next = sooner(next, room_presence(room, now));
        if (room->stirred)
            link = &room->next_stirred;
        else
            *link = room->next_stirred;
    }
    if (chat->untold != NULL && now >= chat->heads_due) {
        tell_heads(chat);
        chat->heads_due = now + CHAT_HEADS_MS;
    } else if (chat->untold != NULL) {
        next = sooner(next, chat->heads_due);
    }
    if (chat->accounts.dirty != NULL && now >= chat->marks_due) {
        accounts_save(&chat->accounts, chat->log);
        chat->marks_due = now + CHAT_MARKS_MS;
    } else if (chat->accounts.dirty != NULL) {
        next = sooner(next, chat->marks_due);
    }
    return next;
}
