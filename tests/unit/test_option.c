/* test_option.c: options by their table, and what is said of wrong ones. */
#include "option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool flag;
static unsigned int port;
static const char *text, *choice;
static struct option_list list;

static const struct option options[] = {
    {"flag", NULL, OPTION_FLAG, &flag, 0, 0, NULL, "a flag"},
    {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, NULL, "a port"},
    {"text", "TEXT", OPTION_TEXT, &text, 0, 0, NULL, "some text"},
    {"choice", "WHICH", OPTION_CHOICE, &choice, 0, 0, "one|two|three", "a choice"},
    {"list", "ITEM", OPTION_LIST, &list, 0, 0, NULL, "a list"},
    {0},
};

static int
parse(char *error, size_t size, const char **rest, const char *line)
{
    static char copy[2000];
    char *argv[40] = {(char *)"prog"};
    int argc = 1;
    FILE *errors = fmemopen(error, size, "w");
    int result;

    flag = false;
    port = 7;
    text = choice = "default";
    list.count = 0;
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    result = option_parse(options, argc, argv, rest, 2, errors);
    fclose(errors);
    return result;
}

static void
test_good(void **state)
{
    const char *rest[2];
    char error[200];

    (void)state;
    assert_int_equal(parse(error, sizeof(error), rest, ""), 0);
    assert_int_equal(port, 7);
    assert_int_equal(parse(error, sizeof(error), rest,
                           "one --flag --port 65535 --text=a=b --choice two --list x --list=y -- "
                           "--two"),
                     2);
    assert_true(flag);
    assert_int_equal(port, 65535);
    assert_string_equal(text, "a=b");
    assert_string_equal(choice, "two");
    assert_int_equal(list.count, 2);
    assert_string_equal(list.values[1], "y");
    assert_string_equal(rest[0], "one");
    assert_string_equal(rest[1], "--two");
}

static void
test_bad(void **state)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"--nosuch", "no option '--nosuch'"},
        {"-x", "no option '-x'"},
        {"--=x", "no option"},
        {"--port", "--port needs PORT"},
        {"--port 0", "a number from 1 to 65535, not '0'"},
        {"--port 65536", "not '65536'"},
        {"--port 99999999999999999999", "a number from"},
        {"--port -5", "a number from"},
        {"--port 5x", "a number from"},
        {"--flag=yes", "takes no value"},
        {"--choice t", "one of one|two|three, not 't'"},
        {"--choice twothree", "one of"},
        {"--choice=", "one of"},
        {"--choice one|two", "one of"},
        {"a b c", "do not know what to do with 'c'"},
    };
    const char *rest[2];
    char error[300];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(error, sizeof(error), rest, bad[i].line), -1);
        assert_non_null(strstr(error, bad[i].says));
        assert_non_null(strstr(error, "prog: --help tells more"));
    }
}

static void
test_help_names_all(void **state)
{
    char help[1000];
    FILE *out = fmemopen(help, sizeof(help), "w");

    (void)state;
    option_help(options, out);
    fclose(out);
    for (size_t i = 0; options[i].name != NULL; i++) {
        assert_non_null(strstr(help, options[i].name));
        assert_non_null(strstr(help, options[i].help));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_help_names_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
