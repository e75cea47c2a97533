/* option.c: reads options by a table, and prints it. */
#include "option.h"

#include "lazychat.h"

#include <stdlib.h>
#include <string.h>

static const struct option *
find(const struct option *options, const char *name, size_t length)
{
    for (; options->name != NULL; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

static bool
number(const struct option *option, const char *text)
{
    char *end;
    unsigned long value;

    if (*text < '0' || *text > '9')
        return false;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value < option->min || value > option->max)
        return false;
    *(unsigned int *)option->value = (unsigned int)value;
    return true;
}

static bool
is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);

    if (strchr(text, '|') != NULL)
        return false;
    while (length > 0 && choices != NULL) {
        if (strncmp(choices, text, length) == 0 &&
            (choices[length] == '|' || choices[length] == '\0'))
            return true;
        choices = strchr(choices, '|');
        choices = choices != NULL ? choices + 1 : NULL;
    }
    return false;
}

static bool
list_add(struct option_list *list, const char *text)
{
    if (list->count == OPTION_LIST_MAX)
        return false;
    list->values[list->count++] = text;
    return true;
}

/* Store the value; false, having said why, when it is none. */
static bool
take(const struct option *option, const char *text, const char *program, FILE *errors)
{
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return true;
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return true;
    case OPTION_NUMBER:
        if (number(option, text))
            return true;
        fprintf(errors, "%s: --%s takes a number from %u to %u, not '%s'\n", program, option->name,
                option->min, option->max, text);
        return false;
    case OPTION_CHOICE:
        if (is_choice(option->choices, text)) {
            *(const char **)option->value = text;
            return true;
        }
        fprintf(errors, "%s: --%s is one of %s, not '%s'\n", program, option->name, option->choices,
                text);
        return false;
    case OPTION_LIST:
        if (list_add(option->value, text))
            return true;
        fprintf(errors, "%s: --%s may be given %d times\n", program, option->name, OPTION_LIST_MAX);
        return false;
    }
    return false;
}

/* One option at argv[*at], and its value. */
static bool
parse_one(const struct option *options, int argc, char **argv, int *at, const char *program,
          FILE *errors)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct option *option = find(options, name, length);

    if (option == NULL || length == 0) {
        fprintf(errors, "%s: no option '%s'\n", program, argv[*at]);
        return false;
    }
    if (option->type == OPTION_FLAG && value != NULL) {
        fprintf(errors, "%s: --%s takes no value\n", program, option->name);
        return false;
    }
    if (option->type != OPTION_FLAG && value == NULL) {
        if (*at + 1 >= argc) {
            fprintf(errors, "%s: --%s needs %s\n", program, option->name, option->argument);
            return false;
        }
        value = argv[++*at];
    }
    return take(option, value, program, errors);
}

int
option_parse(const struct option *options, int argc, char **argv, const char **rest, int rest_max,
             FILE *errors)
{
    const char *program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    bool only_rest = false;
    int count = 0;

    for (int i = 1; i < argc; i++) {
        if (!only_rest && strcmp(argv[i], "--") == 0) {
            only_rest = true;
        } else if (!only_rest && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!parse_one(options, argc, argv, &i, program, errors))
                goto wrong;
        } else if (!only_rest && argv[i][0] == '-' && argv[i][1] != '\0') {
            fprintf(errors, "%s: no option '%s'\n", program, argv[i]);
            goto wrong;
        } else if (count == rest_max) {
            fprintf(errors, "%s: do not know what to do with '%s'\n", program, argv[i]);
            goto wrong;
        } else {
            rest[count++] = argv[i];
        }
    }
    return count;
wrong:
    fprintf(errors, "%s: --help tells more\n", program);
    return -1;
}

#define HELP_COLUMN 28

void
option_help(const struct option *options, FILE *out)
{
    for (; options->name != NULL; options++) {
        int column = fprintf(out, "  --%s%s%s", options->name, options->argument != NULL ? " " : "",
                             options->argument != NULL ? options->argument : "");

        if (column >= HELP_COLUMN) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%*s", HELP_COLUMN - column, "");
        for (const char *c = options->help; *c != '\0'; c++) {
            fputc(*c, out);
            if (*c == '\n')
                fprintf(out, "%*s", HELP_COLUMN, "");
        }
        fputc('\n', out);
    }
}

int
option_start(const struct option_program *program, int argc, char **argv, const char **rest,
             int rest_max, int *status)
{
    int count = option_parse(program->options, argc, argv, rest, rest_max, stderr);

    *status = count < 0 ? OPTION_EXIT_USAGE : EXIT_SUCCESS;
    if (count < 0)
        return count;
    if (*program->help) {
        fputs(program->usage, stdout);
        option_help(program->options, stdout);
        return -1;
    }
    if (*program->version) {
        printf("%s %s\n", program->name, lazychat_version());
        return -1;
    }
    return count;
}
