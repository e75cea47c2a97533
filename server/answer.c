/* answer.c: from the log's events to messages. */
#include "answer.h"

#include "classic.h"
#include "logger.h"
#include "request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS     2000 /* when the log cannot write: it may when there is room again */
#define PACKET_BYTES (MESSAGE_MAX - 256) /* of elements in a list */

/* ---- What was logged ---- */

static const enum message_type types[] = {
    [LOG_SAY] = MESSAGE_SAY,     [LOG_ACTION] = MESSAGE_SAY,      [LOG_TOPIC] = MESSAGE_TOPIC,
    [LOG_EDIT] = MESSAGE_EDITED, [LOG_REDACT] = MESSAGE_REDACTED, [LOG_REACT] = MESSAGE_REACTED,
};

static void
describe(const struct log_entry *entry, struct message *message)
{
    message_init(message, types[entry->kind]);
    message->seq = entry->seq;
    message->at = entry->at;
    message->from = entry->account;
    message->nick = entry->nick;
    message->id = entry->id;
    message->text = entry->text;
    message->emoji = entry->emoji;
    message->on = entry->kind != LOG_REACT || entry->on;
    message->action = entry->kind == LOG_ACTION;
    message->classic = entry->classic;
    message->verified = entry->verified;
    if (entry->kind == LOG_SAY || entry->kind == LOG_ACTION)
        message->reply = entry->target > 0 ? entry->target : MESSAGE_ABSENT;
    else
        message->target = entry->target;
}

/* To the classic lobby: the bytes that came from there, else lines. */
static void
say_classic(struct room *room, const struct log_entry *entry, const struct classic_bytes *bytes)
{
    char lines[ENDPOINT_MESSAGE_MAX];
    size_t offset = 0, length;

    if (!room_has_classic(room))
        return;
    if (bytes != NULL) {
        if (bytes->length > 0)
            room_say_classic(room, bytes->bytes, bytes->length);
        return;
    }
    while ((length = classic_lines(entry, &offset, lines, sizeof(lines))) > 0)
        room_say_classic(room, lines, length);
}

/* Whoever says something has read what was said before. */
static void
has_read(struct chat *chat, const struct room *room, const struct log_entry *entry)
{
    struct account *account = account_find(&chat->accounts, entry->account);

    if (account != NULL && account->kept)
        account_read(&chat->accounts, account, room->info.id, entry->seq, room->info.said);
}

static void
say_to_all(struct chat *chat, struct room *room, const struct log_event *event)
{
    const struct log_entry *entry = &event->entry;
    bool said = entry->kind == LOG_SAY || entry->kind == LOG_ACTION;
    struct message message;

    describe(entry, &message);
    room_say(room, MESSAGE_STREAM_LIVE, &message);
    say_classic(room, entry, event->user);
    chat_numbered(chat, room, entry->seq, said);
    if (said)
        has_read(chat, room, entry);
    if (entry->kind == LOG_TOPIC) {
        snprintf(room->info.topic, sizeof(room->info.topic), "%s", entry->text);
        room->info.topic_seq = entry->seq;
    } else if (entry->kind == LOG_REDACT && entry->target == room->info.topic_seq) {
        room->info.topic[0] = '\0';
    }
}

static void
refuse(struct member *member, const struct log_event *event, const char *id)
{
    bool log_ails = strncmp(event->code, "log-", 4) == 0;

    if (member != NULL)
        member_refuse(member, event->code, NULL, id, log_ails ? RETRY_MS : MESSAGE_ABSENT,
                      event->text);
}

/* It was there already: only who said it again need know. */
static void
tell_again(struct member *member, const struct log_event *event)
{
    struct message message;

    if (event->entry.room != member->room->info.id) {
        member_refuse(member, "bad-field", "id", event->entry.id, MESSAGE_ABSENT,
                      "this id was used in another room");
        return;
    }
    describe(&event->entry, &message);
    member_send(member, MESSAGE_STREAM_LIVE, &message);
}

static void
take_appended(struct chat *chat, struct member *member, const struct log_event *event)
{
    struct room *room = chat_room(chat, event->entry.room);

    chat->appending--;
    if (event->code != NULL) {
        refuse(member, event, event->entry.id);
    } else if (event->duplicate && member != NULL) {
        tell_again(member, event);
    } else if (!event->duplicate && room != NULL) {
        say_to_all(chat, room, event);
    }
    free(event->user);
}

/* ---- What was read ---- */

static void
describe_row(const struct log_row *row, struct message *message)
{
    message_init(message, row->kind == LOG_TOPIC ? MESSAGE_TOPIC : MESSAGE_SAY);
    message->seq = row->seq;
    message->at = row->at;
    message->from = row->account;
    message->nick = row->nick;
    message->id = row->id;
    message->text = row->text;
    message->redacted = row->text == NULL;
    message->action = row->kind == LOG_ACTION;
    message->reply = row->reply > 0 ? row->reply : MESSAGE_ABSENT;
    message->changed = row->changed > 0 ? row->changed : MESSAGE_ABSENT;
    message->edited = row->edited && row->text != NULL;
    message->classic = row->classic;
    message->verified = row->verified;
    for (size_t i = 0; i < row->reaction_count; i++) {
        struct message reaction;

        message_init(&reaction, MESSAGE_REACTION);
        reaction.emoji = row->reactions[i].emoji;
        reaction.count = row->reactions[i].count;
        reaction.mine = row->reactions[i].mine;
        message_add(&message->reactions, &reaction);
    }
}

/* Adds the row unless it would be too much. Returns whether it did. */
static bool
add_row(struct message *list, const struct log_row *row, bool first, size_t *used)
{
    struct message element;
    bool only = list->items == NULL;
    int added;

    describe_row(row, &element);
    added = first ? message_add_first(&list->items, &element) : message_add(&list->items, &element);
    message_free(&element);
    if (added < 0)
        return false;
    *used += (size_t)added;
    if (*used <= PACKET_BYTES || only)
        return true;
    message_drop(list->items, first);
    return false;
}

/* Which number brought the row into the batch: its own, or that of its latest change. */
static int64_t
brought_by(const struct log_row *row, int64_t from)
{
    return row->seq >= from ? row->seq : row->changed;
}

/* Adds as many rows as fit, from the first or from the last on. Returns how many. */
static size_t
add_rows(struct message *batch, const struct log_row *rows, size_t count, bool backwards)
{
    size_t used = 0, taken = 0;

    while (taken < count &&
           add_row(batch, &rows[backwards ? count - 1 - taken : taken], backwards, &used))
        taken++;
    return taken;
}

static int
by_what_brought(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

/* The number up to which rows fit, where not all do. What brought them in counts, not which is the
 * older: an old message may have changed last. */
static int64_t
fits_until(const struct log_event *event, size_t count)
{
    int64_t *numbers = malloc(event->row_count * sizeof(*numbers));
    int64_t until = event->from;

    if (numbers == NULL)
        return until;
    for (size_t i = 0; i < event->row_count; i++)
        numbers[i] = brought_by(&event->rows[i], event->from);
    qsort(numbers, event->row_count, sizeof(*numbers), by_what_brought);
    until = numbers[count] - 1;
    free(numbers);
    return until;
}

/* Forwards, where not all fit: those that the lowest numbers brought in. */
static void
add_rows_until(struct message *batch, const struct log_event *event, size_t count)
{
    bool all = false;

    while (!all) {
        size_t used = 0;

        message_free(batch);
        batch->until = fits_until(event, count);
        all = true;
        for (size_t i = 0; i < event->row_count && all; i++)
            if (brought_by(&event->rows[i], event->from) <= batch->until)
                all = add_row(batch, &event->rows[i], false, &used);
        if (count == 1)
            return;
        count--;
    }
}

static void
take_rows(struct member *member, const struct log_event *event)
{
    struct message batch;
    size_t taken;

    message_init(&batch, MESSAGE_BATCH);
    batch.from = event->from;
    batch.until = event->until;
    batch.first = event->first;
    batch.head = event->head;
    taken = add_rows(&batch, event->rows, event->row_count, event->backwards);
    /* The rest did not fit: the batch covers less. */
    if (taken < event->row_count && event->backwards)
        batch.from = event->rows[event->row_count - 1 - taken].seq + 1;
    else if (taken < event->row_count)
        add_rows_until(&batch, event, taken);
    member_send(member, MESSAGE_STREAM_BULK, &batch);
    message_free(&batch);
}

static void
take_found(struct member *member, const struct log_event *event)
{
    struct message found;
    size_t used = 0, taken = 0;

    message_init(&found, MESSAGE_FOUND);
    found.text = event->query;
    while (taken < event->row_count && add_row(&found, &event->rows[taken], false, &used))
        taken++;
    if (taken > 0 && (taken < event->row_count || event->more))
        found.next = event->rows[taken - 1].seq;
    member_send(member, MESSAGE_STREAM_BULK, &found);
    message_free(&found);
}

static void
take_read(struct member *member, const struct log_event *event)
{
    if (member->requests > 0)
        member->requests--;
    if (event->code != NULL)
        refuse(member, event, NULL);
    else if (event->type == LOG_ROWS)
        take_rows(member, event);
    else
        take_found(member, event);
}

static void
take_counted(struct chat *chat, struct member *member, const struct log_event *event)
{
    const struct room *room = chat_room(chat, event->room.id);
    struct account_mark *mark =
        member->account != NULL ? account_mark(member->account, event->room.id, false) : NULL;

    if (mark == NULL || room == NULL || event->code != NULL || mark->seq != event->until)
        return;
    mark->said = event->count;
    request_tell_read(chat, member->account, room, member);
}

/* ---- Who it is ---- */

static void
take_marks(struct account *account, const struct log_event *event)
{
    for (size_t i = 0; i < event->mark_count; i++) {
        struct account_mark *mark = account_mark(account, event->marks[i].room, true);

        if (mark == NULL || mark->seq >= event->marks[i].seq)
            continue;
        mark->seq = event->marks[i].seq;
        mark->said = event->marks[i].said;
    }
}

/* What it said while the log was asked. */
static void
release(struct chat *chat, struct member *member)
{
    if (request_release(chat, member))
        return;
    endpoint_abort(member->at->endpoint, member->assoc);
    chat_down(chat, member);
}

static void
take_identified(struct chat *chat, struct member *member, const struct log_event *event)
{
    member->asking = false;
    if (event->code != NULL) {
        member->has_key = false;
        refuse(member, event, NULL);
    } else if (chat_identified(chat, member, event->account, true, event->nick)) {
        take_marks(member->account, event);
        request_welcome(chat, member);
    }
    release(chat, member);
}

static void
tell_you(const struct account *account, const struct member *asker)
{
    struct message you;

    message_init(&you, MESSAGE_YOU);
    you.account = account->id;
    you.nick = account->nick;
    you.verified = account->verified;
    for (struct member *member = account->members; member != NULL;
         member = member->next_of_account) {
        you.id = member == asker && member->naming[0] != '\0' ? member->naming : NULL;
        member_send(member, MESSAGE_STREAM_LIVE, &you);
    }
}

static void
take_named(struct chat *chat, struct member *member, const struct log_event *event)
{
    struct account *account = account_find(&chat->accounts, event->account);
    char nick[NICK_SIZE], skeleton[NICK_SKELETON_SIZE];
    const char *why;

    if (event->code != NULL) {
        refuse(member, event, member != NULL ? member->naming : NULL);
    } else if (account != NULL && nick_check(event->nick, nick, skeleton, &why) == LAZYCHAT_OK) {
        chat_named(chat, account, nick, skeleton);
        tell_you(account, member);
    }
    if (member == NULL)
        return;
    member->asking = false;
    release(chat, member);
}

/* ---- Rooms ---- */

static void
take_opened(struct chat *chat, struct member *member, const struct log_event *event)
{
    struct room *room = NULL;
    struct message message;
    char id[MESSAGE_ID_MAX + 1] = "";

    if (member != NULL)
        member_opened(member, id);
    if (event->code == NULL) {
        room = chat_room(chat, event->room.id);
        if (room == NULL)
            room = chat_add_room(chat, &event->room);
    }
    if (room == NULL && member != NULL) {
        member_refuse(member, event->code != NULL ? event->code : "log-unavailable", "room", id,
                      MESSAGE_ABSENT,
                      event->code != NULL ? event->text : "the room's port cannot be opened");
        return;
    }
    if (room == NULL)
        return;
    if (member != NULL) {
        chat_describe(room, member->account, &message);
        message.type = MESSAGE_ROOM;
        message.id = id[0] != '\0' ? id : NULL;
        message.fresh = event->fresh;
        member_send(member, MESSAGE_STREAM_LIVE, &message);
    }
    if (event->fresh) {
        logger_write(LOGGER_INFO, "open", "room=%s port=%u", room->info.name, room->info.port);
        chat_describe(room, NULL, &message);
        message.type = MESSAGE_ROOM;
        message.fresh = true;
        room_say(chat_lobby(chat), MESSAGE_STREAM_LIVE, &message);
    }
}

static void
take_first(const struct chat *chat, const struct log_event *event)
{
    struct room *room = chat_room(chat, event->room.id);

    if (room != NULL)
        room->info.first = event->room.first;
}

static void
take_state(const struct log_event *event)
{
    if (event->code != NULL)
        logger_write(LOGGER_ERROR, event->code, "%s", event->text);
    else
        logger_write(LOGGER_WARN, "log-again", "the log can be written again");
}

static void
take(struct chat *chat, const struct log_event *event)
{
    struct member *member = chat_member(chat, event->token);

    switch (event->type) {
    case LOG_APPENDED:
        take_appended(chat, member, event);
        break;
    case LOG_NAMED:
        take_named(chat, member, event);
        break;
    case LOG_ROOM_OPENED:
        take_opened(chat, member, event);
        break;
    case LOG_FIRST:
        take_first(chat, event);
        break;
    case LOG_STATE:
        take_state(event);
        break;
    case LOG_ROWS:
    case LOG_FOUND:
        if (member != NULL)
            take_read(member, event);
        break;
    case LOG_COUNTED:
        if (member != NULL)
            take_counted(chat, member, event);
        break;
    case LOG_IDENTIFIED:
        if (member != NULL)
            take_identified(chat, member, event);
        break;
    }
}

void
answer_take(struct chat *chat)
{
    struct log_event event;

    while (log_next(chat->log, &event) == 1)
        take(chat, &event);
}
