/* message.c: what peers of either side send, changed field by field as well as byte by byte. Where
 * it begins are the examples of docs/protocol.md (seeds_message.py). */
#include "message_form.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
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

/* ---- How a message is changed ---- */

static uint32_t random_state;

static unsigned int
below(size_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (unsigned int)((random_state >> 8) % n);
}

static json_t *
text_of_length(int64_t length)
{
    static char text[MESSAGE_MAX];

    if (length < 0 || length >= MESSAGE_MAX)
        length = 1;
    memset(text, below(8) == 0 ? "\x01\x1f\x7f\n\t\"\\"[below(7)] : "a0"[below(2)], (size_t)length);
    return json_stringn_nocheck(text, (size_t)length);
}

static json_t *any_value(void);

/* At a limit, just beyond it, or in between. */
static json_t *
value_for(const struct message_field *field)
{
    int64_t limits[] = {field->min - 1, field->min, field->max, field->max + 1, field->min + 1};

    if (below(16) == 0)
        return any_value();
    switch (field->kind) {
    case KIND_NUMBER:
        return json_integer(limits[1 + below(below(4) == 0 ? 3 : 2)] - (below(16) == 0));
    case KIND_BOOL:
        return json_boolean(below(2));
    case KIND_LIST:
        return json_array();
    default:
        return text_of_length(limits[1 + below(below(4) == 0 ? 3 : 2)]);
    }
}

static json_t *
any_value(void)
{
    static const char *const texts[] = {
        "", "\xf0\x9f\x91\x8d", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "dev", "ann", "\x1b", "a\nb",
        "t"};

    switch (below(8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(below(2));
    case 2:
        return json_real((double)below(100) / 8);
    case 3:
        return json_array();
    case 4:
        return json_object();
    case 5:
        return json_integer((json_int_t)below(5000) - 1);
    default:
        return json_string(texts[below(sizeof(texts) / sizeof(texts[0]))]);
    }
}

static const struct message_field *
any_field(void)
{
    return &message_fields[1 + below(F_REACTIONS)];
}

/* All that a type needs, and some of what it may have. */
static json_t *
message_of(const struct message_form *form)
{
    json_t *object = json_object();

    if (form->name != NULL)
        json_object_set_new(object, "t", json_string(form->name));
    for (const unsigned char *f = form->needs; *f != F_END; f++)
        json_object_set_new(object, message_fields[*f].name, value_for(&message_fields[*f]));
    for (const unsigned char *f = form->may; *f != F_END; f++)
        if (below(3) == 0)
            json_object_set_new(object, message_fields[*f].name, value_for(&message_fields[*f]));
    return object;
}

/* A random key of an object; NULL when it has none. */
static const char *
any_key(json_t *object)
{
    size_t left = json_object_size(object) == 0 ? 0 : below(json_object_size(object));
    void *at = json_object_iter(object);

    while (at != NULL && left-- > 0)
        at = json_object_iter_next(object, at);
    return at == NULL ? NULL : json_object_iter_key(at);
}

/* A random object, this one or one inside it. */
static json_t *
any_object(json_t *object)
{
    for (int tries = 0; tries < 4; tries++) {
        const char *key = any_key(object);
        json_t *value = key == NULL ? NULL : json_object_get(object, key);

        if (json_is_array(value) && json_array_size(value) > 0)
            value = json_array_get(value, below(json_array_size(value)));
        if (json_is_object(value) && below(4) != 0)
            object = value;
    }
    return object;
}

static json_t *
nested(json_t *value)
{
    for (unsigned int depth = 10 + below(8); depth > 0; depth--) {
        json_t *array = json_array();

        json_array_append_new(array, value);
        value = array;
    }
    return value;
}

static void
add_element(json_t *object)
{
    static const char *const lists[] = {"items", "in", "out", "reactions"};
    const char *name = lists[below(4)];
    json_t *list = json_object_get(object, name);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(object, name, list);
    }
    json_array_append_new(list, message_of(&message_forms[below(MESSAGE_FORMS)]));
}

static void
change(json_t *object)
{
    const struct message_field *field = any_field();
    const char *key = any_key(object);
    const char *type = message_forms[below(MESSAGE_FORMS)].name;

    switch (below(7)) {
    case 0:
        if (key != NULL)
            json_object_del(object, key);
        break;
    case 1:
        if (key != NULL)
            json_object_set_new(object, key, any_value());
        break;
    case 2:
        if (type != NULL)
            json_object_set_new(object, "t", json_string(type));
        break;
    case 3:
        json_object_set_new(object, field->name, nested(value_for(field)));
        break;
    case 4:
        add_element(object);
        break;
    default:
        json_object_set_new(object, field->name, value_for(field));
    }
}

/* What JSON made by a library never has: numbers beyond every type, a key twice. */
static void
deface(char *text, size_t size)
{
    static const char *const numbers[] = {"1e999",
                                          "18446744073709551616",
                                          "-9223372036854775809",
                                          "9007199254740992",
                                          "1.0",
                                          "1e-999",
                                          "-0",
                                          "01"};
    char *copy = strdup(text), *digit, *from = copy;

    if (copy == NULL)
        return;
    for (unsigned int skip = below(4); skip > 0; skip--)
        from += strcspn(from, ":") + (strchr(from, ':') != NULL);
    digit = from + strcspn(from, "0123456789");
    if (below(2) == 0 && *digit != '\0')
        snprintf(text, size, "%.*s%s%s", (int)(digit - copy), copy,
                 numbers[below(sizeof(numbers) / sizeof(numbers[0]))],
                 digit + strspn(digit, "0123456789"));
    else if (copy[0] == '{' && strlen(copy) > 2)
        snprintf(text, size, "{\"%s\":0,%s", any_field()->name, copy + 1);
    free(copy);
}

static size_t
store(const json_t *json, uint8_t *data, size_t max)
{
    static char text[WRITTEN_MAX];
    size_t length = json_dumpb(json, text, sizeof(text) - 1, JSON_COMPACT);

    if (length == 0 || length >= sizeof(text))
        return 0;
    text[length] = '\0';
    if (below(8) == 0)
        deface(text, sizeof(text));
    length = strlen(text);
    if (length > max)
        return 0;
    memcpy(data, text, length);
    return length;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
    json_t *json;
    size_t length;

    random_state = seed;
    if (below(4) == 0)
        return LLVMFuzzerMutate(data, size, max);
    json = below(16) == 0 ? message_of(&message_forms[below(MESSAGE_FORMS)])
                          : json_loadb((const char *)data, size, 0, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return LLVMFuzzerMutate(data, size, max);
    }
    for (unsigned int times = 1 + below(3); times > 0; times--)
        change(any_object(json));
    length = store(json, data, max);
    json_decref(json);
    return length > 0 ? length : LLVMFuzzerMutate(data, size, max);
}

/* Fields of the second go into the first, or all of it into a list of the first. */
static void
splice(json_t *into, json_t *from)
{
    const char *key;
    json_t *value, *items = json_object_get(into, "items");

    if (json_is_array(items) && below(2) == 0) {
        json_array_append(items, from);
        return;
    }
    json_object_foreach(from, key, value) if (below(2) == 0) json_object_set(into, key, value);
}

size_t
LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
                          uint8_t *out, size_t max, unsigned int seed)
{
    json_t *into = json_loadb((const char *)data1, size1, 0, NULL);
    json_t *from = json_loadb((const char *)data2, size2, 0, NULL);
    size_t length = 0;

    random_state = seed;
    if (json_is_object(into) && json_is_object(from)) {
        splice(any_object(into), any_object(from));
        length = store(into, out, max);
    }
    json_decref(into);
    json_decref(from);
    return length;
}
