/* option.h: command-line options from one table: the parser, its errors and --help all read it.
 *
 * Owns nothing of the program. Forms: `--name`, `--name VALUE`, `--name=VALUE`; `--` ends them.
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum option_type {
    OPTION_FLAG,   /* bool: set to true */
    OPTION_NUMBER, /* unsigned int, from `min` to `max` */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_CHOICE, /* const char *: one of `choices` */
    OPTION_LIST,   /* struct option_list: may be given again */
};

#define OPTION_LIST_MAX 16

struct option_list {
    const char *values[OPTION_LIST_MAX];
    size_t count;
};

struct option {
    const char *name;     /* without the dashes; NULL ends the table */
    const char *argument; /* what --help calls the value; NULL for a flag */
    enum option_type type;
    void *value; /* where it goes; holds the default before */
    unsigned int min, max;
    const char *choices; /* "default|lan" */
    const char *help;    /* may hold line breaks */
};

/* Reads argv[1…]; what is no option goes to `rest` (at most rest_max), in order. Returns how many
 * those are, or -1 after it has written to `errors` what is wrong and how to find help. */
int option_parse(const struct option *options, int argc, char **argv, const char **rest,
                 int rest_max, FILE *errors);

/* The options, one a line, with their help. */
void option_help(const struct option *options, FILE *out);

#define OPTION_EXIT_USAGE 2 /* the exit status for wrong usage */

struct option_program {
    const char *name;
    const char *usage; /* what --help says before the options */
    const struct option *options;
    const bool *help, *version; /* where its --help and --version go */
};

/* What a program does first: option_parse with errors on stderr, and --help and --version answered.
 * Returns as option_parse, or -1 when the program is to exit with *status. */
int option_start(const struct option_program *program, int argc, char **argv, const char **rest,
                 int rest_max, int *status);

#endif
