/* signals.h: the signals that end a program, as something to wait for.
 *
 * Owns a signalfd. Must not know what leaving means.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

/* A descriptor for SIGINT, SIGTERM and SIGHUP, and for `more` (ends with 0); SIGPIPE is ignored.
 * Returns the descriptor, or -1. */
int signals_open(const int *more);

/* The next one that came, or 0. Never waits. */
int signals_take(int fd);

/* Ends the program as one that does not take the signal ends: the shell wants to know. */
void signals_die_of(int number);

#endif
