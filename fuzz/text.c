/* text.c: everything that reads text of strangers or of users: escape, address, option. */
#include "address.h"
#include "escape.h"
#include "option.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is shown of a stranger's bytes has no control character, fits, and loses nothing. */
static void
check_escape(const uint8_t *data, size_t size)
{
    size_t room = size * ESCAPE_FACTOR + 1;
    char *out = malloc(room);

    if (out == NULL)
        return;
    if (escape(out, room, data, size) != size || strlen(out) >= room)
        abort();
    for (const char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            abort();
    free(out);
}

/* An address that is understood reads the same again when it is written. */
static void
check_address(const char *text)
{
    struct address address, again;
    char written[ADDRESS_TEXT_MAX];

    if (address_parse(&address, text, 7) != 0)
        return;
    address_format(&address, written);
    if (address_parse(&again, written, 0) != 0 || !address_equal(&address, &again))
        abort();
}

static void
check_option(char *text)
{
    static FILE *nowhere;
    bool flag = false;
    unsigned int number = 5;
    const char *word = "", *choice = "a", *rest[2];
    struct option_list list = {.count = 0};
    const struct option options[] = {
        {"f", NULL, OPTION_FLAG, &flag, 0, 0, NULL, ""},
        {"n", "N", OPTION_NUMBER, &number, 5, 500, NULL, ""},
        {"t", "T", OPTION_TEXT, &word, 0, 0, NULL, ""},
        {"c", "C", OPTION_CHOICE, &choice, 0, 0, "a|bc", ""},
        {"l", "L", OPTION_LIST, &list, 0, 0, NULL, ""},
        {0},
    };
    char *argv[64] = {(char *)"fuzz"};
    int argc = 1;

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    for (char *next = strtok(text, "\n"); next != NULL && argc < 63; next = strtok(NULL, "\n"))
        argv[argc++] = next;
    option_parse(options, argc, argv, rest, 2, nowhere);
    if (number < 5 || number > 500 || (strcmp(choice, "a") != 0 && strcmp(choice, "bc") != 0))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_escape(data, size);
    check_address(text);
    check_option(text);
    free(text);
    return 0;
}
