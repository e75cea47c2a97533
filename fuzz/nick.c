/* nick.c: whatever text comes as a nickname. */
#include "nick.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted fits, shows no control character, is accepted again and is the same again. */
static void
check_accepted(const char *nick, const char *skeleton)
{
    char again[NICK_SIZE], skeleton_again[NICK_SKELETON_SIZE];
    const char *why;

    if (nick[0] == '\0' || strlen(nick) > NICK_BYTES_MAX || skeleton[0] == '\0' ||
        strlen(skeleton) > NICK_SKELETON_MAX)
        abort();
    for (const char *c = nick; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == ':')
            abort();
    if (nick_check(nick, again, skeleton_again, &why) != 0 || strcmp(nick, again) != 0 ||
        strcmp(skeleton, skeleton_again) != 0)
        abort();
}

/* Small and capital letters of ASCII are the same name. */
static void
check_case(const char *nick, const char *skeleton)
{
    char other[NICK_SIZE], ignored[NICK_SIZE], skeleton_other[NICK_SKELETON_SIZE];
    const char *why;
    size_t i = 0;

    for (; nick[i] != '\0'; i++) {
        char letter = (char)(nick[i] | 0x20);

        other[i] = (char)(letter >= 'a' && letter <= 'z' ? nick[i] ^ 0x20 : nick[i]);
    }
    other[i] = '\0';
    if (nick_check(other, ignored, skeleton_other, &why) != 0 ||
        strcmp(skeleton, skeleton_other) != 0)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), nick[NICK_SIZE], skeleton[NICK_SKELETON_SIZE];
    const char *why;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (nick_check(text, nick, skeleton, &why) == 0) {
        check_accepted(nick, skeleton);
        check_case(nick, skeleton);
    } else if (why == NULL) {
        abort();
    }
    free(text);
    return 0;
}
