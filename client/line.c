/* line.c: what is typed or piped goes out, what comes is shown. */
#include "line.h"

#include "command.h"
#include "show.h"
#include "signals.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEOPLE_MAX 500

/* ---- Rooms ---- */

static struct line_room *
room_of(const struct line *line, const struct lazychat_room *room)
{
    for (size_t i = 0; i < line->count; i++)
        if (line->rooms[i]->room == room)
            return line->rooms[i];
    return NULL;
}

static struct line_room *
room_add(struct line *line, struct lazychat_room *room)
{
    struct line_room *made = calloc(1, sizeof(*made));

    if (made == NULL)
        abort();
    made->room = room;
    line->rooms[line->count++] = made;
    return made;
}

static void
room_free(struct line_room *room)
{
    memory_free(&room->memory);
    free(room->query);
    free(room);
}

void
line_join(struct line *line, const char *name)
{
    struct lazychat_room *room;
    struct line_room *is;
    char *where;
    int error;

    if (line->count == LINE_ROOMS_MAX) {
        show_answer(line, "in %d rooms already; /part leaves one", LINE_ROOMS_MAX);
        return;
    }
    if (strchr(name, '/') != NULL) {
        show_answer(line, "a room of another server: start another lazychat for it");
        return;
    }
    if (asprintf(&where, "%s/%s", line->session.host, name) < 0)
        abort();
    error = lazychat_join(line->session.chat, where, &room);
    free(where);
    if (error == LAZYCHAT_INVALID)
        show_answer(line, "a room's name is 1 to 32 of a-z 0-9 - _");
    else if (line_worked(line, error)) {
        is = room_of(line, room);
        line->current = is != NULL ? is : room_add(line, room);
        show_answer(line, "what you say goes to %s", lazychat_room_name(room));
    }
}

void
line_part(struct line *line)
{
    struct line_room *room = line->current;
    size_t at = 0;

    if (line->count == 1) {
        show_answer(line, "this is the only room that you are in; /quit ends lazychat");
        return;
    }
    while (line->rooms[at] != room)
        at++;
    memmove(&line->rooms[at], &line->rooms[at + 1],
            (line->count - at - 1) * sizeof(struct line_room *));
    line->count--;
    line->current = line->rooms[at > 0 ? at - 1 : 0];
    show_answer(line, "left %s; what you say goes to %s", lazychat_room_name(room->room),
                lazychat_room_name(line->current->room));
    session_leave(&line->session, room->room, line->current->room);
    room_free(room);
}

/* ---- What the library tells ---- */

static void
heard(void *user, struct lazychat_room *from, const struct lazychat_message *message)
{
    struct line *line = user;
    struct line_room *room = room_of(line, from);
    bool past = message->old && message->seq <= line->session.head;
    /* Where typed lines stay on the screen, one's own need not come twice. */
    bool seen = line->terminal.typed && line->terminal.shown && !line->terminal.editing &&
                message->own && !message->old;

    if (room == NULL)
        return;
    session_message(&line->session, from, message->seq);
    if (!seen && !(past && line->options.last == 0 && !line->terminal.typed))
        show_message(line, room, message);
    memory_add(&room->memory, message);
    if (message->seq > room->shown)
        room->shown = message->seq;
}

static void
happened(void *user, struct lazychat_room *from, const struct lazychat_event *event)
{
    struct line *line = user;
    struct line_room *room = room_of(line, from);

    if (room == NULL || session_event(&line->session, from, event))
        return;
    show_event(line, room, event);
    if (event->type == LAZYCHAT_JOINED && !line->options.quiet && event->people <= PEOPLE_MAX)
        lazychat_names(from); /* so that those who leave have names */
}

/* ---- What is said ---- */

bool
line_worked(struct line *line, int error)
{
    switch (error) {
    case LAZYCHAT_OK:
        return true;
    case LAZYCHAT_GONE:
        show_answer(line, "that needs the server, which is not there at present");
        return false;
    case LAZYCHAT_WOULD_BLOCK:
        show_answer(line, "too much waits to be sent already; nothing was sent");
        return false;
    case LAZYCHAT_TOO_LARGE:
        show_answer(line, "too long (a message is at most %d bytes); nothing was sent",
                    LAZYCHAT_TEXT_MAX);
        return false;
    case LAZYCHAT_INVALID:
        show_answer(line, "the server would not take that; nothing was sent");
        return false;
    default:
        show_answer(line, "%s; nothing was sent", lazychat_strerror(error));
        return false;
    }
}

static void
say_that_it_waits(struct line *line)
{
    if (!line->session.person || lazychat_room_joined(line->current->room))
        return;
    show_answer(line, "not connected: it is kept%s and goes out by itself",
                line->session.store != NULL ? "" : " as long as lazychat runs");
}

bool
line_say(struct line *line, const char *text)
{
    if (!line_worked(line, lazychat_say(line->current->room, text, NULL)))
        return false;
    say_that_it_waits(line);
    return true;
}

void
line_read(struct line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        struct line_room *room = line->rooms[i];

        if (room->shown > room->read && lazychat_read(room->room, room->shown) == LAZYCHAT_OK)
            room->read = room->shown;
    }
}

/* A line of a person. False: nothing was done with it. */
static bool
take_command_or_say(struct line *line, const char *text)
{
    size_t spaces = strspn(text, " \t");

    if (text[0] == '/' && text[1] == '/')
        return line_say(line, text + 1);
    if (text[0] == '/')
        return command_run(line, text + 1);
    if (text[spaces] == '/' && command_known(text + spaces + 1)) {
        show_answer(line, "a command begins with its slash, without a space before it; nothing was "
                          "sent");
        return false;
    }
    return line_say(line, text);
}

/* What was entered. What could not be done is typed again, to be corrected. */
static void
entered(struct line *line)
{
    char raw[EDIT_MAX + 1], text[TEXT_SIZE];

    edit_take(&line->terminal.edit, raw);
    if (raw[strspn(raw, " \t\n")] == '\0')
        return;
    line_read(line);
    if (text_sayable(text, raw, strlen(raw)) < strlen(raw)) {
        line_worked(line, LAZYCHAT_TOO_LARGE);
        edit_set(&line->terminal.edit, raw);
    } else if (!take_command_or_say(line, text)) {
        edit_set(&line->terminal.edit, raw);
    }
}

static void
take_keys(struct line *line)
{
    char bytes[4096];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (count <= 0)
        line->session.leaving = true;
    for (ssize_t i = 0; i < count && !line->session.leaving; i++) {
        enum edit_result result = terminal_key(&line->terminal, bytes[i]);

        if (result == EDIT_ENTERED)
            entered(line);
        if (result == EDIT_END)
            line->session.leaving = true;
    }
}

/* A line of a pipe, or of a terminal without editing: all of it is said, in as many messages as it
 * takes. */
static void
say_all(struct line *line, const char *bytes, size_t length)
{
    char text[TEXT_SIZE];

    while (length > 0) {
        size_t taken = text_sayable(text, bytes, length);

        if (!line_say(line, text))
            line->session.not_said = true;
        bytes += taken;
        length -= taken;
    }
}

static void
take_line(struct line *line, char *bytes, size_t length)
{
    char text[TEXT_SIZE];

    if (length > 0 && bytes[length - 1] == '\r')
        length--;
    if (!line->commands || length == 0 || bytes[strspn(bytes, " \t")] != '/') {
        say_all(line, bytes, length);
        return;
    }
    if (text_sayable(text, bytes, length) < length)
        line_worked(line, LAZYCHAT_TOO_LARGE);
    else if (take_command_or_say(line, text))
        return;
    line->session.not_said = true;
}

static void
take_lines(struct line *line)
{
    char *bytes;
    size_t length;

    while (lazychat_unsent(line->session.chat) < SESSION_UNSENT && !line->session.leaving &&
           input_line(&line->session.input, &bytes, &length)) {
        take_line(line, bytes, length);
    }
}

/* ---- The loop ---- */

static void
set_prompt(struct line *line)
{
    char prompt[64];
    size_t unsent = lazychat_unsent(line->session.chat);
    bool in = lazychat_room_joined(line->current->room);

    if (!in && unsent > 0)
        snprintf(prompt, sizeof(prompt), "%s (%zu unsent)> ",
                 lazychat_room_name(line->current->room), unsent);
    else
        snprintf(prompt, sizeof(prompt), "%s%s> ", lazychat_room_name(line->current->room),
                 in ? "" : " (not connected)");
    terminal_prompt(&line->terminal, prompt);
}

static int
loop(struct line *line)
{
    struct session *session = &line->session;
    bool keys = line->terminal.editing;
    int status;

    do {
        int number;

        set_prompt(line);
        terminal_flush(&line->terminal);
        number = session_turn(session, keys || session_wants_input(session));
        if (number != 0)
            terminal_signal(&line->terminal, number);
        if (keys && session->input_ready)
            take_keys(line);
        if (!keys && session->input_ready)
            input_read(&session->input);
        if (!keys)
            take_lines(line);
    } while (!session_over(session, line->terminal.broken, &status));
    terminal_flush(&line->terminal);
    return status;
}

static void
line_close(struct line *line)
{
    terminal_close(&line->terminal);
    for (size_t i = 0; i < line->count; i++)
        room_free(line->rooms[i]);
}

int
line_run(struct lazychat_config *config, const struct line_options *options)
{
    struct line *line = calloc(1, sizeof(*line));
    int status, stopped;

    if (line == NULL)
        abort();
    line->options = *options;
    config->on_message = heard;
    config->on_event = happened;
    config->user = line;
    config->last = options->last;
    terminal_open(&line->terminal);
    line->commands = line->terminal.typed || options->commands;
    line->session.person = line->terminal.typed;
    if (session_open(&line->session, config, options->where,
                     line->terminal.editing ? terminal_signals : NULL, &status)) {
        line->current = room_add(line, line->session.room);
        status = loop(line);
        line_close(line);
        if (line->session.person)
            session_say_unsent(&line->session);
        stopped = line->session.stopped;
        session_close(&line->session);
        if (stopped != 0)
            signals_die_of(stopped);
    } else {
        line_close(line);
    }
    free(line);
    return status;
}
