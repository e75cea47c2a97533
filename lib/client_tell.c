/* client_tell.c: turns messages into what lazychat.h tells a program. */
#include "client.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What a room that was left would say interests nobody. */
static bool
listens(const struct lazychat_room *room)
{
    return room->wanted;
}

void
client_tell_init(struct lazychat_event *event, enum lazychat_event_type type)
{
    memset(event, 0, sizeof(*event));
    event->type = type;
    event->retry = -1;
}

void
client_tell(struct lazychat_room *room, const struct lazychat_event *event)
{
    const struct lazychat_config *config = &room->server->chat->config;

    if (listens(room) && config->on_event != NULL)
        config->on_event(config->user, room, event);
}

void
client_tell_json(struct lazychat_room *room, const char *json, size_t length)
{
    const struct lazychat_config *config = &room->server->chat->config;

    if (listens(room) && config->on_json != NULL)
        config->on_json(config->user, room, json, length);
}

/* ---- Messages ---- */

static int64_t
or_zero(int64_t number)
{
    return number != MESSAGE_ABSENT ? number : 0;
}

static enum lazychat_kind
kind_of(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_TOPIC:
        return LAZYCHAT_TOPIC;
    case MESSAGE_EDITED:
        return LAZYCHAT_EDITED;
    case MESSAGE_REDACTED:
        return LAZYCHAT_REDACTED;
    case MESSAGE_REACTED:
        return LAZYCHAT_REACTED;
    default:
        return message->action ? LAZYCHAT_ACTION : LAZYCHAT_SAY;
    }
}

/* `reactions` has room for as many as the message has. */
static void
fill(struct lazychat_message *out, const struct lazychat_room *room, const struct message *message,
     struct lazychat_reaction *reactions)
{
    struct message each;

    memset(out, 0, sizeof(*out));
    out->kind = kind_of(message);
    out->seq = message->seq;
    out->at = message->at;
    out->from = message->from;
    out->nick = message->nick;
    out->text = message->redacted ? NULL : message->text;
    out->id = message->id;
    out->reply = or_zero(message->reply);
    out->target = or_zero(message->target);
    out->emoji = message->emoji;
    out->on = message->type == MESSAGE_REACTED && message->on;
    out->own = room->server->account != 0 && message->from == room->server->account;
    out->action = message->action;
    out->classic = message->classic;
    out->verified = message->verified;
    out->edited = message->edited;
    out->redacted = message->redacted;
    out->reactions = reactions;
    for (size_t i = 0; i < message_count(message->reactions); i++)
        if (message_element(message->reactions, i, MESSAGE_REACTION, &each) == LAZYCHAT_OK)
            reactions[out->reaction_count++] = (struct lazychat_reaction){
                .emoji = each.emoji, .count = each.count, .mine = each.mine};
}

/* `count` elements; never of size 0. NULL: no memory, and then it is not told. */
static void *
allocate(size_t count, size_t size)
{
    return calloc(count > 0 ? count : 1, size);
}

void
client_tell_message(struct lazychat_room *room, const struct message *message, const char *json,
                    size_t length, bool old, bool changed)
{
    const struct lazychat_config *config = &room->server->chat->config;
    struct lazychat_reaction *reactions;
    struct lazychat_message out;

    client_tell_json(room, json, length);
    if (!listens(room) || config->on_message == NULL)
        return;
    reactions = allocate(message_count(message->reactions), sizeof(*reactions));
    if (reactions == NULL)
        return;
    fill(&out, room, message, reactions);
    out.old = old;
    if (changed)
        out.kind = LAZYCHAT_CHANGED;
    if (out.target != 0)
        out.applied = sequence_applied(&room->sequence, out.target, out.seq);
    config->on_message(config->user, room, &out);
    free(reactions);
}

static size_t
reactions_of(const json_t *messages)
{
    struct message message;
    size_t count = 0;

    for (size_t i = 0; i < message_count(messages); i++)
        if (message_element(messages, i, MESSAGE_SAY, &message) == LAZYCHAT_OK)
            count += message_count(message.reactions);
    return count;
}

void
client_tell_list(struct lazychat_room *room, enum lazychat_event_type type, const json_t *messages,
                 int64_t head, int64_t first)
{
    struct lazychat_message *list = allocate(message_count(messages), sizeof(*list));
    struct lazychat_reaction *reactions = allocate(reactions_of(messages), sizeof(*reactions));
    struct lazychat_event event;
    struct message message;
    size_t used = 0;

    client_tell_init(&event, type);
    event.messages = list;
    event.head = head;
    event.first = first;
    for (size_t i = 0; i < message_count(messages) && list != NULL && reactions != NULL; i++) {
        struct lazychat_message *out = &list[event.message_count];

        if (message_element(messages, i, MESSAGE_SAY, &message) != LAZYCHAT_OK)
            continue;
        fill(out, room, &message, reactions + used);
        out->old = true;
        used += out->reaction_count;
        event.message_count++;
    }
    client_tell(room, &event);
    free(list);
    free(reactions);
}

/* ---- People ---- */

static struct lazychat_person *
people_of(const json_t *list, size_t *count)
{
    struct lazychat_person *people = allocate(message_count(list), sizeof(*people));
    struct message each;

    *count = 0;
    for (size_t i = 0; i < message_count(list) && people != NULL; i++)
        if (message_element(list, i, MESSAGE_PERSON, &each) == LAZYCHAT_OK)
            people[(*count)++] = (struct lazychat_person){.account = each.account,
                                                          .nick = each.nick,
                                                          .idle = each.idle,
                                                          .classic = each.classic,
                                                          .verified = each.verified};
    return people;
}

static void
tell_people(struct lazychat_room *room, enum lazychat_event_type type, const json_t *in,
            const json_t *out, int64_t count)
{
    struct lazychat_event event;
    struct lazychat_person *people_in, *people_out;

    client_tell_init(&event, type);
    event.people = count;
    event.people_in = people_in = people_of(in, &event.in_count);
    event.people_out = people_out = people_of(out, &event.out_count);
    client_tell(room, &event);
    free(people_in);
    free(people_out);
}

void
client_tell_names(struct lazychat_room *room, const json_t *people, int64_t count)
{
    tell_people(room, LAZYCHAT_NAMES, people, NULL, count);
}

void
client_tell_presence(struct lazychat_room *room, const struct message *message)
{
    tell_people(room, LAZYCHAT_PRESENCE, message->in, message->out, message->people);
}

/* ---- Rooms ---- */

static struct lazychat_room_info
info_of(const struct message *message)
{
    return (struct lazychat_room_info){
        .name = message->room,
        .port = message->port > 0 ? (uint16_t)message->port : 0,
        .topic = message->topic,
        .people = message->people,
        .head = message->head,
        .said = message->said,
        .unread = message->unread,
    };
}

void
client_tell_rooms(struct lazychat_room *room, const json_t *rooms)
{
    struct lazychat_room_info *list = allocate(message_count(rooms), sizeof(*list));
    struct lazychat_event event;
    struct message each;

    client_tell_init(&event, LAZYCHAT_ROOMS);
    event.rooms = list;
    for (size_t i = 0; i < message_count(rooms) && list != NULL; i++)
        if (message_element(rooms, i, MESSAGE_ROOM_ITEM, &each) == LAZYCHAT_OK)
            list[event.room_count++] = info_of(&each);
    client_tell(room, &event);
    free(list);
}

void
client_tell_room(struct lazychat_room *room, const struct message *message)
{
    struct lazychat_room_info info = info_of(message);
    struct lazychat_event event;

    client_tell_init(&event, LAZYCHAT_ROOM);
    event.rooms = &info;
    event.room_count = 1;
    event.on = message->fresh;
    event.id = message->id;
    client_tell(room, &event);
}
