/* mutate.c: changes messages at the level of their fields: kinds, limits and names come from the
 * table that the parser has. */
#include "mutate.h"

#include "message_form.h"

#include <jansson.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Escapes that need not be, and reals in unknown fields, may be written longer than they came. */
#define WRITTEN_MAX (32 * MESSAGE_MAX)

static uint32_t random_state;

void
mutate_seed(unsigned int seed)
{
    random_state = seed;
}

unsigned int
mutate_below(size_t n)
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
    memset(text,
           mutate_below(8) == 0 ? "\x01\x1f\x7f\n\t\"\\"[mutate_below(7)] : "a0"[mutate_below(2)],
           (size_t)length);
    return json_stringn_nocheck(text, (size_t)length);
}

static json_t *any_value(void);

/* At a limit, just beyond it, or in between. */
static json_t *
value_for(const struct message_field *field)
{
    int64_t limits[] = {field->min - 1, field->min, field->max, field->max + 1, field->min + 1};

    if (mutate_below(16) == 0)
        return any_value();
    switch (field->kind) {
    case KIND_NUMBER:
        return json_integer(limits[1 + mutate_below(mutate_below(4) == 0 ? 3 : 2)] -
                            (mutate_below(16) == 0));
    case KIND_BOOL:
        return json_boolean(mutate_below(2));
    case KIND_LIST:
        return json_array();
    default:
        return text_of_length(limits[1 + mutate_below(mutate_below(4) == 0 ? 3 : 2)]);
    }
}

static json_t *
any_value(void)
{
    static const char *const texts[] = {
        "", "\xf0\x9f\x91\x8d", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "dev", "ann", "\x1b", "a\nb",
        "t"};

    switch (mutate_below(8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(mutate_below(2));
    case 2:
        return json_real((double)mutate_below(100) / 8);
    case 3:
        return json_array();
    case 4:
        return json_object();
    case 5:
        return json_integer((json_int_t)mutate_below(5000) - 1);
    default:
        return json_string(texts[mutate_below(sizeof(texts) / sizeof(texts[0]))]);
    }
}

static const struct message_field *
any_field(void)
{
    return &message_fields[1 + mutate_below(F_REACTIONS)];
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
        if (mutate_below(3) == 0)
            json_object_set_new(object, message_fields[*f].name, value_for(&message_fields[*f]));
    return object;
}

/* A random key of an object; NULL when it has none. */
static const char *
any_key(json_t *object)
{
    size_t left = json_object_size(object) == 0 ? 0 : mutate_below(json_object_size(object));
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
            value = json_array_get(value, mutate_below(json_array_size(value)));
        if (json_is_object(value) && mutate_below(4) != 0)
            object = value;
    }
    return object;
}

static json_t *
nested(json_t *value)
{
    for (unsigned int depth = 10 + mutate_below(8); depth > 0; depth--) {
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
    const char *name = lists[mutate_below(4)];
    json_t *list = json_object_get(object, name);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(object, name, list);
    }
    json_array_append_new(list, message_of(&message_forms[mutate_below(MESSAGE_FORMS)]));
}

static void
change(json_t *object)
{
    const struct message_field *field = any_field();
    const char *key = any_key(object);
    const char *type = message_forms[mutate_below(MESSAGE_FORMS)].name;

    switch (mutate_below(7)) {
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
    for (unsigned int skip = mutate_below(4); skip > 0; skip--)
        from += strcspn(from, ":") + (strchr(from, ':') != NULL);
    digit = from + strcspn(from, "0123456789");
    if (mutate_below(2) == 0 && *digit != '\0')
        snprintf(text, size, "%.*s%s%s", (int)(digit - copy), copy,
                 numbers[mutate_below(sizeof(numbers) / sizeof(numbers[0]))],
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
    if (mutate_below(8) == 0)
        deface(text, sizeof(text));
    length = strlen(text);
    if (length > max)
        return 0;
    memcpy(data, text, length);
    return length;
}

size_t
mutate_message(uint8_t *data, size_t size, size_t max)
{
    json_t *json;
    size_t length;

    if (mutate_below(4) == 0)
        return LLVMFuzzerMutate(data, size, max);
    json = mutate_below(16) == 0 ? message_of(&message_forms[mutate_below(MESSAGE_FORMS)])
                                 : json_loadb((const char *)data, size, 0, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return LLVMFuzzerMutate(data, size, max);
    }
    for (unsigned int times = 1 + mutate_below(3); times > 0; times--)
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

    if (json_is_array(items) && mutate_below(2) == 0) {
        json_array_append(items, from);
        return;
    }
    json_object_foreach(from, key, value) if (mutate_below(2) == 0)
        json_object_set(into, key, value);
}

size_t
mutate_splice(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2, uint8_t *out,
              size_t max)
{
    json_t *into = json_loadb((const char *)data1, size1, 0, NULL);
    json_t *from = json_loadb((const char *)data2, size2, 0, NULL);
    size_t length = 0;

    if (json_is_object(into) && json_is_object(from)) {
        splice(any_object(into), any_object(from));
        length = store(into, out, max);
    }
    json_decref(into);
    json_decref(from);
    return length;
}
