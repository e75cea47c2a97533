/* terminal.h: where lines are shown and typed. A pipe is one on which nobody types.
 *
 * Owns standard output and standard error while it is open, the terminal's mode, the prompt and the
 * typed line. Must not know what the lines say; they have been made safe.
 *
 * With a terminal on both sides it reads key by key and keeps the typed line below what is shown:
 * each line erases it, and terminal_flush draws it anew, so that nobody's words land in the middle
 * of it. A terminal that cannot erase (TERM=dumb) is used line by line.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "edit.h"

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool typed;   /* a person types: standard input is a terminal */
    bool shown;   /* standard output is a terminal */
    bool editing; /* keys come one by one */
    bool colour;
    bool drawn; /* the typed line is on the screen */
    int broken; /* errno: nobody reads what is shown */
    char prompt[128];
    struct termios before;
    struct edit edit;
};

/* Signals that terminal_signal wants to have; ends with 0. */
extern const int terminal_signals[];

void terminal_open(struct terminal *terminal);

/* Gives the terminal back as it was. */
void terminal_close(struct terminal *terminal);

/* A line to standard output; one to standard error, in a terminal set off from the others. */
void terminal_line(struct terminal *terminal, const char *line);
void terminal_notice(struct terminal *terminal, const char *line);

/* What stands before the typed line. */
void terminal_prompt(struct terminal *terminal, const char *prompt);

/* One byte of standard input, while `editing`. */
enum edit_result terminal_key(struct terminal *terminal, char byte);

/* Draws the typed line if need be and writes everything out; at the end of each turn. */
void terminal_flush(struct terminal *terminal);

/* Stops (SIGTSTP) and comes back (SIGCONT), follows the window's size (SIGWINCH). Whether the
 * signal was one of these. */
bool terminal_signal(struct terminal *terminal, int number);

#endif
