/* json.c: lines of JSON. */
#include "json.h"

#include "escape.h"
#include "message.h"
#include "session.h"
#include "signals.h"
#include "utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_mode {
    struct session session;
    bool quiet, told_lost;
    int broken;    /* errno: nobody reads what is told */
    bool skipping; /* the rest of a line that is too long */
    char *line;    /* one that waits: the server is away */
    size_t line_length;
};

/* ---- Out ---- */

/* `\u202e` in place of characters that would steer a terminal; to a parser of JSON it is the same.
 */
static void
put_escaped(uint32_t c)
{
    if (c == '\n' || c == '\r')
        putchar(' '); /* between tokens: within a text it is not JSON */
    else if (c < 0x10000)
        printf("\\u%04x", (unsigned int)c);
    else
        printf("\\u%04x\\u%04x", (unsigned int)(0xd800 + ((c - 0x10000) >> 10)),
               (unsigned int)(0xdc00 + ((c - 0x10000) & 0x3ff)));
}

/* It is out when this returns: after the turn the store has it as seen, and a program that was
 * killed in between would never tell it. */
static void
put_line(struct json_mode *mode, const char *json, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t c = 0xfffd;
        size_t size = utf8_decode(json + at, length - at, &c);
        char safe[16];

        size = size == 0 ? 1 : size;
        if (c >= 0x20 && c < 0x7f) {
            putchar((int)c);
        } else if (c == 0xfffd || (escape(safe, sizeof(safe), json + at, size), safe[0] == '\\')) {
            put_escaped(c);
        } else {
            fwrite(json + at, 1, size, stdout);
        }
        at += size;
    }
    putchar('\n');
    if (fflush(stdout) != 0 && mode->broken == 0)
        mode->broken = errno;
}

/* An error that was found here, as the server would have said it. */
static void
put_error(struct json_mode *mode, const struct message_fault *fault)
{
    json_t *error =
        json_pack("{s:s, s:s, s:s*, s:s, s:s*}", "t", "error", "code", fault->code, "field",
                  fault->field, "text", fault->text, "id", fault->id[0] != '\0' ? fault->id : NULL);
    char *line = error != NULL ? json_dumps(error, JSON_COMPACT) : NULL;

    if (line != NULL)
        put_line(mode, line, strlen(line));
    free(line);
    json_decref(error);
}

/* ---- What the library tells ---- */

/* The type of a message, as far as it matters here. */
static bool
is_type(const char *json, size_t length, const char *type)
{
    json_t *message = json_loadb(json, length, 0, NULL);
    const char *is = json_string_value(json_object_get(message, "t"));
    bool same = is != NULL && strcmp(is, type) == 0;

    json_decref(message);
    return same;
}

static void
heard(void *user, struct lazychat_room *room, const char *json, size_t length)
{
    struct json_mode *mode = user;
    struct session *session = &mode->session;

    (void)room;
    if (session->raw)
        session->progress = session->now;
    /* The answer to what the session asks at the end is its own. */
    if (session->asked && !session->answered && session->questions == 0 &&
        is_type(json, length, "batch"))
        return;
    put_line(mode, json, length);
}

static void
numbered(void *user, struct lazychat_room *room, const struct lazychat_message *message)
{
    struct json_mode *mode = user;

    session_message(&mode->session, room, message->seq);
}

static void
tell(struct json_mode *mode, const char *what, const char *text)
{
    char safe[1024];

    if (mode->quiet)
        return;
    escape(safe, sizeof(safe), text, strlen(text));
    fprintf(stderr, "-- %s %s: %s\n", what, mode->session.where, safe);
}

static void
happened(void *user, struct lazychat_room *room, const struct lazychat_event *event)
{
    struct json_mode *mode = user;

    session_event(&mode->session, room, event);
    if (event->type == LAZYCHAT_JOINED)
        tell(mode, "in", event->text);
    if (event->type == LAZYCHAT_LOST && !mode->told_lost && mode->session.was_in)
        tell(mode, "lost", event->text);
    if (event->type == LAZYCHAT_REFUSED && event->code != NULL && strcmp(event->code, "store") == 0)
        tell(mode, "nothing is kept any more of", event->text);
    mode->told_lost =
        event->type == LAZYCHAT_LOST || (mode->told_lost && event->type != LAZYCHAT_JOINED);
}

/* ---- In ---- */

/* What is wrong with the line: what the library said, and which field and message it is about. */
static void
refuse(struct json_mode *mode, const char *line, size_t length, const char *why)
{
    struct message_fault fault = {0};
    struct message message;

    if (message_parse(&message, MESSAGE_OF_CLIENT, line, length, &fault) == LAZYCHAT_OK)
        message_free(&message);
    if (fault.code == NULL)
        fault = (struct message_fault){.code = "bad-message"};
    snprintf(fault.text, sizeof(fault.text), "%s", why);
    put_error(mode, &fault);
    mode->session.not_said = true;
}

/* What will be answered, so that the end waits for it. */
static void
count_question(struct session *session, const char *line, size_t length)
{
    if (is_type(line, length, "history"))
        session->questions++;
    else if (is_type(line, length, "search") || is_type(line, length, "open") ||
             is_type(line, length, "nick"))
        session->others++;
}

/* False: later, the same line again. */
static bool
send_line(struct json_mode *mode, const char *line, size_t length)
{
    struct session *session = &mode->session;
    char why[200] = "";
    int error = lazychat_send_json(session->room, line, length, why);

    if (error == LAZYCHAT_GONE || error == LAZYCHAT_WOULD_BLOCK)
        return false;
    if (error != LAZYCHAT_OK) {
        refuse(mode, line, length, why[0] != '\0' ? why : lazychat_strerror(error));
    } else {
        count_question(session, line, length);
    }
    return true;
}

/* Lines that are too long come in parts: the first is answered, the others are passed over. */
static bool
is_too_long(struct json_mode *mode)
{
    bool first = mode->session.input.in_part && !mode->skipping;
    bool part = mode->session.input.in_part || mode->skipping;

    mode->skipping = mode->session.input.in_part;
    if (first)
        refuse(mode, "", 0, "the line is too long");
    return part;
}

static void
take_lines(struct json_mode *mode)
{
    struct session *session = &mode->session;

    while (lazychat_room_joined(session->room) && lazychat_unsent(session->chat) < SESSION_UNSENT) {
        if (mode->line == NULL && !input_line(&session->input, &mode->line, &mode->line_length))
            return;
        if (!is_too_long(mode) && mode->line_length > 0 &&
            !send_line(mode, mode->line, mode->line_length))
            return;
        mode->line = NULL;
    }
}

/* ---- The loop ---- */

static int
loop(struct json_mode *mode)
{
    struct session *session = &mode->session;
    int status;

    do {
        session_turn(session,
                     mode->line == NULL && session->was_in && session_wants_input(session));
        if (session->input_ready)
            input_read(&session->input);
        take_lines(mode);
        session->holding = mode->line != NULL;
    } while (!session_over(session, mode->broken, &status));
    return status;
}

int
json_run(struct lazychat_config *config, const char *where, bool quiet)
{
    struct json_mode mode = {.quiet = quiet};
    int status, stopped;

    config->on_json = heard;
    config->on_event = happened;
    config->on_message = numbered;
    config->user = &mode;
    if (!session_open(&mode.session, config, where, NULL, &status))
        return status;
    status = loop(&mode);
    stopped = mode.session.stopped;
    session_close(&mode.session);
    if (stopped != 0)
        signals_die_of(stopped);
    return status;
}
