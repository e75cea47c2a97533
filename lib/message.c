/* message.c: a parser and an encoder that walk the tables of message_form. */
#include "message.h"
#include "message_form.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct message, member)

void
message_init(struct message *message, enum message_type type)
{
    memset(message, 0, sizeof(*message));
    for (size_t i = F_SEQ; i <= F_RETRY; i++)
        *(int64_t *)(void *)((char *)message + message_fields[i].offset) = MESSAGE_ABSENT;
    message->type = type;
    message->on = true;
}

/* Numbered, and in the log. */
static bool
is_logged(const struct message_form *form)
{
    return form->needs[0] == F_SEQ && form->needs[1] == F_AT;
}

const char *
message_type_name(enum message_type type)
{
    for (size_t i = 0; i < MESSAGE_FORMS; i++)
        if (message_forms[i].type == type && message_forms[i].name != NULL)
            return message_forms[i].name;
    return "element";
}

/* ---- Texts ---- */

static bool
is_one_of(const char *text, const char *also, bool capitals, const char *letters)
{
    for (; *text != '\0'; text++) {
        bool lower = strchr(letters, *text) != NULL;
        bool upper =
            capitals && *text >= 'A' && *text <= 'Z' && strchr(letters, *text | 0x20) != NULL;
        bool digit = *text >= '0' && *text <= '9';

        if (!lower && !upper && !digit && strchr(also, *text) == NULL)
            return false;
    }
    return true;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

bool
message_room_valid(const char *name)
{
    size_t length = strlen(name);

    return length >= 1 && length <= MESSAGE_ROOM_MAX && is_one_of(name, "-_", false, LETTERS);
}

/* No C0 (but what `allowed` has), DEL, C1. The bytes are valid UTF-8: the JSON parser saw to it. */
static bool
has_no_controls(const char *text, const char *allowed)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if ((*c < 0x20 && strchr(allowed, *c) == NULL) || *c == 0x7f ||
            (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
            return false;
    return true;
}

/* NULL when the text is what the field may hold, else what is wrong. */
static const char *
text_fault(const struct message_field *field, const char *text)
{
    switch (field->kind) {
    case KIND_TEXT:
        return has_no_controls(text, "\n\t")
                   ? NULL
                   : "has control characters; only line feed and tab are allowed";
    case KIND_LINE:
        return has_no_controls(text, "") ? NULL : "has control characters";
    case KIND_ID:
        return is_one_of(text, "-_", true, LETTERS) ? NULL : "has others than A-Z a-z 0-9 - _";
    case KIND_HEX:
        return is_one_of(text, "", true, "abcdef") ? NULL : "is not hexadecimal";
    default:
        return is_one_of(text, "-_", false, LETTERS) ? NULL : "has others than a-z 0-9 - _";
    }
}

/* ---- Reading ---- */

static int
bad_field(struct message_fault *fault, const struct message_field *field, const char *what)
{
    fault->code = "bad-field";
    fault->field = field->name;
    snprintf(fault->text, sizeof(fault->text), "%s %s", field->name, what);
    return LAZYCHAT_INVALID;
}

static int
bad_message(struct message_fault *fault, const char *what)
{
    fault->code = "bad-message";
    fault->field = NULL;
    snprintf(fault->text, sizeof(fault->text), "%s", what);
    return LAZYCHAT_INVALID;
}

static int
read_text(struct message *message, const struct message_field *field, const json_t *value,
          struct message_fault *fault)
{
    size_t length = json_string_length(value);
    const char *wrong;
    char what[96];

    if (!json_is_string(value))
        return bad_field(fault, field, "is not a string");
    if ((int64_t)length < field->min || (int64_t)length > field->max) {
        snprintf(what, sizeof(what), "is %zu bytes long; %lld to %lld are allowed", length,
                 (long long)field->min, (long long)field->max);
        return bad_field(fault, field, what);
    }
    wrong = text_fault(field, json_string_value(value));
    if (wrong != NULL)
        return bad_field(fault, field, wrong);
    *(const char **)(void *)((char *)message + field->offset) = json_string_value(value);
    return LAZYCHAT_OK;
}

static int
read_number(struct message *message, const struct message_field *field, const json_t *value,
            struct message_fault *fault)
{
    json_int_t number = json_integer_value(value);
    char what[96];

    if (!json_is_integer(value))
        return bad_field(fault, field, "is not an integer up to 2^53 - 1");
    if (number < field->min || number > field->max) {
        snprintf(what, sizeof(what), "is %lld; %lld to %lld are allowed", (long long)number,
                 (long long)field->min, (long long)field->max);
        return bad_field(fault, field, what);
    }
    *(int64_t *)(void *)((char *)message + field->offset) = number;
    return LAZYCHAT_OK;
}

static int
read_field(struct message *message, const struct message_field *field, const json_t *value,
           struct message_fault *fault)
{
    char *member = (char *)message + field->offset;

    switch (field->kind) {
    case KIND_NUMBER:
        return read_number(message, field, value, fault);
    case KIND_BOOL:
        if (!json_is_boolean(value))
            return bad_field(fault, field, "is not true or false");
        *(bool *)(void *)member = json_is_true(value);
        return LAZYCHAT_OK;
    case KIND_LIST:
        if (!json_is_array(value))
            return bad_field(fault, field, "is not an array");
        *(const json_t **)(void *)member = value;
        return LAZYCHAT_OK;
    default:
        return read_text(message, field, value, fault);
    }
}

/* What no list of fields can say: what was said has a text until it is redacted, and a piece of
 * history begins somewhere or ends somewhere. NULL, or which field is not as it must be. */
static const struct message_field *
field_amiss(const struct message_form *form, const struct message *message)
{
    bool said = form->side == MESSAGE_OF_SERVER && form->type == MESSAGE_SAY;

    if (said && message->text == NULL && !message->redacted)
        return &message_fields[F_TEXT];
    if (form->type == MESSAGE_HISTORY &&
        (message->since == MESSAGE_ABSENT) == (message->before == MESSAGE_ABSENT))
        return &message_fields[F_SINCE];
    return NULL;
}

static int
read_list(struct message *message, const unsigned char *list, bool needed, const json_t *object,
          struct message_fault *fault)
{
    int error = LAZYCHAT_OK;

    for (; *list != F_END && error == LAZYCHAT_OK; list++) {
        const json_t *value = json_object_get(object, message_fields[*list].name);

        if (value != NULL)
            error = read_field(message, &message_fields[*list], value, fault);
        else if (needed)
            error = bad_field(fault, &message_fields[*list], "is missing");
    }
    return error;
}

static int
read_fields(struct message *message, const struct message_form *form, const json_t *object,
            struct message_fault *fault)
{
    const struct message_field *amiss;
    int error;

    message_init(message, form->type);
    error = read_list(message, form->needs, true, object, fault);
    if (error == LAZYCHAT_OK)
        error = read_list(message, form->may, false, object, fault);
    if (error != LAZYCHAT_OK)
        return error;
    amiss = field_amiss(form, message);
    if (amiss == NULL)
        return LAZYCHAT_OK;
    return bad_field(fault, amiss,
                     amiss == &message_fields[F_TEXT] ? "is missing"
                                                      : "or `before` is needed, not both");
}

/* Nested deeper than allowed? Brackets in strings do not count. */
static bool
too_deep(const char *bytes, size_t length)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (quoted && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            quoted = !quoted;
        else if (!quoted && (bytes[i] == '{' || bytes[i] == '['))
            depth++;
        else if (!quoted && (bytes[i] == '}' || bytes[i] == ']'))
            depth--;
        if (depth > MESSAGE_DEPTH_MAX)
            return true;
    }
    return false;
}

#define DIGITS "0123456789"

/* Makes `number`, of `length` characters, small and no integer if it might be too big: its exponent
 * becomes 0, a long integer's second digit a point. What was malformed stays so. */
static void
shrink_number(char *number, size_t length)
{
    size_t sign = number[0] == '-' ? 1 : 0;
    size_t digits = strspn(number + sign, DIGITS);
    bool exponent = false;

    for (size_t i = 0; i < length; i++) {
        if (exponent && number[i] >= '0' && number[i] <= '9')
            number[i] = '0';
        exponent = exponent || number[i] == 'e' || number[i] == 'E';
    }
    if (sign + digits == length && digits > 18 && number[sign] != '0')
        number[sign + 1] = '.';
}

/* Beyond 2^63 or 1e308 jansson gives up: the whole message would be lost, even for a field that
 * nobody knows, and nobody could say for which. So it gets other numbers there, that are as wrong.
 * `bytes` end with a NUL. */
static void
shrink_numbers(char *bytes, size_t length)
{
    bool quoted = false;
    size_t step;

    for (size_t i = 0; i < length; i += step) {
        step = quoted && bytes[i] == '\\' ? 2 : 1;
        if (bytes[i] == '"')
            quoted = !quoted;
        if (quoted || (bytes[i] != '-' && (bytes[i] < '0' || bytes[i] > '9')))
            continue;
        step = strspn(bytes + i, DIGITS "+-.eE");
        shrink_number(bytes + i, step);
    }
}

static json_t *
decode_shrunk(const void *bytes, size_t length, json_error_t *error)
{
    char copy[MESSAGE_MAX + 1];

    memcpy(copy, bytes, length);
    copy[length] = '\0';
    shrink_numbers(copy, length);
    return json_loadb(copy, length, JSON_REJECT_DUPLICATES, error);
}

/* The parser's own words would quote the peer's bytes. */
static const char *
json_fault(enum json_error_code code)
{
    switch (code) {
    case json_error_invalid_utf8:
        return "not UTF-8";
    case json_error_duplicate_key:
        return "a key is there twice";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 is not allowed";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "not a JSON object";
    }
}

/* LAZYCHAT_OK, with a new reference. */
static int
load(json_t **json, const void *bytes, size_t length, struct message_fault *fault)
{
    json_error_t error;
    char what[96];

    if (length > MESSAGE_MAX) {
        snprintf(what, sizeof(what), "message of %zu bytes; %d are allowed", length, MESSAGE_MAX);
        return bad_message(fault, what);
    }
    if (too_deep(bytes, length))
        return bad_message(fault, "objects and arrays nested too deep");
    *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (*json == NULL && json_error_code(&error) == json_error_numeric_overflow)
        *json = decode_shrunk(bytes, length, &error);
    if (*json != NULL)
        return LAZYCHAT_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return LAZYCHAT_NO_MEMORY;
    snprintf(what, sizeof(what), "%s (at byte %d)", json_fault(json_error_code(&error)),
             error.position);
    return bad_message(fault, what);
}

/* The id of a faulty message, so that its sender can tell which one it was. */
static void
take_id(const json_t *json, struct message_fault *fault)
{
    const json_t *id = json_object_get(json, "id");
    size_t length = json_string_length(id);

    if (length >= 1 && length <= MESSAGE_ID_MAX &&
        text_fault(&message_fields[F_ID], json_string_value(id)) == NULL)
        memcpy(fault->id, json_string_value(id), length + 1);
}

static int
read_typed(struct message *message, enum message_side side, const json_t *json,
           struct message_fault *fault)
{
    const json_t *type = json_object_get(json, "t");
    const struct message_form *form;

    if (!json_is_object(json))
        return bad_message(fault, "not a JSON object");
    take_id(json, fault);
    if (!json_is_string(type))
        return bad_message(fault, "no type: `t` is missing or not a string");
    form = message_form_named(side, json_string_value(type));
    if (form == NULL)
        return LAZYCHAT_UNSUPPORTED;
    return read_fields(message, form, json, fault);
}

int
message_parse(struct message *message, enum message_side side, const void *bytes, size_t length,
              struct message_fault *fault)
{
    json_t *json = NULL;
    int error;

    memset(fault, 0, sizeof(*fault));
    error = load(&json, bytes, length, fault);
    if (error == LAZYCHAT_OK)
        error = read_typed(message, side, json, fault);
    if (error != LAZYCHAT_OK) {
        message_init(message, MESSAGE_TYPES); /* keeps nothing that lies in `json` */
        json_decref(json);
        return error;
    }
    message->json = json;
    return LAZYCHAT_OK;
}

/* Read by its name; only what is logged has a place in a list. */
static int
read_logged(struct message *element, const json_t *json, struct message_fault *fault)
{
    int error = read_typed(element, MESSAGE_OF_SERVER, json, fault);

    if (error == LAZYCHAT_OK && !is_logged(message_form_of(MESSAGE_OF_SERVER, element->type)))
        return LAZYCHAT_UNSUPPORTED;
    return error;
}

int
message_element(const json_t *list, size_t index, enum message_type type, struct message *element)
{
    const json_t *json = json_array_get(list, index);
    const struct message_form *form = message_form_of(MESSAGE_OF_LIST, type);
    struct message_fault fault = {0};
    int error = LAZYCHAT_INVALID;

    if (type == MESSAGE_SAY)
        error = read_logged(element, json, &fault);
    else if (form != NULL && json_is_object(json))
        error = read_fields(element, form, json, &fault);
    if (error != LAZYCHAT_OK)
        message_init(element, type);
    return error;
}

size_t
message_count(const json_t *list)
{
    return json_array_size(list);
}

void
message_free(struct message *message)
{
    if (message->json == NULL) { /* what message_add made */
        json_decref(message->items);
        json_decref(message->in);
        json_decref(message->out);
        json_decref(message->reactions);
    }
    json_decref(message->json);
    message->items = message->in = message->out = message->reactions = message->json = NULL;
}

/* ---- Writing ---- */

/* The value of a field, a new reference; NULL with *absent when there is none. */
static json_t *
value_of(const struct message *message, const struct message_field *field, bool needed,
         bool *absent)
{
    const char *member = (const char *)message + field->offset;
    const char *text;
    bool is_default;

    switch (field->kind) {
    case KIND_NUMBER:
        *absent = *(const int64_t *)(const void *)member == MESSAGE_ABSENT;
        return *absent ? NULL : json_integer(*(const int64_t *)(const void *)member);
    case KIND_BOOL:
        is_default = *(const bool *)(const void *)member == (field->offset == AT(on));
        *absent = is_default && !needed;
        return *absent ? NULL : json_boolean(*(const bool *)(const void *)member);
    case KIND_LIST:
        *absent = *(json_t *const *)(const void *)member == NULL;
        if (*absent && needed) {
            *absent = false;
            return json_array();
        }
        return *absent ? NULL : json_incref(*(json_t *const *)(const void *)member);
    default:
        text = *(const char *const *)(const void *)member;
        *absent = text == NULL;
        return *absent ? NULL : json_string(text);
    }
}

static int
write_fields(json_t *object, const struct message *message, const unsigned char *list, bool needed)
{
    for (; *list != F_END; list++) {
        bool absent;
        json_t *value = value_of(message, &message_fields[*list], needed, &absent);

        if (absent && !needed)
            continue;
        if (value == NULL) /* bytes that are not UTF-8, or no memory, or not there at all */
            return LAZYCHAT_INVALID;
        if (json_object_set_new_nocheck(object, message_fields[*list].name, value) != 0)
            return LAZYCHAT_NO_MEMORY;
    }
    return LAZYCHAT_OK;
}

static int
write_form(json_t *object, const struct message *message, const struct message_form *form)
{
    int error;

    if (field_amiss(form, message) != NULL)
        return LAZYCHAT_INVALID;
    if (form->name != NULL &&
        json_object_set_new_nocheck(object, "t", json_string(form->name)) != 0)
        return LAZYCHAT_NO_MEMORY;
    error = write_fields(object, message, form->needs, true);
    return error == LAZYCHAT_OK ? write_fields(object, message, form->may, false) : error;
}

static int
write_message(json_t **result, const struct message *message, enum message_side side)
{
    const struct message_form *form = message_form_of(side, message->type);
    json_t *object;
    int error;

    if (form == NULL)
        return LAZYCHAT_INVALID;
    object = json_object();
    if (object == NULL)
        return LAZYCHAT_NO_MEMORY;
    error = write_form(object, message, form);
    if (error != LAZYCHAT_OK) {
        json_decref(object);
        return error;
    }
    *result = object;
    return LAZYCHAT_OK;
}

int
message_encode(const struct message *message, enum message_side side, void *buffer, size_t size)
{
    json_t *object;
    int error = write_message(&object, message, side);
    size_t length;

    if (error != LAZYCHAT_OK)
        return error;
    length = json_dumpb(object, buffer, size, JSON_COMPACT);
    json_decref(object);
    if (length == 0)
        return LAZYCHAT_NO_MEMORY;
    return length > size ? LAZYCHAT_TOO_LARGE : (int)length;
}

#define SHORT "\b\f\n\r\t" /* two bytes when escaped; other control characters have six */

static size_t value_size(json_t *value);

/* How many bytes a string is with its quotes, as jansson escapes it. */
static size_t
text_size(const json_t *text)
{
    const char *bytes = json_string_value(text);
    size_t length = json_string_length(text), size = length + 2;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\' || (bytes[i] != '\0' && strchr(SHORT, bytes[i])))
            size += 1;
        else if ((unsigned char)bytes[i] < 0x20)
            size += 5;
    }
    return size;
}

static size_t
number_size(int64_t number)
{
    size_t size = number < 0 ? 2 : 1;

    while ((number /= 10) != 0)
        size++;
    return size;
}

static size_t
list_size(const json_t *list)
{
    size_t count = json_array_size(list), size = count > 0 ? count + 1 : 2;

    for (size_t i = 0; i < count; i++)
        size += value_size(json_array_get(list, i));
    return size;
}

static size_t
object_size(json_t *object)
{
    size_t count = json_object_size(object), size = count > 0 ? count + 1 : 2;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) size +=
        strlen(key) + strlen("\"\":") + value_size(value);
    return size;
}

/* How long JSON will be. Writing it to nowhere tells as well, but takes as long as writing it, and
 * batches made one after the other are most of what a server does when many come at once. */
static size_t
value_size(json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return object_size(value);
    case JSON_ARRAY:
        return list_size(value);
    case JSON_STRING:
        return text_size(value);
    case JSON_INTEGER:
        return number_size(json_integer_value(value));
    case JSON_FALSE:
        return strlen("false");
    default:
        return strlen("true"); /* no field is null or real */
    }
}

static int
add_at(json_t **list, const struct message *element, bool first)
{
    enum message_side side = message_form_of(MESSAGE_OF_LIST, element->type) != NULL
                                 ? MESSAGE_OF_LIST
                                 : MESSAGE_OF_SERVER;
    json_t *object;
    int error = write_message(&object, element, side);
    size_t length;

    if (error != LAZYCHAT_OK)
        return error;
    length = value_size(object);
    if (*list == NULL)
        *list = json_array();
    if (json_array_insert_new(*list, first ? 0 : json_array_size(*list), object) != 0)
        return LAZYCHAT_NO_MEMORY;
    return (int)length + 1; /* the comma */
}

int
message_add(json_t **list, const struct message *element)
{
    return add_at(list, element, false);
}

int
message_add_first(json_t **list, const struct message *element)
{
    return add_at(list, element, true);
}

void
message_drop(json_t *list, bool first)
{
    json_array_remove(list, first ? 0 : json_array_size(list) - 1);
}
