/* classic.c: a terminal or a pipe in the classic lobby. */
#include "classic.h"

#include "clock.h"
#include "escape.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line that was said and has not come back yet. */
struct line {
    struct line *next;
    size_t length;
    bool handed; /* the stack took it */
    char bytes[];
};

struct classic {
    const char *host;
    struct network *network;
    struct connection *connection;
    bool terminal; /* a person types here, and sees it */
    bool input_ended, leaving, lost;
    int signals; /* descriptor for SIGINT and its kin */
    int stopped; /* which of them came; 0: none */
    char *input; /* what was read and is no whole line yet */
    size_t input_length;
    struct line *first, *last;
    size_t window; /* bytes in them */
    char *output;  /* room for one escaped message */
};

/* ---- What the person says ---- */

/* Hand lines to the stack until it has no room; an event says when it has again. */
static void
say(struct classic *classic)
{
    for (struct line *line = classic->first; line != NULL; line = line->next) {
        struct endpoint_message message = {.data = line->bytes, .length = line->length};

        if (line->handed)
            continue;
        if (connection_send(classic->connection, &message) != LAZYCHAT_OK)
            return;
        line->handed = true;
    }
}

static void
add_line(struct classic *classic, const char *bytes, size_t length)
{
    struct line *line = malloc(sizeof(*line) + length);

    if (line == NULL)
        abort();
    line->next = NULL;
    line->length = length;
    line->handed = false;
    memcpy(line->bytes, bytes, length);
    if (classic->last != NULL)
        classic->last->next = line;
    else
        classic->first = line;
    classic->last = line;
    classic->window += length;
}

/* Cut lines off what was read; a line longer than a message goes in parts. */
static void
cut_lines(struct classic *classic)
{
    size_t done = 0;

    while (done < classic->input_length) {
        const char *from = classic->input + done;
        size_t left = classic->input_length - done;
        const char *end = memchr(from, '\n', left);
        size_t length = end != NULL ? (size_t)(end - from) + 1 : left;

        if (end == NULL && !classic->input_ended && left < ENDPOINT_MESSAGE_MAX)
            break;
        if (length > ENDPOINT_MESSAGE_MAX)
            length = ENDPOINT_MESSAGE_MAX;
        add_line(classic, from, length);
        done += length;
    }
    classic->input_length -= done;
    memmove(classic->input, classic->input + done, classic->input_length);
}

static bool
wants_input(const struct classic *classic)
{
    return !classic->input_ended && connection_state(classic->connection) == CONNECTION_OPEN &&
           classic->window < CLASSIC_WINDOW;
}

static void
read_input(struct classic *classic)
{
    ssize_t count = read(STDIN_FILENO, classic->input + classic->input_length,
                         ENDPOINT_MESSAGE_MAX - classic->input_length);

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count > 0)
        classic->input_length += (size_t)count;
    else
        classic->input_ended = true;
    cut_lines(classic);
}

/* ---- What the server says ---- */

/* Is it ours that came back? Then it and whatever was said before it have arrived. Someone else who
 * says the same counts as well: the bytes are all that there is. */
static bool
came_back(struct classic *classic, const uint8_t *data, size_t length)
{
    struct line *line = classic->first;

    while (line != NULL && line->handed &&
           (line->length != length || memcmp(line->bytes, data, length) != 0))
        line = line->next;
    if (line == NULL || !line->handed)
        return false;
    line = line->next;
    while (classic->first != line) {
        struct line *old = classic->first;

        classic->first = old->next;
        classic->window -= old->length;
        free(old);
    }
    if (classic->first == NULL)
        classic->last = NULL;
    return true;
}

/* Each line of a message is one line here, whatever bytes are in it. */
static void
print_message(struct classic *classic, const uint8_t *data, size_t length)
{
    while (length > 0) {
        const uint8_t *end = memchr(data, '\n', length);
        size_t line = end != NULL ? (size_t)(end - data) : length;
        size_t done = line;

        if (done > 0 && end != NULL && data[done - 1] == '\r') /* as Windows and telnet end lines */
            done--;
        escape(classic->output, ENDPOINT_MESSAGE_MAX * ESCAPE_FACTOR + 1, data, done);
        puts(classic->output);
        length -= line + (end != NULL);
        data += line + (end != NULL);
    }
}

static void
take(struct classic *classic, const struct endpoint_event *event)
{
    if (event->type == ENDPOINT_MESSAGE) {
        bool own = came_back(classic, event->data, event->length);

        if (!own || !classic->terminal) /* the terminal shows what was typed on it */
            print_message(classic, event->data, event->length);
    } else if (event->type == ENDPOINT_PATH && classic->terminal) {
        fprintf(stderr, "lazychat: %s\n",
                event->reachable ? "the server answers again"
                                 : "no answer from the server; waiting for it");
    }
}

/* ---- The conversation ---- */

static void
wait_for_something(const struct classic *classic, int64_t deadline)
{
    struct pollfd polls[] = {
        {.fd = network_fd(classic->network), .events = POLLIN},
        {.fd = classic->signals, .events = POLLIN},
        {.fd = wants_input(classic) ? STDIN_FILENO : -1, .events = POLLIN},
    };
    int64_t wait = deadline == ENDPOINT_NO_DEADLINE ? -1 : deadline - clock_ms();

    if (deadline != ENDPOINT_NO_DEADLINE && wait < 0)
        wait = 0;
    poll(polls, sizeof(polls) / sizeof(polls[0]), wait > 60000 ? 60000 : (int)wait);
}

/* SHUTDOWN: the server is told, and answers. */
static void
leave(struct classic *classic)
{
    if (!classic->leaving)
        connection_shutdown(classic->connection);
    classic->leaving = true;
}

/* One that is interrupted leaves no ghost in the room; a second signal, or one before it is in,
 * does not wait for an answer. */
static void
take_signal(struct classic *classic)
{
    int number;

    while ((number = signals_take(classic->signals)) != 0) {
        bool first = classic->stopped == 0;

        classic->stopped = number;
        if (first && connection_state(classic->connection) == CONNECTION_OPEN)
            leave(classic);
        else
            classic->lost = true;
    }
}

static bool
input_ready(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, 0) > 0;
}

/* One turn once it is open. */
static void
talk(struct classic *classic)
{
    struct endpoint_event event;

    while (connection_recv(classic->connection, &event) == 1)
        take(classic, &event);
    if (fflush(stdout) != 0)
        classic->lost = true; /* nobody reads what we print */
    while (wants_input(classic) && input_ready())
        read_input(classic);
    say(classic);
    if (classic->input_ended && classic->first == NULL)
        leave(classic);
}

/* Why it ended, and the exit status for it. */
static int
verdict(const struct classic *classic)
{
    enum connection_state state = connection_state(classic->connection);

    if (classic->stopped != 0)
        return EXIT_FAILURE;
    if (classic->lost) {
        fprintf(stderr, "lazychat: cannot write: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    if (state == CONNECTION_FAILED) {
        fprintf(stderr,
                "lazychat: cannot reach %s: %s\n"
                "  do: is lazychatd running there, and does it listen for others than itself "
                "(--listen)?\n",
                classic->host, connection_text(classic->connection));
        return EXIT_FAILURE;
    }
    if (classic->leaving)
        return EXIT_SUCCESS;
    fprintf(stderr, "lazychat: the server %s%s\n",
            connection_reason(classic->connection) == ENDPOINT_CLOSED ? "has closed"
            : connection_reason(classic->connection) == ENDPOINT_ABORTED
                ? "ended the association"
                : "does not answer any more",
            classic->first != NULL ? "; not everything that was said has come back" : "");
    return EXIT_FAILURE;
}

/* How long the end of the association is waited for: everything has come back by then. */
#define LEAVE_MS 1000

static void
loop(struct classic *classic, bool quiet)
{
    bool announced = quiet;
    int64_t leave_by = ENDPOINT_NO_DEADLINE;

    while (!classic->lost) {
        int64_t now = clock_ms();
        int64_t receive_by = network_receive(classic->network, now);
        int64_t next = connection_turn(classic->connection, now);
        enum connection_state state = connection_state(classic->connection);

        take_signal(classic);
        if (state == CONNECTION_OPEN && !announced) {
            fprintf(stderr, "lazychat: in the classic lobby of %s (%s)\n", classic->host,
                    connection_text(classic->connection));
            announced = true;
        }
        if (state == CONNECTION_OPEN)
            talk(classic);
        network_flush(classic->network);
        state = connection_state(classic->connection);
        if (state == CONNECTION_FAILED || state == CONNECTION_CLOSED || now >= leave_by)
            return;
        if (classic->leaving && leave_by == ENDPOINT_NO_DEADLINE)
            leave_by = now + LEAVE_MS;
        next = receive_by < next ? receive_by : next;
        wait_for_something(classic, next < leave_by ? next : leave_by);
    }
}

static int
connect_to(struct classic *classic, const struct connection_config *config)
{
    struct connection_config own = *config;
    int error = network_create(&classic->network);

    if (error != LAZYCHAT_OK)
        return error;
    own.network = classic->network;
    return connection_open(&classic->connection, &own, clock_ms());
}

int
classic_run(const char *host, const struct connection_config *config, bool quiet)
{
    struct classic classic = {.host = host};
    int error, status;

    classic.signals = signals_open(NULL);
    classic.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    classic.input = malloc(ENDPOINT_MESSAGE_MAX);
    classic.output = malloc(ENDPOINT_MESSAGE_MAX * ESCAPE_FACTOR + 1);
    error = classic.input == NULL || classic.output == NULL ? LAZYCHAT_NO_MEMORY
                                                            : connect_to(&classic, config);
    if (error != LAZYCHAT_OK) {
        fprintf(stderr, "lazychat: cannot reach %s: %s\n", host, lazychat_strerror(error));
        status = EXIT_FAILURE;
    } else {
        loop(&classic, quiet);
        status = verdict(&classic);
    }
    connection_close(classic.connection);
    network_destroy(classic.network);
    while (classic.first != NULL) {
        struct line *line = classic.first;

        classic.first = line->next;
        free(line);
    }
    free(classic.input);
    free(classic.output);
    close(classic.signals);
    if (classic.stopped != 0)
        signals_die_of(classic.stopped);
    return status;
}
