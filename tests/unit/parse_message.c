/* parse_message.c: lib/message for tests in other languages. Lines in: "client JSON" or
 * "server JSON", a message as that side sends it; or "types". For each a line out:
 *
 *   ok JSON                  what it is when written again, with all lists taken apart
 *   ignored                  a type that is not known
 *   error CODE FIELD TEXT    FIELD is - when no field is at fault
 *   NAME ...                 for "types": all types, those of elements as "element"
 */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rebuild_reactions(const struct message *from, struct message *to);

/* Takes a list apart and makes another of its elements. */
static int
rebuild(const struct json_t *from, struct json_t **to, enum message_type type)
{
    int error = LAZYCHAT_OK;

    /* An empty list stays one: the encoder writes it only where it is required. */
    for (size_t i = 0; i < message_count(from) && error == LAZYCHAT_OK; i++) {
        struct message element, copy;

        error = message_element(from, i, type, &element);
        if (error == LAZYCHAT_UNSUPPORTED) {
            error = LAZYCHAT_OK;
            continue;
        }
        if (error != LAZYCHAT_OK)
            break;
        copy = element;
        error = rebuild_reactions(&element, &copy);
        if (error == LAZYCHAT_OK && message_add(to, &copy) < 0)
            error = LAZYCHAT_INVALID;
        message_free(&copy);
    }
    return error;
}

static int
rebuild_reactions(const struct message *from, struct message *to)
{
    to->reactions = NULL;
    return rebuild(from->reactions, &to->reactions, MESSAGE_REACTION);
}

static enum message_type
element_type(enum message_type type)
{
    switch (type) {
    case MESSAGE_HEADS:
    case MESSAGE_ROOMS:
        return MESSAGE_ROOM_ITEM;
    case MESSAGE_NAMES:
        return MESSAGE_PERSON;
    default:
        return MESSAGE_SAY;
    }
}

/* `to` is to be freed whatever comes back; *field says which list was wrong. */
static int
rebuild_lists(const struct message *from, struct message *to, const char **field)
{
    int error;

    *to = *from;
    to->json = NULL;
    to->items = to->in = to->out = NULL;
    *field = "reactions";
    error = rebuild_reactions(from, to);
    if (error != LAZYCHAT_OK)
        return error;
    *field = "items";
    error = rebuild(from->items, &to->items, element_type(from->type));
    if (error != LAZYCHAT_OK)
        return error;
    *field = "in";
    error = rebuild(from->in, &to->in, MESSAGE_PERSON);
    if (error != LAZYCHAT_OK)
        return error;
    *field = "out";
    return rebuild(from->out, &to->out, MESSAGE_PERSON);
}

static void
write_again(const struct message *message, enum message_side side)
{
    static char bytes[2 * MESSAGE_MAX];
    struct message copy;
    const char *field;
    int length;

    if (rebuild_lists(message, &copy, &field) != LAZYCHAT_OK) {
        printf("error bad-element %s -\n", field);
    } else {
        length = message_encode(&copy, side, bytes, sizeof(bytes));
        if (length < 0)
            printf("error encode - %s\n", lazychat_strerror(length));
        else
            printf("ok %.*s\n", length, bytes);
    }
    message_free(&copy);
}

static void
answer(enum message_side side, const char *json)
{
    struct message message;
    struct message_fault fault;

    switch (message_parse(&message, side, json, strlen(json), &fault)) {
    case LAZYCHAT_OK:
        write_again(&message, side);
        message_free(&message);
        break;
    case LAZYCHAT_UNSUPPORTED:
        puts("ignored");
        break;
    default:
        printf("error %s %s %s\n", fault.code, fault.field == NULL ? "-" : fault.field, fault.text);
    }
}

int
main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "client ", 7) == 0) {
            answer(MESSAGE_OF_CLIENT, line + 7);
        } else if (strncmp(line, "server ", 7) == 0) {
            answer(MESSAGE_OF_SERVER, line + 7);
        } else {
            for (int type = 0; type < MESSAGE_TYPES; type++)
                printf("%s ", message_type_name((enum message_type)type));
            puts("");
        }
    }
    free(line);
    return 0;
}
