/* message_form.c: one table of fields and one of types. */
#include "message_form.h"

#include <string.h>

#define AT(member) offsetof(struct message, member)
#define NUMBER     0, MESSAGE_NUMBER_MAX
#define COUNT      1, MESSAGE_NUMBER_MAX

const struct message_field message_fields[F_REACTIONS + 1] = {
    [F_TEXT] = {"text", KIND_TEXT, AT(text), 1, MESSAGE_TEXT_MAX},
    [F_TITLE] = {"text", KIND_LINE, AT(text), 0, MESSAGE_TOPIC_MAX},
    [F_QUERY] = {"text", KIND_LINE, AT(text), 1, MESSAGE_QUERY_MAX},
    [F_WHY] = {"text", KIND_TEXT, AT(text), 0, MESSAGE_TEXT_MAX},
    [F_ID] = {"id", KIND_ID, AT(id), 1, MESSAGE_ID_MAX},
    [F_NICK] = {"nick", KIND_LINE, AT(nick), 1, MESSAGE_NICK_MAX},
    [F_SECRET] = {"secret", KIND_HEX, AT(secret), MESSAGE_SECRET_SIZE, MESSAGE_SECRET_SIZE},
    [F_EMOJI] = {"emoji", KIND_LINE, AT(emoji), 1, MESSAGE_EMOJI_MAX},
    [F_TO] = {"to", KIND_LINE, AT(to), 1, MESSAGE_NICK_MAX},
    [F_ROOM] = {"room", KIND_NAME, AT(room), 1, MESSAGE_ROOM_MAX},
    [F_TOPIC] = {"topic", KIND_LINE, AT(topic), 0, MESSAGE_TOPIC_MAX},
    [F_CODE] = {"code", KIND_LINE, AT(code), 1, MESSAGE_WORD_MAX},
    [F_FIELD] = {"field", KIND_LINE, AT(field), 1, MESSAGE_WORD_MAX},
    [F_SERVER] = {"server", KIND_LINE, AT(server), 1, MESSAGE_SERVER_MAX},
    [F_VERSION] = {"version", KIND_LINE, AT(version), 1, MESSAGE_WORD_MAX},
    [F_LOG] = {"log", KIND_LINE, AT(log), 1, MESSAGE_WORD_MAX},
    [F_SEQ] = {"seq", KIND_NUMBER, AT(seq), COUNT},
    [F_AT] = {"at", KIND_NUMBER, AT(at), NUMBER},
    [F_FROM] = {"from", KIND_NUMBER, AT(from), NUMBER},
    [F_TARGET] = {"target", KIND_NUMBER, AT(target), COUNT},
    [F_REPLY] = {"reply", KIND_NUMBER, AT(reply), COUNT},
    [F_CHANGED] = {"changed", KIND_NUMBER, AT(changed), COUNT},
    [F_SINCE] = {"since", KIND_NUMBER, AT(since), NUMBER},
    [F_BEFORE] = {"before", KIND_NUMBER, AT(before), COUNT},
    [F_UNTIL] = {"until", KIND_NUMBER, AT(until), NUMBER},
    [F_LIMIT] = {"limit", KIND_NUMBER, AT(limit), 1, MESSAGE_LIMIT_MAX},
    [F_LAST] = {"last", KIND_NUMBER, AT(last), 1, MESSAGE_LIMIT_MAX},
    [F_AFTER] = {"after", KIND_NUMBER, AT(after), NUMBER},
    [F_NEXT] = {"next", KIND_NUMBER, AT(next), NUMBER},
    [F_HEAD] = {"head", KIND_NUMBER, AT(head), NUMBER},
    [F_FIRST] = {"first", KIND_NUMBER, AT(first), NUMBER},
    [F_READ] = {"read", KIND_NUMBER, AT(read), NUMBER},
    [F_SAID] = {"said", KIND_NUMBER, AT(said), NUMBER},
    [F_UNREAD] = {"unread", KIND_NUMBER, AT(unread), NUMBER},
    [F_ACCOUNT] = {"account", KIND_NUMBER, AT(account), NUMBER},
    [F_PEOPLE] = {"people", KIND_NUMBER, AT(people), NUMBER},
    [F_ROSTER] = {"roster", KIND_NUMBER, AT(roster), NUMBER},
    [F_PORT] = {"port", KIND_NUMBER, AT(port), 1, 65535},
    [F_IDLE] = {"idle", KIND_NUMBER, AT(idle), NUMBER},
    [F_COUNT] = {"count", KIND_NUMBER, AT(count), COUNT},
    [F_PROTOCOL] = {"protocol", KIND_NUMBER, AT(protocol), COUNT},
    [F_RATE] = {"rate", KIND_NUMBER, AT(rate), NUMBER},
    [F_RETRY] = {"retry", KIND_NUMBER, AT(retry), NUMBER},
    [F_ACTION] = {"action", KIND_BOOL, AT(action), 0, 0},
    [F_ON] = {"on", KIND_BOOL, AT(on), 0, 0},
    [F_VERIFIED] = {"verified", KIND_BOOL, AT(verified), 0, 0},
    [F_CLASSIC] = {"classic", KIND_BOOL, AT(classic), 0, 0},
    [F_EDITED] = {"edited", KIND_BOOL, AT(edited), 0, 0},
    [F_REDACTED] = {"redacted", KIND_BOOL, AT(redacted), 0, 0},
    [F_MINE] = {"mine", KIND_BOOL, AT(mine), 0, 0},
    [F_NEW] = {"new", KIND_BOOL, AT(fresh), 0, 0},
    [F_ITEMS] = {"items", KIND_LIST, AT(items), 0, 0},
    [F_IN] = {"in", KIND_LIST, AT(in), 0, 0},
    [F_OUT] = {"out", KIND_LIST, AT(out), 0, 0},
    [F_REACTIONS] = {"reactions", KIND_LIST, AT(reactions), 0, 0},
};

#define C MESSAGE_OF_CLIENT
#define S MESSAGE_OF_SERVER
#define L MESSAGE_OF_LIST
/* What every logged message begins with. */
#define LOGGED F_SEQ, F_AT, F_FROM, F_NICK

const struct message_form message_forms[MESSAGE_FORMS] = {
    {C, MESSAGE_JOIN, "join", {0}, {F_NICK, F_SECRET, F_SINCE, F_LAST}},
    {C, MESSAGE_SAY, "say", {F_TEXT}, {F_ID, F_REPLY, F_ACTION}},
    {C, MESSAGE_EDIT, "edit", {F_SEQ, F_TEXT}, {F_ID}},
    {C, MESSAGE_REDACT, "redact", {F_SEQ}, {F_ID}},
    {C, MESSAGE_REACT, "react", {F_SEQ, F_EMOJI}, {F_ID, F_ON}},
    {C, MESSAGE_TOPIC, "topic", {F_TITLE}, {F_ID}},
    {C, MESSAGE_NICK, "nick", {F_NICK}, {F_ID}},
    {C, MESSAGE_TYPING, "typing", {0}, {F_ON}},
    {C, MESSAGE_READ, "read", {F_SEQ}, {F_ROOM}},
    {C, MESSAGE_WHISPER, "whisper", {F_TO, F_TEXT}, {F_ID}},
    {C, MESSAGE_HISTORY, "history", {0}, {F_SINCE, F_UNTIL, F_BEFORE, F_LIMIT}},
    {C, MESSAGE_SEARCH, "search", {F_QUERY}, {F_BEFORE, F_LIMIT}},
    {C, MESSAGE_NAMES, "names", {0}, {F_AFTER}},
    {C, MESSAGE_ROOMS, "rooms", {0}, {F_AFTER}},
    {C, MESSAGE_OPEN, "open", {F_ROOM}, {F_TOPIC, F_ID}},
    {S,
     MESSAGE_WELCOME,
     "welcome",
     {F_PROTOCOL, F_ROOM, F_PORT, F_LOG, F_HEAD, F_FIRST, F_PEOPLE, F_ROSTER, F_ACCOUNT, F_NICK,
      F_VERIFIED},
     {F_VERSION, F_SERVER, F_TOPIC, F_READ, F_UNREAD, F_RATE}},
    {S,
     MESSAGE_SAY,
     "say",
     {LOGGED},
     {F_ID, F_TEXT, F_REPLY, F_ACTION, F_CLASSIC, F_VERIFIED, F_EDITED, F_REDACTED, F_CHANGED,
      F_REACTIONS}},
    {S, MESSAGE_EDITED, "edited", {LOGGED, F_TARGET, F_TEXT}, {F_ID, F_VERIFIED}},
    {S, MESSAGE_REDACTED, "redacted", {LOGGED, F_TARGET}, {F_ID, F_VERIFIED}},
    {S, MESSAGE_REACTED, "reacted", {LOGGED, F_TARGET, F_EMOJI, F_ON}, {F_ID, F_VERIFIED}},
    {S, MESSAGE_TOPIC, "topic", {LOGGED, F_TITLE}, {F_ID, F_VERIFIED}},
    {S, MESSAGE_BATCH, "batch", {F_FROM, F_UNTIL, F_FIRST, F_HEAD, F_ITEMS}, {0}},
    {S, MESSAGE_HEAD, "head", {F_HEAD, F_FIRST}, {0}},
    {S, MESSAGE_HEADS, "heads", {F_ITEMS}, {0}},
    {S, MESSAGE_PRESENCE, "presence", {F_ROSTER, F_PEOPLE}, {F_IN, F_OUT}},
    {S, MESSAGE_NAMES, "names", {F_ROSTER, F_PEOPLE, F_ITEMS}, {F_NEXT}},
    {S, MESSAGE_ROOMS, "rooms", {F_ITEMS}, {F_NEXT}},
    {S,
     MESSAGE_ROOM,
     "room",
     {F_ROOM, F_PORT},
     {F_TOPIC, F_PEOPLE, F_HEAD, F_SAID, F_UNREAD, F_NEW, F_ID}},
    {S, MESSAGE_YOU, "you", {F_ACCOUNT, F_NICK, F_VERIFIED}, {F_ID}},
    {S, MESSAGE_READ, "read", {F_ROOM, F_SEQ, F_UNREAD}, {0}},
    {S, MESSAGE_TYPING, "typing", {F_FROM, F_NICK, F_ON}, {0}},
    {S, MESSAGE_WHISPER, "whisper", {F_AT, F_FROM, F_NICK, F_TO, F_TEXT}, {F_ID, F_VERIFIED}},
    {S, MESSAGE_FOUND, "found", {F_QUERY, F_ITEMS}, {F_NEXT}},
    {S, MESSAGE_ERROR, "error", {F_CODE, F_WHY}, {F_FIELD, F_ID, F_RETRY}},
    {L, MESSAGE_PERSON, NULL, {F_ACCOUNT}, {F_NICK, F_IDLE, F_VERIFIED, F_CLASSIC}},
    {L, MESSAGE_ROOM_ITEM, NULL, {F_ROOM}, {F_PORT, F_TOPIC, F_PEOPLE, F_HEAD, F_SAID, F_UNREAD}},
    {L, MESSAGE_REACTION, NULL, {F_EMOJI, F_COUNT}, {F_MINE}},
};

#undef C
#undef S
#undef L

const struct message_form *
message_form_named(enum message_side side, const char *name)
{
    for (size_t i = 0; i < MESSAGE_FORMS; i++)
        if (message_forms[i].side == side && message_forms[i].name != NULL &&
            strcmp(message_forms[i].name, name) == 0)
            return &message_forms[i];
    return NULL;
}

const struct message_form *
message_form_of(enum message_side side, enum message_type type)
{
    for (size_t i = 0; i < MESSAGE_FORMS; i++)
        if (message_forms[i].side == side && message_forms[i].type == type)
            return &message_forms[i];
    return NULL;
}
