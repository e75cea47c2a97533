/* terminal.c: the typed line and what is shown above it. */
#include "terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const int terminal_signals[] = {SIGTSTP, SIGCONT, SIGWINCH, 0};

#define ERASE         "\r\x1b[K"
#define PASTE_ON      "\x1b[?2004h"
#define PASTE_OFF     "\x1b[?2004l"
#define COLUMNS_LEAST 16

/* Keys one by one and unseen; Ctrl-C and Ctrl-Z stay signals. */
static void
raw(struct terminal *terminal)
{
    struct termios mode = terminal->before;

    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    mode.c_iflag &= ~(tcflag_t)(IXON | INLCR);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
    fputs(PASTE_ON, stdout);
}

static void
cooked(struct terminal *terminal)
{
    if (terminal->drawn)
        fputs(ERASE, stdout);
    terminal->drawn = false;
    fputs(PASTE_OFF, stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
}

/* Widths are those of UTF-8 whatever the environment says: nothing else is ever shown. */
static void
use_utf8(void)
{
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

void
terminal_open(struct terminal *terminal)
{
    const char *kind = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    bool able = kind != NULL && *kind != '\0' && strcmp(kind, "dumb") != 0;

    memset(terminal, 0, sizeof(*terminal));
    use_utf8();
    edit_init(&terminal->edit);
    terminal->typed = isatty(STDIN_FILENO);
    terminal->shown = isatty(STDOUT_FILENO);
    terminal->colour = terminal->shown && able && (no_colour == NULL || *no_colour == '\0');
    terminal->editing = terminal->typed && terminal->shown && able &&
                        tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (terminal->editing)
        raw(terminal);
}

void
terminal_close(struct terminal *terminal)
{
    if (terminal->editing)
        cooked(terminal);
    fflush(stdout);
    terminal->editing = false;
    edit_free(&terminal->edit);
}

static void
erase(struct terminal *terminal)
{
    if (terminal->drawn)
        fputs(ERASE, stdout);
    terminal->drawn = false;
}

static void
flush(struct terminal *terminal)
{
    if (fflush(stdout) != 0 && terminal->broken == 0)
        terminal->broken = errno;
}

void
terminal_line(struct terminal *terminal, const char *line)
{
    erase(terminal);
    fputs(line, stdout);
    putc('\n', stdout);
    /* Before the store has it as seen: a program that was killed in between would never show it. */
    if (!terminal->editing)
        flush(terminal);
}

void
terminal_notice(struct terminal *terminal, const char *line)
{
    bool dim = terminal->colour && terminal->editing;

    erase(terminal);
    if (!terminal->editing)
        fflush(stdout); /* in order, where both go to one place */
    fprintf(terminal->editing ? stdout : stderr, "%s%s%s\n", dim ? "\x1b[2m" : "", line,
            dim ? "\x1b[0m" : "");
}

void
terminal_prompt(struct terminal *terminal, const char *prompt)
{
    if (strcmp(terminal->prompt, prompt) == 0)
        return;
    snprintf(terminal->prompt, sizeof(terminal->prompt), "%s", prompt);
    erase(terminal);
}

enum edit_result
terminal_key(struct terminal *terminal, char byte)
{
    enum edit_result result = edit_key(&terminal->edit, byte);

    if (result == EDIT_REDRAW)
        fputs("\x1b[H\x1b[2J", stdout);
    if (result != EDIT_NOTHING)
        erase(terminal);
    return result;
}

/* The typed line takes one row, the last column left free: there the cursor would go on to the next
 * row. */
static void
draw(struct terminal *terminal)
{
    struct winsize size = {0};
    size_t prompt = strlen(terminal->prompt), columns = 80, cursor;
    char view[EDIT_MAX * 2];

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    if (prompt + COLUMNS_LEAST > columns)
        prompt = 0;
    columns = columns > prompt + 2 ? columns - prompt - 1 : 1;
    cursor = edit_view(&terminal->edit, columns, view, sizeof(view));
    fprintf(stdout, ERASE "%s%s\r", prompt > 0 ? terminal->prompt : "", view);
    if (prompt + cursor > 0)
        fprintf(stdout, "\x1b[%zuC", prompt + cursor);
    terminal->drawn = true;
}

void
terminal_flush(struct terminal *terminal)
{
    if (terminal->editing && !terminal->drawn)
        draw(terminal);
    flush(terminal);
}

bool
terminal_signal(struct terminal *terminal, int number)
{
    if (number != SIGTSTP && number != SIGCONT && number != SIGWINCH)
        return false;
    if (number == SIGTSTP) {
        if (terminal->editing)
            cooked(terminal);
        raise(SIGSTOP);
    }
    if (terminal->editing && number != SIGWINCH)
        raw(terminal);
    erase(terminal);
    return true;
}
