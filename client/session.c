/* session.c: in, and out in order. */
#include "session.h"

#include "clock.h"
#include "escape.h"
#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_MS 2000

/* ---- Opening ---- */

static const char *
what_to_do(int error)
{
    switch (error) {
    case LAZYCHAT_NO_ADDRESS:
        return "there is no such host, or no name server";
    case LAZYCHAT_INVALID:
        return "it takes HOST or HOST/ROOM, a room being 1 to 32 of a-z 0-9 - _";
    default:
        return lazychat_strerror(error);
    }
}

static int
open_chat(struct session *session, struct lazychat_config *config)
{
    int error = lazychat_open(&session->chat, config);

    if (error == LAZYCHAT_IN_USE && config->store != NULL) {
        if (session->person)
            fprintf(stderr, "-- another lazychat uses %s: here nothing is kept\n", config->store);
        config->store = NULL;
        error = lazychat_open(&session->chat, config);
    }
    session->store = config->store;
    return error;
}

bool
session_open(struct session *session, struct lazychat_config *config, const char *where,
             const int *signals, int *status)
{
    bool person = session->person;
    int error;

    memset(session, 0, sizeof(*session));
    session->person = person;
    session->raw = config->raw;
    session->where = where;
    snprintf(session->host, sizeof(session->host), "%.*s", (int)strcspn(where, "/"), where);
    session->signals = signals_open(signals);
    session->begun = session->now = session->progress = clock_ms();
    error = input_open(&session->input);
    if (error == LAZYCHAT_OK)
        error = open_chat(session, config);
    if (error != LAZYCHAT_OK) {
        fprintf(stderr, "lazychat: cannot start: %s\n", lazychat_strerror(error));
    } else if ((error = lazychat_join(session->chat, where, &session->room)) != LAZYCHAT_OK) {
        fprintf(stderr, "lazychat: cannot join %s: %s\n", where, what_to_do(error));
    }
    *status = error == LAZYCHAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    if (error == LAZYCHAT_OK)
        return true;
    session_close(session);
    return false;
}

void
session_close(struct session *session)
{
    lazychat_close(session->chat);
    session->chat = NULL;
    input_close(&session->input);
    close(session->signals);
}

/* ---- What happens ---- */

/* Others' comings and goings are none, nor are vain attempts. */
static bool
is_progress(enum lazychat_event_type type)
{
    return type == LAZYCHAT_JOINED || type == LAZYCHAT_SENT || type == LAZYCHAT_NAMES ||
           type == LAZYCHAT_HISTORY || type == LAZYCHAT_FOUND || type == LAZYCHAT_WHISPER;
}

bool
session_event(struct session *session, const struct lazychat_room *room,
              const struct lazychat_event *event)
{
    if (is_progress(event->type))
        session->progress = session->now;
    switch (event->type) {
    case LAZYCHAT_JOINED:
        if (room == session->room && !session->was_in)
            session->head = event->head;
        session->was_in = session->was_in || room == session->room;
        return false;
    case LAZYCHAT_LOST:
        escape(session->why, sizeof(session->why), event->text, strlen(event->text));
        return false;
    case LAZYCHAT_SENT:
        session->sent = room == session->room ? event->seq : session->sent;
        return false;
    case LAZYCHAT_REFUSED:
        session->not_said = session->not_said || (event->retry < 0 && event->id != NULL);
        session->others -= session->others > 0 && event->retry < 0;
        return false;
    case LAZYCHAT_FOUND:
    case LAZYCHAT_ROOM:
    case LAZYCHAT_YOU:
        session->others -= session->others > 0;
        return false;
    case LAZYCHAT_HISTORY:
        if (session->questions > 0) {
            session->questions--;
            return false;
        }
        session->answered = session->asked && session->seen == session->asked_at;
        session->asked = session->answered;
        return true;
    default:
        return false;
    }
}

void
session_message(struct session *session, const struct lazychat_room *room, int64_t seq)
{
    session->progress = session->now;
    if (room == session->room && seq > session->seen)
        session->seen = seq;
}

void
session_leave(struct session *session, struct lazychat_room *room, struct lazychat_room *other)
{
    lazychat_leave(room);
    if (room != session->room)
        return;
    session->room = other;
    session->head = session->seen = session->sent = 0;
    session->asked = session->answered = false;
}

/* ---- Turns ---- */

bool
session_wants_input(const struct session *session)
{
    return !session->leaving && !session->input.ended &&
           lazychat_unsent(session->chat) < SESSION_UNSENT;
}

/* While nothing else happens, session_over looks at the time once a second. */
static int
wait_at_most(const struct session *session)
{
    int timeout = lazychat_timeout(session->chat);
    bool waiting = session->ended != 0 || (!session->was_in && !session->person);

    if (waiting && (timeout < 0 || timeout > 1000))
        timeout = 1000;
    return timeout;
}

int
session_turn(struct session *session, bool wants_input)
{
    struct pollfd polls[] = {
        {.fd = lazychat_fd(session->chat), .events = POLLIN},
        {.fd = session->signals, .events = POLLIN},
        {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
    };
    int number;

    poll(polls, sizeof(polls) / sizeof(polls[0]), wait_at_most(session));
    session->now = clock_ms();
    session->input_ready = polls[2].revents != 0;
    lazychat_turn(session->chat);
    if (lazychat_unsent(session->chat) != session->unsent) {
        session->unsent = lazychat_unsent(session->chat);
        session->progress = session->now;
    }
    number = signals_take(session->signals);
    if (number != SIGINT && number != SIGTERM && number != SIGHUP)
        return number;
    session->stopped = number;
    return 0;
}

/* ---- The end ---- */

void
session_say_unsent(const struct session *session)
{
    size_t count = lazychat_unsent(session->chat);

    if (count > 0 && session->store != NULL)
        fprintf(stderr,
                "  kept: %zu message%s not acknowledged; in %s, going out at the next start\n",
                count, count == 1 ? "" : "s", session->store);
    else if (count > 0)
        fprintf(stderr, "  not said: %zu message%s\n", count, count == 1 ? "" : "s");
}

static int
gave_up(const struct session *session)
{
    const char *why = session->why[0] != '\0' ? session->why : "no answer";

    if (session->was_in) {
        fprintf(stderr, "lazychat: lost %s: %s\n", session->host, why);
    } else {
        fprintf(stderr,
                "lazychat: cannot reach %s: %s\n"
                "  do: is lazychatd running there, and does it listen for others than itself "
                "(--listen)?\n",
                session->where, why);
    }
    session_say_unsent(session);
    return EXIT_FAILURE;
}

/* Has everything come that was there when it joined, and every answer? The server answers questions
 * about history and lists in their order, so the answer to the last one tells, even if there is
 * nothing in it. Whatever came before it may have made the library ask for more: then once again.
 */
static bool
settled(struct session *session)
{
    if (session->sent > session->seen)
        return false;
    if (session->answered)
        return session->others == 0;
    if (!session->asked && session->questions == 0 &&
        lazychat_history(session->room, 1, 1) == LAZYCHAT_OK) {
        session->asked = true;
        session->asked_at = session->seen;
    }
    return false;
}

/* There is nothing that a raw one waits for but silence. */
static bool
over_raw(struct session *session, int *status)
{
    *status = EXIT_SUCCESS;
    if (session->was_in && !lazychat_room_joined(session->room)) {
        *status = gave_up(session);
        return true;
    }
    return session->was_in && session->ended != 0 &&
           session->now - session->progress >= SESSION_RAW_MS &&
           session->now - session->ended >= SESSION_RAW_MS;
}

static bool
over_in_pipe(struct session *session, int *status)
{
    int64_t quiet = session->now - session->progress;

    *status = session->not_said ? EXIT_FAILURE : EXIT_SUCCESS;
    if (!session->was_in && session->now - session->begun >= SESSION_REACH_MS + 500) {
        *status = gave_up(session);
        return true;
    }
    if (session->raw)
        return over_raw(session, status);
    if (session->ended == 0 || !session->was_in)
        return false;
    if (lazychat_unsent(session->chat) == 0 && quiet >= SESSION_SETTLE_MS)
        return true;
    if (quiet >= SESSION_PATIENCE_MS) {
        *status = gave_up(session);
        return true;
    }
    return lazychat_unsent(session->chat) == 0 && lazychat_room_joined(session->room) &&
           settled(session);
}

/* Who leaves waits a moment for what was just said. */
static bool
over_for_person(struct session *session, int *status)
{
    size_t unsent = lazychat_unsent(session->chat);

    if (session->ended == 0 || (unsent > 0 && session->now - session->ended < LEAVE_MS))
        return false;
    *status = unsent > 0 && session->store == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
    return true;
}

bool
session_over(struct session *session, int broken, int *status)
{
    if (session->ended == 0 && !session->holding &&
        (session->leaving || input_done(&session->input)))
        session->ended = session->now;
    if (session->stopped != 0) {
        *status = EXIT_FAILURE;
        return true;
    }
    if (broken != 0) {
        fprintf(stderr, "lazychat: cannot write: %s\n", strerror(broken));
        *status = EXIT_FAILURE;
        return true;
    }
    if (session->person)
        return over_for_person(session, status);
    return over_in_pipe(session, status);
}
