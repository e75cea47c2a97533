/* input.c: reads standard input. */
#include "input.h"

#include "lazychat.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
input_open(struct input *input)
{
    memset(input, 0, sizeof(*input));
    input->bytes = malloc(INPUT_LINE_MAX + 1);
    return input->bytes != NULL ? LAZYCHAT_OK : LAZYCHAT_NO_MEMORY;
}

void
input_close(struct input *input)
{
    free(input->bytes);
    input->bytes = NULL;
}

void
input_read(struct input *input)
{
    struct pollfd poll_in = {.fd = STDIN_FILENO, .events = POLLIN};
    ssize_t count;

    if (input->ended || input->to - input->from == INPUT_LINE_MAX || poll(&poll_in, 1, 0) <= 0)
        return;
    memmove(input->bytes, input->bytes + input->from, input->to - input->from);
    input->to -= input->from;
    input->from = 0;
    count = read(STDIN_FILENO, input->bytes + input->to, INPUT_LINE_MAX - input->to);
    if (count > 0)
        input->to += (size_t)count;
    else if (count == 0 || (errno != EINTR && errno != EAGAIN))
        input->ended = true; /* a closed descriptor, a terminal that hung up */
}

bool
input_line(struct input *input, char **line, size_t *length)
{
    size_t left = input->to - input->from;
    char *end = memchr(input->bytes + input->from, '\n', left);

    if (left == 0 || (end == NULL && left < INPUT_LINE_MAX && !input->ended))
        return false;
    *line = input->bytes + input->from;
    *length = end != NULL ? (size_t)(end - *line) : left;
    input->from += *length + (end != NULL);
    input->in_part = end == NULL && !input->ended;
    return true;
}

bool
input_done(const struct input *input)
{
    return input->ended && input->from == input->to;
}
