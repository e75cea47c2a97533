/* log_append.c: a message into the log: its number, what it changes, whether it was there before.
 *
 * Whether it may be is decided before anything is written, so a refusal leaves nothing to undo.
 */
#include "log_writer.h"

#include <string.h>

#define EMOJI_MAX 20

static bool
is_said(enum log_kind kind)
{
    return kind == LOG_SAY || kind == LOG_ACTION;
}

static bool
has_text(enum log_kind kind)
{
    return is_said(kind) || kind == LOG_TOPIC;
}

static int
refuse(struct log_request *request, const char *code, const char *text)
{
    request->code = code;
    request->text = text;
    return SQLITE_OK;
}

int
log_append_wipe(struct log_writer *writer, int64_t key, const char *text)
{
    writer->wipes = true;
    return log_db_run(&writer->db, ADD_WIPE, "it", key, text);
}

/* ---- What was said before ---- */

/* Fills in what the log has about the one with that id. What it no longer has (redacted, dropped)
 * stays as this request says it. */
static int
recall(struct log_writer *writer, struct log_request *request)
{
    struct log_entry *entry = &request->entry;
    const char *text;
    sqlite3_stmt *row;
    bool failed = false;
    enum log_kind kind;
    int error =
        log_db_query(&writer->db, FIND_MESSAGE, &row, "i", log_row_key(entry->room, entry->seq));

    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    kind = (enum log_kind)sqlite3_column_int(row, 0);
    text = (const char *)sqlite3_column_text(row, 5);
    if (has_text(kind) == has_text(entry->kind)) {
        int flags = sqlite3_column_int(row, 2);

        entry->target = sqlite3_column_int64(row, 3);
        entry->classic = (flags & LOG_IS_CLASSIC) != 0;
        entry->verified = (flags & LOG_IS_VERIFIED) != 0;
    }
    if (has_text(kind) && has_text(entry->kind)) {
        entry->kind = kind;
        entry->nick = log_request_copy(request, (const char *)sqlite3_column_text(row, 4), &failed);
        if (text != NULL)
            entry->text = log_request_copy(request, text, &failed);
    }
    sqlite3_reset(row);
    return failed ? SQLITE_NOMEM : SQLITE_OK;
}

/* Sets request->duplicate. */
static int
find_duplicate(struct log_writer *writer, struct log_request *request)
{
    struct log_entry *entry = &request->entry;
    sqlite3_stmt *row;
    int error;

    if (entry->id == NULL)
        return SQLITE_OK;
    error = log_db_query(&writer->db, FIND_SAID, &row, "it", entry->account, entry->id);
    if (error != SQLITE_ROW)
        return error == SQLITE_DONE ? SQLITE_OK : error;
    entry->room = sqlite3_column_int64(row, 0);
    entry->seq = sqlite3_column_int64(row, 1);
    entry->at = sqlite3_column_int64(row, 2);
    sqlite3_reset(row);
    request->duplicate = true;
    writer->duplicates++;
    return recall(writer, request);
}

/* ---- Changes in what is there ---- */

/* What edit, redact and react are about, as far as they need it. */
struct target {
    int64_t key;
    enum log_kind kind;
    int flags;
    const char *text; /* the request's */
};

static int
may_change(struct log_writer *writer, struct log_request *request, struct target *target)
{
    const struct log_entry *entry = &request->entry;
    bool failed = false;
    int64_t owner;
    sqlite3_stmt *row = NULL;
    int error;

    target->key = log_row_key(entry->room, entry->target);
    error = entry->target < 1 || entry->target > LOG_SEQ_MAX
                ? SQLITE_DONE
                : log_db_query(&writer->db, FIND_MESSAGE, &row, "i", target->key);
    if (error == SQLITE_DONE)
        return refuse(request, "no-message", "there is no message with this number");
    if (error != SQLITE_ROW)
        return error;
    target->kind = (enum log_kind)sqlite3_column_int(row, 0);
    owner = sqlite3_column_int64(row, 1);
    target->flags = sqlite3_column_int(row, 2);
    target->text = log_request_copy(request, (const char *)sqlite3_column_text(row, 5), &failed);
    sqlite3_reset(row);
    if (failed)
        return SQLITE_NOMEM;
    if (!has_text(target->kind) || (entry->kind == LOG_EDIT && !is_said(target->kind)))
        return refuse(request, "no-message", "this number is no message that can be changed");
    if (target->text == NULL)
        return refuse(request, "no-message", "this message has been redacted");
    if (entry->kind != LOG_REACT && owner != entry->account && !entry->force)
        return refuse(request, "not-yours", "somebody else said it");
    return SQLITE_OK;
}

static int
check_emoji(struct log_writer *writer, struct log_request *request, const struct target *target)
{
    sqlite3_stmt *row;
    int64_t count = 0;
    int error;

    if (!request->entry.on)
        return SQLITE_OK;
    error = log_db_query(&writer->db, HAS_EMOJI, &row, "it", target->key, request->entry.emoji);
    if (error == SQLITE_DONE) {
        error = log_db_query(&writer->db, COUNT_EMOJI, &row, "i", target->key);
        if (error == SQLITE_ROW)
            count = sqlite3_column_int64(row, 0);
    }
    if (row != NULL)
        sqlite3_reset(row);
    if (error != SQLITE_ROW)
        return error;
    if (count >= EMOJI_MAX)
        return refuse(request, "full", "there are 20 different reactions to this message already");
    return SQLITE_OK;
}

/* An edit's or a redaction's, whose text is NULL. */
static int
change_text(struct log_writer *writer, const struct log_entry *entry, const struct target *target)
{
    int flags = target->flags | (entry->kind == LOG_EDIT ? LOG_IS_EDITED : 0);
    const char *text = entry->kind == LOG_EDIT ? entry->text : NULL;
    int error =
        log_db_run(&writer->db, CHANGE_TEXT, "itii", target->key, text, (int64_t)flags, entry->seq);

    if (error == SQLITE_OK &&
        (text == NULL || target->text == NULL || strcmp(text, target->text) != 0))
        error = log_append_wipe(writer, target->key, is_said(target->kind) ? target->text : NULL);
    if (error == SQLITE_OK && target->kind == LOG_TOPIC)
        error = log_db_run(&writer->db, CLEAR_TOPIC, "ii", entry->room, entry->target);
    return error;
}

static int
change_reactions(struct log_writer *writer, const struct log_entry *entry,
                 const struct target *target)
{
    int error;

    if (entry->on)
        error = log_db_run(&writer->db, ADD_REACTION, "itii", target->key, entry->emoji,
                           entry->account, entry->seq);
    else
        error = log_db_run(&writer->db, DELETE_REACTION, "iti", target->key, entry->emoji,
                           entry->account);
    if (error == SQLITE_OK)
        error = log_db_run(&writer->db, CHANGE_FLAGS, "iii", target->key,
                           (int64_t)(target->flags | LOG_HAS_REACTIONS), entry->seq);
    return error;
}

/* ---- The message itself ---- */

static void
number(struct log_writer *writer, struct log_writer_room *room, struct log_entry *entry)
{
    int64_t now = log_threads_now(writer->threads);

    log_writer_touch(writer, entry->room);
    if (room->now.at < now)
        room->now.at = now;
    room->now.head++;
    if (is_said(entry->kind))
        room->now.said++;
    entry->seq = room->now.head;
    entry->at = room->now.at;
}

static int
add_row(struct log_writer *writer, const struct log_writer_room *room,
        const struct log_entry *entry)
{
    bool whole = has_text(entry->kind);
    const char *text = whole ? entry->text : entry->kind == LOG_REACT ? entry->emoji : NULL;
    int flags = (entry->classic ? LOG_IS_CLASSIC : 0) | (entry->verified ? LOG_IS_VERIFIED : 0) |
                (entry->on ? LOG_IS_ON : 0);

    return log_db_run(&writer->db, ADD_MESSAGE, "iiiiiiittt", log_row_key(entry->room, entry->seq),
                      entry->at, entry->account, (int64_t)entry->kind, (int64_t)flags,
                      room->now.said, entry->target, whole ? entry->nick : NULL, entry->id, text);
}

static int
write_entry(struct log_writer *writer, struct log_writer_room *room, struct log_entry *entry,
            const struct target *target)
{
    int error = log_writer_reserve(writer, entry->account);

    number(writer, room, entry);
    if (error == SQLITE_OK)
        error = add_row(writer, room, entry);
    if (error == SQLITE_OK && entry->id != NULL)
        error = log_db_run(&writer->db, ADD_SAID, "itiii", entry->account, entry->id, entry->room,
                           entry->seq, entry->at);
    if (error != SQLITE_OK)
        return error;
    writer->appended++;
    if (entry->kind == LOG_TOPIC)
        return log_db_run(&writer->db, WRITE_TOPIC, "iti", entry->room, entry->text, entry->seq);
    if (entry->kind == LOG_REACT)
        return change_reactions(writer, entry, target);
    return is_said(entry->kind) ? SQLITE_OK : change_text(writer, entry, target);
}

int
log_append_do(struct log_writer *writer, struct log_request *request)
{
    struct log_writer_room *room = log_writer_room(writer, request->ask.entry.room);
    struct target target = {0};
    int error;

    request->entry = request->ask.entry;
    if (room == NULL)
        return refuse(request, "no-room", "there is no such room");
    error = find_duplicate(writer, request);
    if (error != SQLITE_OK || request->duplicate)
        return error;
    if (room->now.head == LOG_SEQ_MAX)
        return refuse(request, "full", "this room has used all its numbers");
    if (!has_text(request->entry.kind))
        error = may_change(writer, request, &target);
    if (error == SQLITE_OK && request->code == NULL && request->entry.kind == LOG_REACT)
        error = check_emoji(writer, request, &target);
    if (error != SQLITE_OK || request->code != NULL)
        return error;
    return write_entry(writer, room, &request->entry, &target);
}
