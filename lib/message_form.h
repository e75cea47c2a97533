/* message_form.h: which fields each type of message has, and their limits.
 *
 * Owns: the two tables that lib/message reads and writes by. docs/protocol.md is their source. Only
 * message.c and what tests it need this; must not know JSON.
 */
#ifndef MESSAGE_FORM_H
#define MESSAGE_FORM_H

#include "message.h"

enum message_kind {
    KIND_TEXT,   /* any text: no control characters but line feed and tab */
    KIND_LINE,   /* without those two either */
    KIND_ID,     /* A-Z a-z 0-9 - _ */
    KIND_HEX,    /* 0-9 a-f A-F */
    KIND_NAME,   /* of a room */
    KIND_NUMBER, /* min to max */
    KIND_BOOL,
    KIND_LIST,
};

/* A field as one or several types have it. The same name may have other limits elsewhere. */
struct message_field {
    const char *name;
    enum message_kind kind;
    size_t offset;
    int64_t min, max; /* of a number; bytes of a text */
};

/* The `text` of a topic is F_TITLE, of a search F_QUERY, of an error F_WHY. */
enum {
    F_END,
    F_TEXT,
    F_TITLE,
    F_QUERY,
    F_WHY,
    F_ID,
    F_NICK,
    F_SECRET,
    F_EMOJI,
    F_TO,
    F_ROOM,
    F_TOPIC,
    F_CODE,
    F_FIELD,
    F_SERVER,
    F_VERSION,
    F_LOG,
    F_SEQ,
    F_AT,
    F_FROM,
    F_TARGET,
    F_REPLY,
    F_CHANGED,
    F_SINCE,
    F_BEFORE,
    F_UNTIL,
    F_LIMIT,
    F_LAST,
    F_AFTER,
    F_NEXT,
    F_HEAD,
    F_FIRST,
    F_READ,
    F_SAID,
    F_UNREAD,
    F_ACCOUNT,
    F_PEOPLE,
    F_ROSTER,
    F_PORT,
    F_IDLE,
    F_COUNT,
    F_PROTOCOL,
    F_RATE,
    F_RETRY,
    F_ACTION,
    F_ON,
    F_VERIFIED,
    F_CLASSIC,
    F_EDITED,
    F_REDACTED,
    F_MINE,
    F_NEW,
    F_ITEMS,
    F_IN,
    F_OUT,
    F_REACTIONS
};

/* A type as one side sends it: lists of fields, ended by F_END. */
struct message_form {
    enum message_side side;
    enum message_type type;
    const char *name;
    unsigned char needs[14], may[12];
};

#define MESSAGE_FORMS 37

/* By F_; that of F_END is empty. */
extern const struct message_field message_fields[F_REACTIONS + 1];
extern const struct message_form message_forms[MESSAGE_FORMS];

/* NULL when that side has no such type. */
const struct message_form *message_form_named(enum message_side side, const char *name);
const struct message_form *message_form_of(enum message_side side, enum message_type type);

#endif
