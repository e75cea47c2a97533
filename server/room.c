/* room.c: members and people of a room, presence, saying to all. */
#include "room.h"

#include <stdlib.h>
#include <string.h>

/* ---- Endpoints ---- */

struct room *
room_open(const struct log_room *info, struct transport *transport, uint16_t classic_port,
          struct room **stirred_rooms, FILE *errors)
{
    struct room *room = calloc(1, sizeof(*room));
    int count;

    if (room == NULL)
        return NULL;
    room->info = *info;
    room->head_told = true;
    room->stirred_rooms = stirred_rooms;
    count = transport_endpoints(transport, info->port, room, room->endpoints, errors);
    if (count < 0)
        goto failed;
    room->endpoint_count = (size_t)count;
    if (classic_port != 0) {
        count = transport_endpoints(transport, classic_port, room, room->classic, errors);
        if (count < 0)
            goto failed;
        room->classic_count = (size_t)count;
    }
    return room;
failed:
    room_close(room);
    return NULL;
}

static void
close_endpoints(struct transport_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        endpoint_close(endpoints[i].endpoint);
}

void
room_close(struct room *room)
{
    if (room == NULL)
        return;
    close_endpoints(room->endpoints, room->endpoint_count);
    close_endpoints(room->classic, room->classic_count);
    hash_free(&room->members);
    free(room->people);
    free(room->changed);
    free(room);
}

static bool
anybody(const struct transport_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (endpoint_associations(endpoints[i].endpoint) > 0)
            return true;
    return false;
}

bool
room_has_classic(const struct room *room)
{
    return anybody(room->classic, room->classic_count);
}

size_t
room_associations(const struct room *room)
{
    size_t count = 0;

    for (size_t i = 0; i < room->endpoint_count; i++)
        count += endpoint_associations(room->endpoints[i].endpoint);
    for (size_t i = 0; i < room->classic_count; i++)
        count += endpoint_associations(room->classic[i].endpoint);
    return count;
}

/* ---- Members ---- */

static uint64_t
assoc_hash(const struct endpoint *endpoint, uint32_t assoc)
{
    return hash_mix((uint64_t)(uintptr_t)endpoint ^ ((uint64_t)assoc << 32));
}

struct member *
room_member(const struct room *room, const struct endpoint *endpoint, uint32_t assoc)
{
    struct hash_node *node = hash_first(&room->members, assoc_hash(endpoint, assoc));

    for (; node != NULL; node = hash_next(node)) {
        struct member *member = hash_entry(node, struct member, by_assoc);

        if (member->assoc == assoc && member->at->endpoint == endpoint)
            return member;
    }
    return NULL;
}

/* Its presence is to be told. */
static void
stir(struct room *room)
{
    if (room->stirred)
        return;
    room->stirred = true;
    room->next_stirred = *room->stirred_rooms;
    *room->stirred_rooms = room;
}

static void
stranger_add(struct room *room, struct member *member)
{
    member->next_stranger = room->strangers;
    member->link_stranger = &room->strangers;
    if (room->strangers != NULL)
        room->strangers->link_stranger = &member->next_stranger;
    room->strangers = member;
    stir(room);
}

static void
stranger_remove(struct member *member)
{
    if (member->link_stranger == NULL)
        return;
    *member->link_stranger = member->next_stranger;
    if (member->next_stranger != NULL)
        member->next_stranger->link_stranger = member->link_stranger;
    member->link_stranger = NULL;
}

int
room_add(struct room *room, struct member *member)
{
    int error = hash_insert(&room->members, &member->by_assoc,
                            assoc_hash(member->at->endpoint, member->assoc));

    if (error != LAZYCHAT_OK)
        return error;
    member->next_in_room = room->first_member;
    member->link_in_room = &room->first_member;
    if (room->first_member != NULL)
        room->first_member->link_in_room = &member->next_in_room;
    room->first_member = member;
    stranger_add(room, member);
    return LAZYCHAT_OK;
}

void
room_remove(struct room *room, struct member *member)
{
    hash_remove(&room->members, &member->by_assoc);
    *member->link_in_room = member->next_in_room;
    if (member->next_in_room != NULL)
        member->next_in_room->link_in_room = member->link_in_room;
    stranger_remove(member);
}

/* ---- People ---- */

size_t
room_person_after(const struct room *room, int64_t after)
{
    size_t low = 0, high = room->people_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (room->people[middle].account->id > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static struct person *
person_find(const struct room *room, int64_t id)
{
    size_t at = room_person_after(room, id - 1);

    return at < room->people_count && room->people[at].account->id == id ? &room->people[at] : NULL;
}

/* Remember to tell; without memory it is not told, and the roster number makes clients ask. */
static void
changed(struct room *room, int64_t id)
{
    stir(room);
    if (room->people_count > ROOM_PRESENCE_MOST)
        return;
    if (room->changed_count == room->changed_size) {
        size_t size = room->changed_size > 0 ? room->changed_size * 2 : 16;
        int64_t *larger = realloc(room->changed, size * sizeof(*larger));

        if (larger == NULL)
            return;
        room->changed = larger;
        room->changed_size = size;
    }
    room->changed[room->changed_count++] = id;
}

static void
person_add(struct room *room, struct account *account)
{
    struct person *person = person_find(room, account->id);
    size_t at = room_person_after(room, account->id);

    if (person != NULL) {
        person->members++;
        return;
    }
    if (room->people_count == room->people_size) {
        size_t size = room->people_size > 0 ? room->people_size * 2 : 8;
        struct person *larger = realloc(room->people, size * sizeof(*larger));

        if (larger == NULL)
            return; /* hears and speaks, but is not among the names */
        room->people = larger;
        room->people_size = size;
    }
    memmove(&room->people[at + 1], &room->people[at],
            (room->people_count - at) * sizeof(*room->people));
    room->people[at] = (struct person){account, 1};
    room->people_count++;
    changed(room, account->id);
}

static void
person_remove(struct room *room, const struct account *account)
{
    struct person *person = person_find(room, account->id);
    int64_t id = account->id;

    if (person == NULL || --person->members > 0)
        return;
    room->people_count--;
    memmove(person, person + 1,
            (room->people_count - (size_t)(person - room->people)) * sizeof(*person));
    changed(room, id);
}

struct account *
room_leave(struct room *room, struct member *member)
{
    if (member->account == NULL)
        return NULL;
    person_remove(room, member->account);
    return member_leave_account(member);
}

struct account *
room_enter(struct room *room, struct member *member, struct account *account)
{
    struct account *left;

    if (member->account == account)
        return NULL;
    left = room_leave(room, member);
    stranger_remove(member);
    member_enter_account(member, account);
    person_add(room, account);
    return left;
}

void
room_renamed(struct room *room, const struct account *account)
{
    if (person_find(room, account->id) != NULL)
        changed(room, account->id);
}

/* ---- Saying ---- */

void
room_say_bytes(struct room *room, uint16_t stream, const void *bytes, size_t length)
{
    bool ephemeral = stream == MESSAGE_STREAM_EPHEMERAL;
    struct endpoint_message message = {.data = bytes,
                                       .length = length,
                                       .ppid = MESSAGE_PPID,
                                       .stream = stream,
                                       .unordered = ephemeral,
                                       .ephemeral = ephemeral};

    for (size_t i = 0; i < room->endpoint_count; i++)
        endpoint_sendall(room->endpoints[i].endpoint, &message);
}

void
room_say(struct room *room, uint16_t stream, const struct message *message)
{
    char bytes[MESSAGE_MAX];
    int length;

    if (!anybody(room->endpoints, room->endpoint_count))
        return;
    length = message_encode(message, MESSAGE_OF_SERVER, bytes, sizeof(bytes));
    if (length > 0)
        room_say_bytes(room, stream, bytes, (size_t)length);
}

void
room_say_classic(struct room *room, const void *bytes, size_t length)
{
    struct endpoint_message message = {.data = bytes, .length = length};

    for (size_t i = 0; i < room->classic_count; i++)
        endpoint_sendall(room->classic[i].endpoint, &message);
}

/* ---- Presence ---- */

static int
by_number(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static void
tell(struct room *room, struct message *presence)
{
    presence->roster = ++room->roster;
    presence->people = (int64_t)room->people_count;
    room_say(room, MESSAGE_STREAM_EPHEMERAL, presence);
    message_free(presence);
    message_init(presence, MESSAGE_PRESENCE);
}

/* Everyone whom something happened to, as it is now: here, or not. In messages that fit. */
static void
tell_changes(struct room *room, struct message *presence)
{
    int used = 0;

    if (room->changed_count == 0)
        return;
    qsort(room->changed, room->changed_count, sizeof(*room->changed), by_number);
    for (size_t i = 0; i < room->changed_count; i++) {
        const struct person *person = person_find(room, room->changed[i]);
        struct message element;
        int added;

        if (i > 0 && room->changed[i] == room->changed[i - 1])
            continue;
        message_init(&element, MESSAGE_PERSON);
        element.account = room->changed[i];
        if (person != NULL) {
            element.nick = person->account->nick;
            element.verified = person->account->verified;
            element.classic = person->account->members->classic;
        }
        added = message_add(person != NULL ? &presence->in : &presence->out, &element);
        used += added > 0 ? added : 0;
        if (used > MESSAGE_MAX - 512) {
            tell(room, presence);
            used = 0;
        }
    }
    if (used > 0)
        tell(room, presence);
}

int64_t
room_presence(struct room *room, int64_t now)
{
    struct message presence;

    if (room->presence_due == 0) /* whoever comes has this long to say who it is */
        room->presence_due = now + ROOM_PRESENCE_MS;
    if (now < room->presence_due)
        return room->presence_due;
    message_init(&presence, MESSAGE_PRESENCE);
    if (room->people_count > ROOM_PRESENCE_MOST)
        tell(room, &presence);
    else
        tell_changes(room, &presence);
    room->changed_count = 0;
    room->stirred = false;
    room->presence_due = 0;
    return ENDPOINT_NO_DEADLINE;
}
