/* request.c: the rules for what peers ask. */
#include "request.h"

#include "classic.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_DOWN_MS  1000  /* nothing more is taken for so long */
#define AGAIN_MS      1100  /* after which it may be said again: the peer's clock is not ours */
#define BATCH_BYTES   14000 /* of text to ask the log for; what fits is seen when it is packed */
#define HISTORY_LIMIT 100   /* unless told otherwise */
#define SEARCH_LIMIT  20
#define PAGE_BYTES    (MESSAGE_MAX - 512)

static void
refuse(struct member *member, const struct message *message, const char *code, const char *field,
       const char *text)
{
    member_refuse(member, code, field, message->id, MESSAGE_ABSENT, text);
}

static void
refuse_for_now(struct member *member, const struct message *message)
{
    member_refuse(member, "slow-down", NULL, message->id, AGAIN_MS,
                  "too much at once; ask again later");
}

/* ---- What goes into the log ---- */

static void
append(struct chat *chat, struct member *member, const struct message *message,
       struct log_entry *entry)
{
    struct account *account = chat_speaker(chat, member);

    entry->room = member->room->info.id;
    entry->id = message->id;
    if (account != NULL) {
        entry->account = account->id;
        entry->nick = account->nick;
        entry->verified = account->verified;
        account->active = chat->now;
    }
    if (account != NULL && log_append(chat->log, entry, NULL, member->token) == LAZYCHAT_OK) {
        chat->appending++;
        return;
    }
    member->complained = chat->now;
    refuse_for_now(member, message);
}

static void
take_say(struct chat *chat, struct member *member, const struct message *message)
{
    struct log_entry entry = {.kind = message->action ? LOG_ACTION : LOG_SAY,
                              .text = message->text,
                              .target = message->reply == MESSAGE_ABSENT ? 0 : message->reply};

    append(chat, member, message, &entry);
}

static void
take_edit(struct chat *chat, struct member *member, const struct message *message)
{
    struct log_entry entry = {.kind = LOG_EDIT, .text = message->text, .target = message->seq};

    append(chat, member, message, &entry);
}

static void
take_redact(struct chat *chat, struct member *member, const struct message *message)
{
    struct log_entry entry = {.kind = LOG_REDACT, .target = message->seq};

    append(chat, member, message, &entry);
}

static void
take_react(struct chat *chat, struct member *member, const struct message *message)
{
    struct log_entry entry = {
        .kind = LOG_REACT, .emoji = message->emoji, .on = message->on, .target = message->seq};

    append(chat, member, message, &entry);
}

static void
take_topic(struct chat *chat, struct member *member, const struct message *message)
{
    struct log_entry entry = {.kind = LOG_TOPIC, .text = message->text};

    append(chat, member, message, &entry);
}

/* ---- Who one is ---- */

static unsigned char
hex_digit(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The key that a secret is: only its SHA-256 is ever kept. */
static void
key_of(const char *secret, uint8_t key[SHA256_DIGEST_LENGTH])
{
    uint8_t bytes[MESSAGE_SECRET_SIZE / 2];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(hex_digit(secret[2 * i]) << 4 | hex_digit(secret[2 * i + 1]));
    SHA256(bytes, sizeof(bytes), key);
    explicit_bzero(bytes, sizeof(bytes));
}

static void
identify(struct chat *chat, struct member *member, const struct message *message)
{
    uint8_t key[SHA256_DIGEST_LENGTH];

    key_of(message->secret, key);
    if (member->has_key && memcmp(key, member->key, sizeof(key)) != 0) {
        refuse(member, message, "joined", "secret",
               "this association has joined with another secret");
        return;
    }
    if (log_identify(chat->log, LOG_KEY_SECRET, key, sizeof(key), member->token) != LAZYCHAT_OK) {
        refuse_for_now(member, message);
        return;
    }
    memcpy(member->key, key, sizeof(key));
    member->has_key = true;
    member->asking = true;
}

static void
take_join(struct chat *chat, struct member *member, const struct message *message)
{
    free(member->wanted);
    member->wanted = message->nick != NULL ? strdup(message->nick) : NULL;
    member->since = message->since;
    member->last = message->last;
    if (message->secret != NULL)
        identify(chat, member, message);
    else if (chat_speaker(chat, member) != NULL)
        request_welcome(chat, member);
}

void
request_welcome(struct chat *chat, struct member *member)
{
    const struct room *room = member->room;
    struct account *account = member->account;
    const struct account_mark *mark = account_mark(account, room->info.id, false);
    struct log_range range = {.room = room->info.id,
                              .limit = MESSAGE_LIMIT_MAX,
                              .bytes = BATCH_BYTES,
                              .account = account->id};
    struct message welcome;

    member->joined = true;
    message_init(&welcome, MESSAGE_WELCOME);
    welcome.protocol = MESSAGE_PROTOCOL;
    welcome.version = lazychat_version();
    welcome.server = chat->config.server;
    welcome.room = room->info.name;
    welcome.port = room->info.port;
    welcome.log = log_id(chat->log);
    welcome.head = room->info.head;
    welcome.first = room->info.first;
    welcome.topic = room->info.topic;
    welcome.people = (int64_t)room->people_count;
    welcome.roster = room->roster;
    welcome.account = account->id;
    welcome.nick = account->nick;
    welcome.verified = account->verified;
    welcome.read = mark != NULL ? mark->seq : 0;
    welcome.unread = chat_unread(room, account);
    welcome.rate = chat->config.rate;
    member_send(member, MESSAGE_STREAM_LIVE, &welcome);

    if (member->since != MESSAGE_ABSENT)
        range.since = member->since;
    if (member->last != MESSAGE_ABSENT && member->last < room->info.head - range.since) {
        range.before = room->info.head + 1;
        range.limit = (size_t)member->last;
    }
    if ((member->last != MESSAGE_ABSENT || member->since != MESSAGE_ABSENT) &&
        range.since < room->info.head && log_read(chat->log, &range, member->token) == LAZYCHAT_OK)
        member->requests++;
    if (member->wanted != NULL && strcmp(member->wanted, account->nick) != 0)
        request_nick(chat, member, member->wanted, NULL);
    free(member->wanted);
    member->wanted = NULL;
}

void
request_nick(struct chat *chat, struct member *member, const char *nick, const char *id)
{
    char name[NICK_SIZE], skeleton[NICK_SKELETON_SIZE];
    const char *why;

    if (member->account == NULL || !member->account->kept) {
        member_refuse(member, "not-joined", NULL, id, MESSAGE_ABSENT,
                      "a nickname belongs to an account: join with a secret first");
        return;
    }
    if (nick_check(nick, name, skeleton, &why) != LAZYCHAT_OK) {
        member_refuse(member, "bad-nick", "nick", id, MESSAGE_ABSENT, why);
        return;
    }
    if (log_name(chat->log, member->account->id, name, skeleton, member->token) != LAZYCHAT_OK) {
        member_refuse(member, "slow-down", NULL, id, AGAIN_MS, "too much at once; ask again later");
        return;
    }
    snprintf(member->naming, sizeof(member->naming), "%s", id != NULL ? id : "");
    member->asking = true; /* what is said next is said by that name */
}

static void
take_nick(struct chat *chat, struct member *member, const struct message *message)
{
    request_nick(chat, member, message->nick, message->id);
}

/* ---- What was said before ---- */

/* One more request to the log, if that is not too many. */
static bool
may_ask(struct member *member, const struct message *message)
{
    if (member->requests < MEMBER_REQUESTS_MAX)
        return true;
    refuse_for_now(member, message);
    return false;
}

static void
take_history(struct chat *chat, struct member *member, const struct message *message)
{
    const struct account *account = chat_speaker(chat, member);
    struct log_range range = {.room = member->room->info.id,
                              .limit = HISTORY_LIMIT,
                              .bytes = BATCH_BYTES,
                              .account = account != NULL ? account->id : 0};

    if ((message->since == MESSAGE_ABSENT) == (message->before == MESSAGE_ABSENT)) {
        refuse(member, message, "bad-field", "since", "either `since` or `before` is needed");
        return;
    }
    if (!may_ask(member, message))
        return;
    if (message->before != MESSAGE_ABSENT)
        range.before = message->before;
    else
        range.since = message->since;
    if (message->until != MESSAGE_ABSENT)
        range.until = message->until;
    if (message->limit != MESSAGE_ABSENT)
        range.limit = (size_t)message->limit;
    if (log_read(chat->log, &range, member->token) == LAZYCHAT_OK)
        member->requests++;
    else
        refuse_for_now(member, message);
}

static void
take_search(struct chat *chat, struct member *member, const struct message *message)
{
    const struct account *account = chat_speaker(chat, member);
    size_t limit = message->limit != MESSAGE_ABSENT ? (size_t)message->limit : SEARCH_LIMIT;
    int64_t before = message->before != MESSAGE_ABSENT ? message->before : 0;

    if (!may_ask(member, message))
        return;
    if (log_search(chat->log, member->room->info.id, message->text, before, limit,
                   account != NULL ? account->id : 0, member->token) == LAZYCHAT_OK)
        member->requests++;
    else
        refuse_for_now(member, message);
}

/* ---- Read markers ---- */

void
request_tell_read(const struct chat *chat, struct account *account, const struct room *room,
                  const struct member *but)
{
    const struct account_mark *mark = account_mark(account, room->info.id, false);
    struct message read;

    if (mark == NULL)
        return;
    message_init(&read, MESSAGE_READ);
    read.room = room->info.name;
    read.seq = mark->seq;
    read.unread = chat_unread(room, account);
    for (struct member *member = account->members; member != NULL; member = member->next_of_account)
        if (member != but && (member->room == room || member->room == chat_lobby(chat)))
            member_send(member, MESSAGE_STREAM_LIVE, &read);
}

static void
take_read(struct chat *chat, struct member *member, const struct message *message)
{
    struct account *account = chat_speaker(chat, member);
    struct room *room = message->room != NULL ? chat_room_named(chat, message->room) : member->room;
    int64_t seq = message->seq;

    if (room == NULL) {
        refuse(member, message, "no-room", "room", "there is no such room");
        return;
    }
    if (account == NULL)
        return;
    if (seq >= room->info.head) { /* all of it: nothing to count */
        if (account_read(&chat->accounts, account, room->info.id, room->info.head, room->info.said))
            request_tell_read(chat, account, room, member);
        return;
    }
    if (account_read(&chat->accounts, account, room->info.id, seq, MARK_UNKNOWN))
        log_count(chat->log, room->info.id, seq, member->token);
}

/* ---- Who and what there is ---- */

static void
take_names(struct chat *chat, struct member *member, const struct message *message)
{
    const struct room *room = member->room;
    size_t at = room_person_after(room, message->after);
    struct message names;
    size_t used = 0;

    message_init(&names, MESSAGE_NAMES);
    names.roster = room->roster;
    names.people = (int64_t)room->people_count;
    for (; at < room->people_count && used < PAGE_BYTES - 256; at++) {
        const struct account *account = room->people[at].account;
        struct message person;
        int added;

        message_init(&person, MESSAGE_PERSON);
        person.account = account->id;
        person.nick = account->nick;
        person.verified = account->verified;
        person.classic = account->members->classic;
        person.idle = (chat->now - account->active) / 1000;
        added = message_add(&names.items, &person);
        used += added > 0 ? (size_t)added : 0;
    }
    if (at < room->people_count)
        names.next = room->people[at - 1].account->id;
    member_send(member, MESSAGE_STREAM_BULK, &names);
    message_free(&names);
}

static void
take_rooms(struct chat *chat, struct member *member, const struct message *message)
{
    struct account *account = chat_speaker(chat, member);
    struct message rooms;
    size_t used = 0;

    message_init(&rooms, MESSAGE_ROOMS);
    for (size_t i = 0; i < chat->room_count; i++) {
        const struct room *room = chat->rooms[i];
        struct message element;
        int added;

        if (room->info.port <= message->after)
            continue;
        if (used > PAGE_BYTES - 2 * MESSAGE_TOPIC_MAX - 256) {
            rooms.next = chat->rooms[i - 1]->info.port;
            break;
        }
        chat_describe(room, account, &element);
        added = message_add(&rooms.items, &element);
        used += added > 0 ? (size_t)added : 0;
    }
    member_send(member, MESSAGE_STREAM_BULK, &rooms);
    message_free(&rooms);
}

static void
take_open(struct chat *chat, struct member *member, const struct message *message)
{
    if (log_open_room(chat->log, message->room, message->topic != NULL ? message->topic : "",
                      chat->config.rooms_max, member->token) != LAZYCHAT_OK)
        refuse_for_now(member, message);
    else
        member_opens(member, message->id);
}

/* ---- What is not kept ---- */

/* When it was passed on last that the account types in the room, by whichever client; 0: never. */
static int64_t
typed(const struct account *account, const struct room *room)
{
    int64_t latest = 0;

    for (const struct member *m = account->members; m != NULL; m = m->next_of_account)
        if (m->room == room && m->typing > latest)
            latest = m->typing;
    return latest;
}

static void
take_typing(struct chat *chat, struct member *member, const struct message *message)
{
    struct account *account = chat_speaker(chat, member);
    struct message typing;
    int64_t latest;

    if (account == NULL)
        return;
    account->active = chat->now;
    latest = typed(account, member->room);
    if (message->on && latest != 0 && chat->now < latest + REQUEST_TYPING_MS)
        return;
    if (!message->on && member->typing == 0)
        return;
    member->typing = message->on ? chat->now : 0;
    message_init(&typing, MESSAGE_TYPING);
    typing.from = account->id;
    typing.nick = account->nick;
    typing.on = message->on;
    room_say(member->room, MESSAGE_STREAM_EPHEMERAL, &typing);
}

static struct account *
find_nick(const struct chat *chat, const char *nick)
{
    char name[NICK_SIZE], skeleton[NICK_SKELETON_SIZE];
    const char *why;
    struct account *guest = account_by_guest_name(&chat->accounts, nick);

    if (guest != NULL)
        return guest;
    if (nick_check(nick, name, skeleton, &why) != LAZYCHAT_OK)
        return NULL;
    return account_by_skeleton(&chat->accounts, skeleton);
}

/* To one association of each client, as well as can be told: those in the lobby, where every client
 * is; to all if it is in none. */
static bool
whisper_to(const struct chat *chat, const struct account *account, const struct message *whisper)
{
    bool lobby = false, heard = false;

    for (const struct member *m = account->members; m != NULL; m = m->next_of_account)
        lobby = lobby || (m->room == chat_lobby(chat) && !m->classic);
    for (struct member *m = account->members; m != NULL; m = m->next_of_account)
        if (!m->classic && (!lobby || m->room == chat_lobby(chat)))
            heard = member_send(m, MESSAGE_STREAM_LIVE, whisper) == LAZYCHAT_OK || heard;
    return heard;
}

static void
take_whisper(struct chat *chat, struct member *member, const struct message *message)
{
    struct account *account = chat_speaker(chat, member);
    struct account *target = find_nick(chat, message->to);
    struct message whisper;

    if (account == NULL)
        return;
    message_init(&whisper, MESSAGE_WHISPER);
    whisper.id = message->id;
    whisper.at = chat->real_time;
    whisper.from = account->id;
    whisper.nick = account->nick;
    whisper.verified = account->verified;
    whisper.text = message->text;
    whisper.to = target != NULL ? target->nick : NULL;
    account->active = chat->now;
    if (target == NULL || !whisper_to(chat, target, &whisper))
        refuse(member, message, "not-here", "to", "nobody of that name is here to hear a whisper");
    else if (target != account)
        whisper_to(chat, account, &whisper);
}

/* ---- The classic lobby ---- */

/* Bytes into the log: what the lobby reads is one or more texts; the classic lobby gets the bytes
 * themselves, with the last of them. */
static void
take_classic(struct chat *chat, struct member *member, const struct endpoint_event *event)
{
    struct account *account = chat_speaker(chat, member);
    char text[MESSAGE_TEXT_MAX + 1];
    size_t done = 0;

    while (account != NULL && done < event->length) {
        struct log_entry entry = {.room = member->room->info.id,
                                  .account = account->id,
                                  .nick = account->nick,
                                  .kind = LOG_SAY,
                                  .text = text,
                                  .classic = true};
        struct classic_bytes *bytes;

        done += classic_text((const uint8_t *)event->data + done, event->length - done, text);
        bytes = done < event->length ? classic_bytes(NULL, 0)
                                     : classic_bytes(event->data, event->length);
        if (bytes == NULL || log_append(chat->log, &entry, bytes, member->token) != LAZYCHAT_OK) {
            free(bytes);
            return;
        }
        chat->appending++;
    }
    if (account != NULL)
        account->active = chat->now;
}

/* ---- All of them ---- */

typedef void request(struct chat *chat, struct member *member, const struct message *message);

static request *const requests[MESSAGE_TYPES] = {
    [MESSAGE_JOIN] = take_join,       [MESSAGE_SAY] = take_say,
    [MESSAGE_EDIT] = take_edit,       [MESSAGE_REDACT] = take_redact,
    [MESSAGE_REACT] = take_react,     [MESSAGE_TOPIC] = take_topic,
    [MESSAGE_NICK] = take_nick,       [MESSAGE_TYPING] = take_typing,
    [MESSAGE_READ] = take_read,       [MESSAGE_WHISPER] = take_whisper,
    [MESSAGE_HISTORY] = take_history, [MESSAGE_SEARCH] = take_search,
    [MESSAGE_NAMES] = take_names,     [MESSAGE_ROOMS] = take_rooms,
    [MESSAGE_OPEN] = take_open,
};

/* Not more than it may? Says so, but not to every one of a flood. Who was refused is not heard for
 * a moment: what is on its way already must not overtake what has to be said again. */
static bool
within_limits(struct chat *chat, struct member *member, const struct message *message)
{
    bool reading = message->type == MESSAGE_HISTORY || message->type == MESSAGE_SEARCH;
    const struct chat_config *config = &chat->config;
    int64_t *complained = reading ? &member->complained_reading : &member->complained;
    char text[96];

    if (*complained != 0 && chat->now < *complained + SLOW_DOWN_MS)
        return false;
    if (reading
            ? bucket_take(&member->history, chat->now, REQUEST_HISTORY_RATE, REQUEST_HISTORY_RATE)
            : bucket_take(&member->messages, chat->now, config->rate, config->burst))
        return true;
    *complained = chat->now;
    snprintf(text, sizeof(text), "more than %u messages a second; say it again later",
             reading ? REQUEST_HISTORY_RATE : config->rate);
    member_refuse(member, "slow-down", NULL, message->id, AGAIN_MS, text);
    return false;
}

/* False: that was one too many. */
static bool
take_fault(struct chat *chat, struct member *member, const struct message_fault *fault)
{
    if (!bucket_take(&member->faults, chat->now, 1, REQUEST_FAULTS)) {
        member_refuse(member, "too-many-errors", NULL, NULL, MESSAGE_ABSENT,
                      "too many malformed messages; this association ends here");
        return false;
    }
    member_refuse(member, fault->code, fault->field, fault->id, MESSAGE_ABSENT, fault->text);
    return true;
}

static bool
take_bytes(struct chat *chat, struct member *member, const void *bytes, size_t length)
{
    struct message message;
    struct message_fault fault;
    int error = message_parse(&message, MESSAGE_OF_CLIENT, bytes, length, &fault);

    if (error == LAZYCHAT_INVALID)
        return take_fault(chat, member, &fault);
    if (error != LAZYCHAT_OK)
        return true;
    if (within_limits(chat, member, &message))
        requests[message.type](chat, member, &message);
    message_free(&message);
    return true;
}

bool
request_take(struct chat *chat, struct member *member, const struct endpoint_event *event)
{
    if (member->classic) {
        take_classic(chat, member, event);
        return true;
    }
    if (!member->asking)
        return take_bytes(chat, member, event->data, event->length);
    /* Who says it, or by which name, is being looked up. */
    if (!member_hold(member, event->data, event->length))
        member_refuse(member, "slow-down", NULL, NULL, AGAIN_MS,
                      "too much at once; say it again later");
    return true;
}

bool
request_release(struct chat *chat, struct member *member)
{
    bool good = true;

    while (good && !member->asking) {
        struct held held;
        struct waiting *owner = member_held(member, &held);

        if (owner == NULL)
            break;
        good = take_bytes(chat, member, held.bytes, held.length);
        free(owner);
    }
    return good;
}
