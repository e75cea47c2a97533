/* message.h: the messages of docs/protocol.md, as bytes and as a struct.
 *
 * Owns: types, fields and limits, in one table that the parser and the encoder both read. Must not
 * know what a message causes. No I/O; nothing here depends on anything but its arguments.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "lazychat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_PROTOCOL 1
#define MESSAGE_PPID     51 /* RFC 8831: WebRTC String */

/* Limits; bytes unless it is said. */
#define MESSAGE_MAX         16384
#define MESSAGE_TEXT_MAX    6144
#define MESSAGE_TOPIC_MAX   512
#define MESSAGE_QUERY_MAX   256
#define MESSAGE_NICK_MAX    128 /* 32 characters */
#define MESSAGE_ROOM_MAX    32
#define MESSAGE_ID_MAX      32
#define MESSAGE_SECRET_SIZE 32 /* hexadecimal digits */
#define MESSAGE_EMOJI_MAX   32
#define MESSAGE_SERVER_MAX  255
#define MESSAGE_WORD_MAX    64  /* `code`, `field`, `log`, `version` */
#define MESSAGE_LIMIT_MAX   500 /* messages asked for at once */
#define MESSAGE_NUMBER_MAX  ((INT64_C(1) << 53) - 1)
#define MESSAGE_DEPTH_MAX   16 /* objects and arrays in one another */

/* Streams, as docs/protocol.md says. */
enum { MESSAGE_STREAM_LIVE, MESSAGE_STREAM_BULK, MESSAGE_STREAM_EPHEMERAL };

/* SCTP ports. */
#define MESSAGE_PORT_LOBBY 2014
#define MESSAGE_PORT_ROOMS 2015

enum message_type {
    /* from clients; some from servers too */
    MESSAGE_JOIN,
    MESSAGE_SAY,
    MESSAGE_EDIT,
    MESSAGE_REDACT,
    MESSAGE_REACT,
    MESSAGE_TOPIC,
    MESSAGE_NICK,
    MESSAGE_TYPING,
    MESSAGE_READ,
    MESSAGE_WHISPER,
    MESSAGE_HISTORY,
    MESSAGE_SEARCH,
    MESSAGE_NAMES,
    MESSAGE_ROOMS,
    MESSAGE_OPEN,
    /* from servers */
    MESSAGE_WELCOME,
    MESSAGE_EDITED,
    MESSAGE_REDACTED,
    MESSAGE_REACTED,
    MESSAGE_BATCH,
    MESSAGE_HEAD,
    MESSAGE_HEADS,
    MESSAGE_PRESENCE,
    MESSAGE_ROOM,
    MESSAGE_YOU,
    MESSAGE_FOUND,
    MESSAGE_ERROR,
    /* elements of lists, without a type on the wire */
    MESSAGE_PERSON,    /* in `in`, `out` of presence and `items` of names */
    MESSAGE_ROOM_ITEM, /* in `items` of rooms and heads */
    MESSAGE_REACTION,  /* in `reactions` of a say in a batch */
    MESSAGE_TYPES,
};

enum message_side { MESSAGE_OF_CLIENT, MESSAGE_OF_SERVER, MESSAGE_OF_LIST };

struct json_t;

#define MESSAGE_ABSENT (-1) /* a number that is not there */

/* One message. Which members count depends on the type; docs/protocol.md says what they mean. A
 * text that is not there is NULL, a number MESSAGE_ABSENT, a list NULL; a bool that is not there
 * has its default: false, and `on` true. Texts are UTF-8 and end with a NUL. */
struct message {
    enum message_type type;
    const char *text, *id, *nick, *secret, *emoji, *to, *room, *topic;
    const char *code, *field, *server, *version, *log;
    int64_t seq, at, from, target, reply, changed;
    int64_t since, before, until, limit, last, after, next;
    int64_t head, first, read, said, unread;
    int64_t account, people, roster, port, idle, count, protocol, rate, retry;
    bool action, on, verified, classic, edited, redacted, mine, fresh; /* fresh: "new" */
    struct json_t *items, *in, *out, *reactions;
    struct json_t *json; /* what the texts and lists of a parsed message lie in; else NULL */
};

/* What is wrong with a message that was not accepted. */
struct message_fault {
    const char *code;            /* "bad-message" or "bad-field" */
    const char *field;           /* or NULL */
    char id[MESSAGE_ID_MAX + 1]; /* of the message, if it has a good one; else empty */
    char text[160];
};

/* A message of that type with nothing in it. */
void message_init(struct message *message, enum message_type type);

/* Reads bytes from a peer. LAZYCHAT_OK, and message_free must be called; the texts are valid until
 * then; LAZYCHAT_UNSUPPORTED: a type that this version does not know, to be ignored;
 * LAZYCHAT_INVALID: `fault` says why; LAZYCHAT_NO_MEMORY. Lists are only seen to be lists: their
 * elements are for message_element. */
int message_parse(struct message *message, enum message_side side, const void *bytes, size_t length,
                  struct message_fault *fault);

/* Writes it; what is required for its type is written even if it is false or an empty list.
 * `buffer` of `size` bytes gets no NUL. Returns the length, LAZYCHAT_TOO_LARGE when it does not
 * fit, LAZYCHAT_NO_MEMORY, or LAZYCHAT_INVALID: the side has no such type, a required text or
 * number is not there, or a text is not UTF-8. Limits are not looked at: who sends another's text
 * keeps them. */
int message_encode(const struct message *message, enum message_side side, void *buffer,
                   size_t size);

/* Frees what parsing made and the lists that message_add made. */
void message_free(struct message *message);

/* Appends an element to a list of a message to be encoded (&message.items), and makes the list
 * first when it is NULL. Returns how many bytes the element adds to the encoded message, or
 * LAZYCHAT_NO_MEMORY, LAZYCHAT_INVALID. */
int message_add(struct json_t **list, const struct message *element);

/* The same, before the others. */
int message_add_first(struct json_t **list, const struct message *element);

/* Takes away the last element, or the first. */
void message_drop(struct json_t *list, bool first);

/* How many elements a list has; 0 for NULL. */
size_t message_count(const struct json_t *list);

/* Reads one element: a numbered message (`type` MESSAGE_SAY: any that is logged), MESSAGE_PERSON,
 * MESSAGE_ROOM_ITEM, MESSAGE_REACTION. Its texts belong to the list; it must not be freed. Returns
 * as message_parse; LAZYCHAT_INVALID too when the list has none at `index`. */
int message_element(const struct json_t *list, size_t index, enum message_type type,
                    struct message *element);

/* "say"; for errors and figures. */
const char *message_type_name(enum message_type type);

/* 1 to 32 of a-z 0-9 - _ */
bool message_room_valid(const char *name);

#endif
