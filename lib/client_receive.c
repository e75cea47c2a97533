/* client_receive.c: what the server says in a room, and what follows from it. */
#include "client.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 100 /* malformed messages until an association is given up */

static struct store *
store_of(const struct lazychat_room *room)
{
    const struct lazychat *chat = room->server->chat;

    return chat->store_error == LAZYCHAT_OK && room->row != 0 ? chat->store : NULL;
}

static void
check_store(struct lazychat_room *room, int error)
{
    if (error != LAZYCHAT_OK)
        room->server->chat->store_error = error;
}

/* ---- The store follows ---- */

/* A reaction more or less in a stored message. */
static void
change_reaction(json_t *json, const struct message *change, bool mine)
{
    json_t *list = json_object_get(json, "reactions"), *each, *found = NULL;
    json_int_t count;
    size_t i, at = 0;

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(json, "reactions", list);
    }
    json_array_foreach(list, i, each)
    {
        const char *emoji = json_string_value(json_object_get(each, "emoji"));

        if (emoji != NULL && strcmp(emoji, change->emoji) == 0) {
            found = each;
            at = i;
        }
    }
    if (found == NULL) {
        if (!change->on)
            return;
        found = json_pack("{s:s}", "emoji", change->emoji);
        at = json_array_size(list);
        json_array_append_new(list, found);
    }
    count = json_integer_value(json_object_get(found, "count")) + (change->on ? 1 : -1);
    json_object_set_new(found, "count", json_integer(count));
    if (mine)
        json_object_set_new(found, "mine", json_boolean(change->on));
    if (count <= 0)
        json_array_remove(list, at);
}

static void
store_change(struct lazychat_room *room, const struct message *change)
{
    struct store *store = store_of(room);
    char *text = store_read(store, room->row, change->target);
    json_t *json = text != NULL ? json_loads(text, 0, NULL) : NULL;

    free(text);
    if (json == NULL)
        return;
    if (change->type == MESSAGE_EDITED) {
        json_object_set_new(json, "text", json_string(change->text));
        json_object_set_new(json, "edited", json_true());
    } else if (change->type == MESSAGE_REDACTED) {
        json_object_del(json, "text");
        json_object_del(json, "reactions");
        json_object_set_new(json, "redacted", json_true());
    } else {
        change_reaction(json, change, change->from == room->server->account);
    }
    json_object_set_new(json, "changed", json_integer(change->seq));
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text != NULL)
        check_store(room, store_message(store, room->row, change->target, text, strlen(text)));
    free(text);
}

static void
store_numbered(struct lazychat_room *room, const struct message *message, const char *json,
               size_t length)
{
    if (store_of(room) == NULL)
        return;
    if (message->type == MESSAGE_SAY || message->type == MESSAGE_TOPIC)
        check_store(room, store_message(store_of(room), room->row, message->seq, json, length));
    else if (!sequence_applied(&room->sequence, message->target, message->seq))
        store_change(room, message);
}

void
client_receive_seen(struct lazychat_room *room)
{
    const struct sequence *sequence = &room->sequence;

    if (store_of(room) == NULL || !room->known || !sequence->anchored ||
        (sequence->seen == room->stored_seen && strcmp(room->stored_log, room->log) == 0))
        return;
    check_store(room, store_set_seen(store_of(room), room->row, room->log, sequence->seen));
    room->stored_seen = sequence->seen;
    client_copy(room->stored_log, sizeof(room->stored_log), room->log);
}

static bool
tell_stored(void *user, const char *text, size_t length)
{
    struct lazychat_room *room = user;
    struct message_fault fault;
    struct message message;
    json_t *json = json_loadb(text, length, 0, NULL);
    char *old;

    if (json == NULL || !room->wanted) {
        json_decref(json);
        return room->wanted;
    }
    json_object_set_new(json, "old", json_true());
    old = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (old != NULL &&
        message_parse(&message, MESSAGE_OF_SERVER, old, strlen(old), &fault) == LAZYCHAT_OK) {
        client_tell_message(room, &message, old, strlen(old), true, false);
        message_free(&message);
    }
    free(old);
    return room->wanted;
}

void
client_receive_stored(struct lazychat_room *room)
{
    unsigned int last = room->server->chat->config.last;

    room->offline = false;
    if (store_of(room) != NULL && last > 0)
        check_store(room,
                    store_latest(store_of(room), room->row, INT64_MAX, last, tell_stored, room));
}

static bool
collect(void *user, const char *text, size_t length)
{
    json_t *json = json_loadb(text, length, 0, NULL);

    return json == NULL || json_array_append_new(user, json) == 0;
}

void
client_receive_history(struct lazychat_room *room, int64_t before, unsigned int limit)
{
    json_t *items = json_array();
    int64_t from = before, first = 0;
    struct message item;
    char *text = NULL;
    json_t *batch;

    if (store_of(room) != NULL)
        check_store(room, store_latest(store_of(room), room->row, before, limit, collect, items));
    if (message_element(items, 0, MESSAGE_SAY, &item) == LAZYCHAT_OK)
        from = first = item.seq;
    batch = json_pack("{s:s,s:I,s:I,s:I,s:I,s:O}", "t", "batch", "from", (json_int_t)from, "until",
                      (json_int_t)(before - 1), "first", (json_int_t)first, "head",
                      (json_int_t)room->sequence.seen, "items", items);
    if (batch != NULL)
        text = json_dumps(batch, JSON_COMPACT);
    if (text != NULL)
        client_tell_json(room, text, strlen(text));
    client_tell_list(room, LAZYCHAT_HISTORY, items, room->sequence.seen, first);
    free(text);
    json_decref(batch);
    json_decref(items);
}

/* ---- Numbered messages ---- */

static void
acknowledge(struct lazychat_room *room, const struct message *message)
{
    struct lazychat_event event;

    if (message->id == NULL || room->server->account == 0 ||
        message->from != room->server->account || !client_send_acknowledged(room, message->id))
        return;
    client_tell_init(&event, LAZYCHAT_SENT);
    event.id = message->id;
    event.seq = message->seq;
    client_tell(room, &event);
}

/* It counts as seen already. */
static void
hand_over(struct lazychat_room *room, const struct message *message, const char *json,
          size_t length, bool old)
{
    store_numbered(room, message, json, length);
    if (message->changed > room->sequence.seen)
        sequence_fold(&room->sequence, message->seq, message->changed);
    client_tell_message(room, message, json, length, old, false);
}

/* What was held and is due now. */
static void
release(struct lazychat_room *room)
{
    struct sequence_entry *entry;
    struct message_fault fault;
    struct message message;

    while (room->wanted && (entry = sequence_pop(&room->sequence)) != NULL) {
        if (message_parse(&message, MESSAGE_OF_SERVER, entry->bytes, entry->length, &fault) ==
            LAZYCHAT_OK) {
            hand_over(room, &message, entry->bytes, entry->length, entry->old);
            message_free(&message);
        }
        free(entry);
    }
}

static void
take_numbered(struct lazychat_room *room, const struct message *message, const char *json,
              size_t length)
{
    acknowledge(room, message);
    if (!room->wanted)
        return;
    if (room->state != ROOM_JOINED || !sequence_next(&room->sequence, message->seq)) {
        sequence_hold(&room->sequence, message->seq, json, length);
        return;
    }
    sequence_head(&room->sequence, message->seq, 0);
    hand_over(room, message, json, length, false);
    release(room);
}

/* ---- Batches ---- */

/* An older message, as it is now. If it was not told yet, that is how it will be. */
static void
take_changed(struct lazychat_room *room, const struct message *item, const char *json,
             size_t length)
{
    if (item->seq > room->sequence.seen) {
        sequence_change(&room->sequence, item->seq, json, length);
        return;
    }
    if (item->changed <= room->sequence.seen) /* what changed it was told by its own number */
        return;
    if (store_of(room) != NULL)
        check_store(room, store_message(store_of(room), room->row, item->seq, json, length));
    sequence_fold(&room->sequence, item->seq, item->changed);
    client_tell_message(room, item, json, length, true, true);
}

/* An item of a batch as a message of its own; the caller frees it. */
static char *
item_text(json_t *item)
{
    json_object_set_new(item, "old", json_true());
    return json_dumps(item, JSON_COMPACT);
}

static void
put_item(struct lazychat_room *room, int64_t first, const struct message *item, json_t *json)
{
    char *text = item_text(json);

    if (text != NULL)
        sequence_put(&room->sequence, first, item->seq, text, strlen(text));
    free(text);
}

/* What is older than the batch, and what is one's own. */
static void
take_changes(struct lazychat_room *room, const struct message *batch, int64_t from)
{
    struct message item;

    for (size_t i = 0; i < message_count(batch->items) && room->wanted; i++) {
        char *text;

        if (message_element(batch->items, i, MESSAGE_SAY, &item) != LAZYCHAT_OK)
            continue;
        acknowledge(room, &item);
        if (item.seq >= from && item.seq > room->sequence.seen)
            continue;
        text = item_text(json_array_get(batch->items, i));
        if (text != NULL)
            take_changed(room, &item, text, strlen(text));
        free(text);
    }
}

static void
take_coverage(struct lazychat_room *room, const struct message *batch, size_t length)
{
    int64_t from = batch->from, until = batch->until, next;
    struct message item;

    if (!sequence_takes(&room->sequence, from, message_count(batch->items), 2 * length))
        return;
    take_changes(room, batch, from);
    if (!sequence_cover(&room->sequence, &from, until)) {
        release(room);
        return;
    }
    next = from;
    for (size_t i = 0; i < message_count(batch->items); i++) {
        if (message_element(batch->items, i, MESSAGE_SAY, &item) != LAZYCHAT_OK ||
            item.seq < next || item.seq > until)
            continue;
        put_item(room, next, &item, json_array_get(batch->items, i));
        next = item.seq + 1;
    }
    sequence_put(&room->sequence, next, until, NULL, 0);
    release(room);
}

/* Does it answer this question of the program? */
static bool
is_answer(const struct client_ask *ask, const struct message *batch)
{
    const struct message *history = &ask->message;

    if (!ask->sent || history->type != MESSAGE_HISTORY)
        return false;
    if (history->before == MESSAGE_ABSENT)
        return batch->from == history->since + 1;
    return batch->until == history->before - 1 ||
           (batch->until == batch->head && history->before > batch->head);
}

static void
take_batch(struct lazychat_room *room, const struct message *batch, const char *json, size_t length)
{
    struct sequence *sequence = &room->sequence;

    if (room->state != ROOM_JOINED || !room->wanted)
        return;
    sequence_head(sequence, batch->head, batch->first);
    if (!sequence_answered(sequence, batch->from, batch->until, room->server->chat->now))
        for (size_t i = 0; i < room->ask_count; i++)
            if (is_answer(&room->asks[i], batch)) {
                client_send_answered(room, i);
                client_tell_json(room, json, length);
                client_tell_list(room, LAZYCHAT_HISTORY, batch->items, batch->head, batch->first);
                return;
            }
    take_coverage(room, batch, length);
}

/* ---- Welcome ---- */

/* Where the numbers of this room begin for us, and what `join` asked for. */
static void
begin_log(struct lazychat_room *room, const struct message *welcome)
{
    struct lazychat *chat = room->server->chat;
    struct sequence *sequence = &room->sequence;
    int64_t last = chat->config.last;
    bool was_known = room->known && sequence->anchored;

    if (was_known && strcmp(room->log, welcome->log) == 0 && welcome->head >= sequence->seen) {
        sequence_head(sequence, welcome->head, welcome->first);
        if (welcome->head > sequence->seen)
            sequence_asked(sequence, sequence->seen, welcome->head, chat->now);
        return;
    }
    /* Another log, or one that lost its end: what is kept means nothing any more, and neither did
     * the number in `join`. */
    if (was_known && store_of(room) != NULL)
        check_store(room, store_forget(store_of(room), room->row));
    room->known = true;
    client_copy(room->log, sizeof(room->log), welcome->log);
    sequence->anchored = false;
    sequence->head = welcome->head;
    if (!was_known && last > 0 && welcome->head > 0) {
        sequence_asked(sequence, SEQUENCE_LAST, 0, chat->now);
        return;
    }
    sequence_anchor(sequence, welcome->head > last ? welcome->head - last : 0);
    sequence_head(sequence, welcome->head, welcome->first);
}

static void
tell_joined(struct lazychat_room *room, const struct message *welcome)
{
    struct lazychat_event event;

    client_tell_init(&event, LAZYCHAT_JOINED);
    event.text = connection_text(room->connection);
    event.account = welcome->account;
    event.nick = welcome->nick;
    event.verified = welcome->verified;
    event.head = welcome->head;
    event.first = welcome->first;
    event.people = welcome->people;
    event.unread = welcome->unread;
    event.topic = welcome->topic;
    event.seq = welcome->read;
    client_tell(room, &event);
}

static void
set_account(struct client_server *server, int64_t account)
{
    struct lazychat *chat = server->chat;

    if (server->account == account)
        return;
    server->account = account;
    if (chat->store != NULL && chat->store_error == LAZYCHAT_OK)
        chat->store_error = store_set_secret(chat->store, server->host, server->secret, account);
}

static void
take_welcome(struct lazychat_room *room, const struct message *welcome, const char *json,
             size_t length)
{
    bool lobby = room == client_server_lobby(room->server);

    if (welcome->protocol != MESSAGE_PROTOCOL) {
        client_room_lost(room, "the server speaks another version of the protocol");
        return;
    }
    if (strcmp(welcome->room, room->name) != 0) {
        if (!lobby)
            room->port = 0; /* it is another room's by now */
        room->port_asked = false;
        client_room_lost(room, "the server has another room there");
        return;
    }
    if (room->state != ROOM_JOINING || !room->join_sent)
        return;
    room->state = ROOM_JOINED;
    room->joined_at = room->server->chat->now;
    room->roster = welcome->roster;
    if (welcome->read > room->read_sent)
        room->read_sent = welcome->read;
    client_copy(room->nick, sizeof(room->nick), welcome->nick);
    room->unnamed = 0;
    if (room->server->nick[0] != '\0' && strcmp(room->server->nick, welcome->nick) != 0)
        room->unnamed = room->server->chat->now + CLIENT_NAME_MS;
    set_account(room->server, welcome->account);
    if (!room->wanted)
        return;
    begin_log(room, welcome);
    client_tell_json(room, json, length);
    tell_joined(room, welcome);
    if (room->state == ROOM_JOINED)
        release(room);
}

/* ---- Lists ---- */

/* Adds a page to what came before; false when that is too much. */
static bool
add_page(json_t **pages, json_t *page)
{
    if (*pages == NULL)
        *pages = json_array();
    return json_array_size(*pages) < CLIENT_PEOPLE_MAX && json_array_extend(*pages, page) == 0;
}

static void
take_names(struct lazychat_room *room, const struct message *names, const char *json, size_t length)
{
    client_tell_json(room, json, length);
    room->roster = names->roster;
    if (!room->naming) {
        client_tell_names(room, names->items, names->people);
        return;
    }
    if (add_page(&room->names, names->items) && names->next > room->names_after) {
        room->names_after = names->next;
        room->names_due = true;
        return;
    }
    room->naming = false;
    client_tell_names(room, room->names, names->people);
    json_decref(room->names);
    room->names = NULL;
}

static void
take_rooms(struct lazychat_room *room, const struct message *rooms, const char *json, size_t length)
{
    struct client_server *server = room->server;
    struct lazychat_room *asker = server->asker;
    struct lazychat_room *voice = asker != NULL && asker->wanted ? asker : room;

    client_tell_json(voice, json, length);
    if (asker == NULL) {
        client_tell_rooms(voice, rooms->items);
        return;
    }
    if (add_page(&server->rooms_pages, rooms->items) && rooms->next > server->rooms_after) {
        server->rooms_after = rooms->next;
        server->rooms_due = true;
        return;
    }
    server->asker = NULL;
    client_tell_rooms(voice, server->rooms_pages);
    json_decref(server->rooms_pages);
    server->rooms_pages = NULL;
}

/* The port of a room that is waiting for it. */
static void
take_room(struct lazychat_room *room, const struct message *message, const char *json,
          size_t length)
{
    struct client_server *server = room->server;
    struct lazychat_room *voice = client_server_voice(server);
    struct lazychat *chat = server->chat;

    for (struct lazychat_room *each = server->rooms; each != NULL; each = each->next) {
        if (strcmp(each->name, message->room) != 0 || each == client_server_lobby(server))
            continue;
        each->port = (uint16_t)message->port;
        chat->due = true;
        if (store_of(each) != NULL)
            check_store(each, store_set_port(store_of(each), each->row, each->port));
    }
    if (voice != NULL) {
        client_tell_json(voice, json, length);
        client_tell_room(voice, message);
    }
}

static void
take_presence(struct lazychat_room *room, const struct message *presence, const char *json,
              size_t length)
{
    if (presence->roster <= room->roster)
        return; /* an older one, late: the names are newer */
    if (presence->roster > room->roster + 1 && !room->naming) {
        room->naming = room->names_due = true;
        room->names_after = MESSAGE_ABSENT;
    }
    room->roster = presence->roster;
    client_tell_json(room, json, length);
    client_tell_presence(room, presence);
}

/* ---- Small ones ---- */

static void
take_error(struct lazychat_room *room, const struct message *error, const char *json, size_t length)
{
    struct lazychat *chat = room->server->chat;
    struct lazychat_room *about = room;
    struct lazychat_event event;

    for (struct lazychat_room *each = room->server->rooms; each != NULL && error->id != NULL;
         each = each->next)
        if (each->open_id[0] != '\0' && strcmp(each->open_id, error->id) == 0) {
            about = each;
            about->open_id[0] = '\0';
            about->port_asked = error->retry < 0;
            about->port_due = chat->now + error->retry;
        }
    if (error->retry >= 0 && about == room) {
        room->quiet = chat->now + error->retry;
        client_send_again(room);
        sequence_forget_requests(&room->sequence, chat->now, error->retry);
    } else if (error->id != NULL) {
        client_send_acknowledged(room, error->id);
    }
    if (strcmp(error->code, "nick-taken") == 0 || strcmp(error->code, "bad-nick") == 0) {
        room->server->nick[0] = '\0';
        room->unnamed = 0;
    }
    client_tell_json(about, json, length);
    client_tell_init(&event, LAZYCHAT_REFUSED);
    event.code = error->code;
    event.text = error->text;
    event.field = error->field;
    event.id = error->id;
    event.retry = error->retry;
    client_tell(about, &event);
}

static void
take_you(struct lazychat_room *room, const struct message *you)
{
    struct lazychat_event event;

    for (struct lazychat_room *each = room->server->rooms; each != NULL; each = each->next) {
        client_copy(each->nick, sizeof(each->nick), you->nick);
        each->unnamed = 0;
    }
    set_account(room->server, you->account);
    client_tell_init(&event, LAZYCHAT_YOU);
    event.account = you->account;
    event.nick = you->nick;
    event.verified = you->verified;
    event.id = you->id;
    client_tell(room, &event);
}

static void
take_read(struct lazychat_room *room, const struct message *read)
{
    struct lazychat_event event;

    for (struct lazychat_room *each = room->server->rooms; each != NULL; each = each->next)
        if (strcmp(each->name, read->room) == 0 && read->seq > each->read_sent)
            each->read_sent = read->seq;
    client_tell_init(&event, LAZYCHAT_READ);
    event.room_name = read->room;
    event.seq = read->seq;
    event.unread = read->unread;
    client_tell(room, &event);
}

static void
take_typing(struct lazychat_room *room, const struct message *typing)
{
    struct lazychat_event event;

    client_tell_init(&event, LAZYCHAT_TYPING);
    event.from = typing->from;
    event.nick = typing->nick;
    event.on = typing->on;
    client_tell(room, &event);
}

static void
take_whisper(struct lazychat_room *room, const struct message *whisper)
{
    struct lazychat_event event;

    client_tell_init(&event, LAZYCHAT_WHISPER);
    event.at = whisper->at;
    event.from = whisper->from;
    event.nick = whisper->nick;
    event.to = whisper->to;
    event.text = whisper->text;
    event.id = whisper->id;
    event.own = whisper->from == room->server->account;
    event.verified = whisper->verified;
    client_tell(room, &event);
}

static void
take_found(struct lazychat_room *room, const struct message *found)
{
    for (size_t i = 0; i < room->ask_count; i++)
        if (room->asks[i].sent && room->asks[i].message.type == MESSAGE_SEARCH) {
            client_send_answered(room, i);
            break;
        }
    client_tell_list(room, LAZYCHAT_FOUND, found->items, found->next > 0 ? found->next : 0, 0);
}

/* What does not belong to this room alone is told in the lobby, or in another room when the program
 * is not in the lobby. */
static void
take_other(struct lazychat_room *room, const struct message *message, const char *json,
           size_t length)
{
    struct lazychat_room *voice = room->wanted ? room : client_server_voice(room->server);

    if (voice == NULL)
        return;
    client_tell_json(voice, json, length);
    switch (message->type) {
    case MESSAGE_HEADS:
        client_tell_rooms(voice, message->items);
        break;
    case MESSAGE_YOU:
        take_you(voice, message);
        break;
    case MESSAGE_READ:
        take_read(voice, message);
        break;
    case MESSAGE_TYPING:
        if (room->wanted)
            take_typing(room, message);
        break;
    case MESSAGE_WHISPER:
        take_whisper(voice, message);
        break;
    case MESSAGE_FOUND:
        take_found(room, message);
        break;
    default:
        break;
    }
}

/* ---- All of them ---- */

static void
take(struct lazychat_room *room, const struct message *message, const char *json, size_t length)
{
    switch (message->type) {
    case MESSAGE_SAY:
    case MESSAGE_EDITED:
    case MESSAGE_REDACTED:
    case MESSAGE_REACTED:
    case MESSAGE_TOPIC:
        take_numbered(room, message, json, length);
        break;
    case MESSAGE_WELCOME:
        take_welcome(room, message, json, length);
        break;
    case MESSAGE_BATCH:
        take_batch(room, message, json, length);
        break;
    case MESSAGE_HEAD:
        sequence_head(&room->sequence, message->head, message->first);
        break;
    case MESSAGE_PRESENCE:
        take_presence(room, message, json, length);
        break;
    case MESSAGE_NAMES:
        take_names(room, message, json, length);
        break;
    case MESSAGE_ROOMS:
        take_rooms(room, message, json, length);
        break;
    case MESSAGE_ROOM:
        take_room(room, message, json, length);
        break;
    case MESSAGE_ERROR:
        take_error(room, message, json, length);
        break;
    default:
        take_other(room, message, json, length);
        break;
    }
}

void
client_receive(struct lazychat_room *room, const void *bytes, size_t length)
{
    struct message_fault fault;
    struct message message;
    int error;

    if (room->server->chat->config.raw) {
        client_tell_json(room, bytes, length);
        return;
    }
    error = message_parse(&message, MESSAGE_OF_SERVER, bytes, length, &fault);
    if (error == LAZYCHAT_OK) {
        take(room, &message, bytes, length);
        message_free(&message);
    } else if (error == LAZYCHAT_INVALID && ++room->faults >= FAULTS_MAX) {
        client_room_lost(room, "the server does not keep to the protocol");
    }
}
