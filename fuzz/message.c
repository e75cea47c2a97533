/* message.c: what peers of either side send, changed field by field as well as byte by byte. Where
 * it begins are the examples of docs/protocol.md (seeds_message.py). */
#include "message_form.h"
#include "mutate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
                                 size_t size2, uint8_t *out, size_t max, unsigned int seed);

/* Escapes that need not be, and reals in unknown fields, may be written longer than they came. */
#define WRITTEN_MAX (32 * MESSAGE_MAX)

static void
demand(bool holds)
{
    if (!holds)
        abort();
}

/* ---- What must hold ---- */

static void
check_fault(const struct message_fault *fault)
{
    demand(strcmp(fault->code, "bad-message") == 0
               ? fault->field == NULL
               : strcmp(fault->code, "bad-field") == 0 && fault->field != NULL);
    demand(fault->text[0] != '\0' && strlen(fault->text) < sizeof(fault->text));
    for (const char *c = fault->text; *c != '\0'; c++)
        demand(*c >= 0x20 && *c < 0x7f);
    demand(strspn(fault->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
           strlen(fault->id));
}

/* Within its limits, and there if it is needed. */
static void
check_field(const struct message *message, const struct message_field *field, bool needed)
{
    const char *member = (const char *)message + field->offset;
    const char *text;
    int64_t number;

    switch (field->kind) {
    case KIND_BOOL:
        break;
    case KIND_LIST:
        demand(!needed || *(json_t *const *)(const void *)member != NULL);
        break;
    case KIND_NUMBER:
        number = *(const int64_t *)(const void *)member;
        demand(number == MESSAGE_ABSENT ? !needed : number >= field->min && number <= field->max);
        break;
    default:
        text = *(const char *const *)(const void *)member;
        demand(text == NULL
                   ? !needed
                   : (int64_t)strlen(text) >= field->min && (int64_t)strlen(text) <= field->max);
        for (; text != NULL && *text != '\0'; text++)
            demand((unsigned char)*text >= 0x20 || (field->kind == KIND_TEXT && *text < 0x0b));
    }
}

static void
check_limits(const struct message *message, enum message_side side)
{
    const struct message_form *form = message_form_of(side, message->type);

    demand(form != NULL);
    for (const unsigned char *f = form->needs; *f != F_END; f++)
        check_field(message, &message_fields[*f], true);
    for (const unsigned char *f = form->may; *f != F_END; f++)
        check_field(message, &message_fields[*f], false);
}

/* Each element that can be read can be written into another list. */
static void
check_list(const json_t *list, enum message_type type)
{
    json_t *copy = NULL;

    for (size_t i = 0; i < message_count(list); i++) {
        struct message element;

        if (message_element(list, i, type, &element) != LAZYCHAT_OK)
            continue;
        check_limits(&element, type == MESSAGE_SAY ? MESSAGE_OF_SERVER : MESSAGE_OF_LIST);
        check_list(element.reactions, MESSAGE_REACTION);
        demand(message_add(&copy, &element) > 0);
    }
    json_decref(copy);
}

static void
check_lists(const struct message *message)
{
    static const enum message_type types[] = {MESSAGE_SAY, MESSAGE_PERSON, MESSAGE_ROOM_ITEM,
                                              MESSAGE_REACTION};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        check_list(message->items, types[i]);
        check_list(message->in, types[i]);
        check_list(message->out, types[i]);
        check_list(message->reactions, types[i]);
    }
}

/* It can be written, and what is written is read as the same. */
static void
check_again(const struct message *message, enum message_side side)
{
    static char first[WRITTEN_MAX], second[WRITTEN_MAX];
    int length = message_encode(message, side, first, sizeof(first));
    struct message again;
    struct message_fault fault;

    demand(length > 0);
    if (length > MESSAGE_MAX)
        return;
    demand(message_parse(&again, side, first, (size_t)length, &fault) == LAZYCHAT_OK);
    demand(message_encode(&again, side, second, sizeof(second)) == length);
    demand(memcmp(first, second, (size_t)length) == 0);
    message_free(&again);
}

static int
depth_of(const json_t *json)
{
    int deepest = 0, depth;
    size_t i;
    const char *key;
    json_t *value;

    json_array_foreach(json, i, value) if ((depth = depth_of(value)) > deepest) deepest = depth;
    json_object_foreach((json_t *)json, key, value) if ((depth = depth_of(value)) > deepest)
        deepest = depth;
    return deepest + (json_is_array(json) || json_is_object(json));
}

static void
check(enum message_side side, const uint8_t *data, size_t size)
{
    struct message message;
    struct message_fault fault;

    switch (message_parse(&message, side, data, size, &fault)) {
    case LAZYCHAT_OK:
        demand(size <= MESSAGE_MAX && depth_of(message.json) <= MESSAGE_DEPTH_MAX);
        check_limits(&message, side);
        check_lists(&message);
        check_again(&message, side);
        message_free(&message);
        break;
    case LAZYCHAT_UNSUPPORTED:
        break;
    case LAZYCHAT_INVALID:
        check_fault(&fault);
        break;
    default:
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(MESSAGE_OF_CLIENT, data, size);
    check(MESSAGE_OF_SERVER, data, size);
    return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
    mutate_seed(seed);
    return mutate_message(data, size, max);
}

size_t
LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                          uint8_t *out, size_t max, unsigned int seed)
{
    mutate_seed(seed);
    return mutate_splice(data1, size1, data2, size2, out, max);
}
