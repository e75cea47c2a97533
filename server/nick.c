/* nick.c: judges nicknames, makes their skeletons. Over ICU; the process has one of its checkers.
 *
 * How a skeleton is made, and why so. UTS #39 maps each character to a prototype that looks like it
 * (Cyrillic а to a, m to rn, I and 1 to l), and knows nothing of case. Folding first loses what
 * looks alike only in capitals: AIice with a capital I would not be Alice. Mapping first loses case
 * itself: Mary stays, mary becomes rnary. So:
 *
 * 1. NFKD, and U+FE0F dropped: fullwidth, mathematical, circled letters are letters.
 * 2. Letters outside ASCII become capitals, because Cyrillic and Greek capitals are those that have
 *    Latin twins (ВОВА, but not вова, looks like BOBA) and both must end the same. But among Latin
 *    letters a small one that looks like one of ASCII stays: ν in "iνan" is a v, not an N.
 * 3. Map to prototypes, fold case, and again until nothing changes: Mary, mary, rnary are one.
 * 4. i becomes l. They meet in I, which is the capital of the one and looks like the other.
 *
 * It costs that Kai and Kal collide, and M and rn; better that than two Alices. It does not catch
 * a Greek name of small letters only that looks like a small Latin one (νου, vou), nor what is only
 * similar (é and e, vv and w): UTS #39 holds those for different. And a few letters whose capital
 * looks like another one (ν, υ, σ, г) have two skeletons when they stand among Latin ones.
 */
#include "nick.h"

#include "lazychat.h"

#include <stddef.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

/* A character of normal form C is made of at most four, of four bytes each: longer input cannot
 * come to 32. */
#define INPUT_MAX 512
/* Of UTF-16. Normal form C makes at most three of one, and NFKD 18 of each of the 32. */
#define UNITS_MAX (INPUT_MAX * 3)
/* It settles after two or three; it ends in any case. */
#define ROUNDS_MAX 8

#define RULES          1 /* counted up when this file makes other skeletons */
#define EMOJI_SELECTOR 0xfe0f

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

_Static_assert(INPUT_MAX == NICK_CHARACTERS_MAX * 4 * 4, "no nickname is cut off");

static const char too_long[] =
    "a nickname has 1 to " VALUE(NICK_CHARACTERS_MAX) " characters, and this one has more";

struct units {
    UChar at[UNITS_MAX];
    int32_t length;
};

struct characters {
    UChar32 at[UNITS_MAX];
    int32_t count;
};

static USpoofChecker *checker;
static const UNormalizer2 *nfc, *nfkd;

int
nick_open(void)
{
    UErrorCode status = U_ZERO_ERROR;

    if (checker != NULL)
        return LAZYCHAT_OK;
    nfc = unorm2_getNFCInstance(&status);
    nfkd = unorm2_getNFKDInstance(&status);
    checker = uspoof_open(&status);
    if (U_SUCCESS(status))
        return LAZYCHAT_OK;
    nick_close();
    return status == U_MEMORY_ALLOCATION_ERROR ? LAZYCHAT_NO_MEMORY : LAZYCHAT_UNSUPPORTED;
}

void
nick_close(void)
{
    uspoof_close(checker);
    checker = NULL;
}

const char *
nick_version(void)
{
    static const char version[] =
        "ICU " U_ICU_VERSION ", Unicode " U_UNICODE_VERSION ", rules " VALUE(RULES);

    return version;
}

/* Characters that show nothing though no property of theirs says so: Braille blank, object
 * replacement, a musical null, Egyptian blanks. */
static bool
is_blank(UChar32 c)
{
    return c == 0x2800 || c == 0xfffc || c == 0x1d159 || c == 0x13441 || c == 0x13442;
}

static bool
is_mark(UChar32 c)
{
    return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

/* Whether `c` behind `before` (0: at the start) is one to be seen. NULL, or what is wrong. */
static const char *
character_fault(UChar32 c, UChar32 before)
{
    uint32_t category = U_GET_GC_MASK(c);

    if (c == EMOJI_SELECTOR && before > 0x7f && u_hasBinaryProperty(before, UCHAR_EMOJI))
        return NULL;
    if ((category & U_GC_CC_MASK) != 0)
        return "a nickname has no control characters, only letters, digits, punctuation, symbols "
               "and single spaces inside";
    if (c != ' ' && (category & U_GC_Z_MASK) != 0)
        return "a nickname has no other white space than single plain spaces inside";
    if ((category & U_GC_CF_MASK) != 0 || is_blank(c) ||
        u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return "a nickname has no invisible characters (zero-width, joiners, text direction, "
               "fillers), only what is seen";
    if (c == 0xfffd || (category & (U_GC_CN_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) != 0)
        return "a nickname has only characters that Unicode " U_UNICODE_VERSION
               " defines, none for private use or in place of a lost one";
    return NULL;
}

static const char *
characters_fault(const struct characters *text)
{
    int marks = 0;

    for (int32_t i = 0; i < text->count; i++) {
        const char *fault = character_fault(text->at[i], i == 0 ? 0 : text->at[i - 1]);

        if (fault != NULL)
            return fault;
        marks = is_mark(text->at[i]) ? marks + 1 : 0;
        if (marks > NICK_MARKS_MAX)
            return "a nickname has at most " VALUE(NICK_MARKS_MAX) " combining marks in a row";
        if (marks > 0 && (i == 0 || text->at[i - 1] == ' '))
            return "a combining mark needs a letter before it";
    }
    return NULL;
}

static const char *
spaces_fault(const struct characters *text)
{
    bool space = true;

    for (int32_t i = 0; i < text->count; i++) {
        if (space && text->at[i] == ' ')
            break;
        space = text->at[i] == ' ';
    }
    return space ? "a nickname has single spaces inside only, none at its start or end, no two in "
                   "a row"
                 : NULL;
}

/* `plain` is the nickname in NFKD: a fullwidth colon is one as well. */
static const char *
syntax_fault(const struct characters *plain)
{
    static const char start[] = "/@#*";

    for (int32_t i = 0; i < plain->count; i++)
        if (plain->at[i] == ':')
            return "a nickname has no colon, because that ends it where it is shown before a text";
    if (plain->at[0] > 0 && plain->at[0] < 0x7f && strchr(start, (char)plain->at[0]) != NULL)
        return "a nickname does not begin with / @ # or *, because commands do";
    return NULL;
}

/* Whether the skeleton is of guest- and one digit or more. 0 and 1 are o and l in it. */
static bool
is_guest(const char *skeleton)
{
    static const char prefix[] = "guest-";
    size_t length = strlen(prefix);

    return strncmp(skeleton, prefix, length) == 0 && skeleton[length] != '\0' &&
           strspn(skeleton + length, "ol23456789") == strlen(skeleton + length);
}

static void
to_characters(struct characters *to, const struct units *from, UErrorCode *status)
{
    u_strToUTF32(to->at, UNITS_MAX, &to->count, from->at, from->length, status);
}

static void
to_units(struct units *to, const struct characters *from, UErrorCode *status)
{
    u_strFromUTF32(to->at, UNITS_MAX, &to->length, from->at, from->count, status);
}

/* Text as UTF-8. The NUL is not counted in `size`. */
static void
to_text(char *to, int32_t size, const struct units *from, UErrorCode *status)
{
    int32_t length = 0;

    u_strToUTF8(to, size, &length, from->at, from->length, status);
    if (U_SUCCESS(*status))
        to[length] = '\0';
}

static void
normalize(const UNormalizer2 *form, struct units *to, const struct units *from, UErrorCode *status)
{
    to->length = unorm2_normalize(form, from->at, from->length, to->at, UNITS_MAX, status);
}

static UScriptCode
script_of(UChar32 c)
{
    UErrorCode status = U_ZERO_ERROR;

    return uscript_getScript(c, &status);
}

static bool
has_latin(const struct characters *text)
{
    for (int32_t i = 0; i < text->count; i++)
        if (script_of(text->at[i]) == USCRIPT_LATIN)
            return true;
    return false;
}

/* Whether the prototype of a character is one letter of ASCII. */
static bool
looks_latin(UChar32 c, UErrorCode *status)
{
    struct units one, prototype;
    const struct characters character = {.at = {c}, .count = 1};

    to_units(&one, &character, status);
    prototype.length =
        uspoof_getSkeleton(checker, 0, one.at, one.length, prototype.at, UNITS_MAX, status);
    return U_SUCCESS(*status) && prototype.length == 1 && prototype.at[0] < 0x80 &&
           u_isalpha(prototype.at[0]);
}

/* Steps 1 (its second half) and 2 of the skeleton. */
static void
capitals(struct characters *text, UErrorCode *status)
{
    bool latin = has_latin(text);
    int32_t kept = 0;

    for (int32_t i = 0; i < text->count; i++) {
        UChar32 c = text->at[i];

        if (c == EMOJI_SELECTOR)
            continue;
        if (c > 0x7f && script_of(c) > USCRIPT_INHERITED && (!latin || !looks_latin(c, status)))
            c = u_toupper(c);
        text->at[kept++] = c;
    }
    text->count = kept;
}

/* Step 3. */
static void
prototypes(struct units *text, UErrorCode *status)
{
    struct units mapped, folded;

    for (int round = 0; round < ROUNDS_MAX && U_SUCCESS(*status); round++) {
        mapped.length =
            uspoof_getSkeleton(checker, 0, text->at, text->length, mapped.at, UNITS_MAX, status);
        folded.length = u_strFoldCase(folded.at, UNITS_MAX, mapped.at, mapped.length,
                                      U_FOLD_CASE_DEFAULT, status);
        if (U_FAILURE(*status) ||
            u_strCompare(folded.at, folded.length, text->at, text->length, false) == 0)
            break;
        *text = folded;
    }
}

/* `plain` is the nickname in NFKD; it is used up. */
static void
make_skeleton(char skeleton[NICK_SKELETON_SIZE], struct characters *plain, UErrorCode *status)
{
    struct units key;

    capitals(plain, status);
    to_units(&key, plain, status);
    prototypes(&key, status);
    for (int32_t i = 0; U_SUCCESS(*status) && i < key.length; i++)
        if (key.at[i] == 'i')
            key.at[i] = 'l';
    to_text(skeleton, NICK_SKELETON_MAX, &key, status);
}

/* Reads `text` into normal form C. NULL, or what is wrong with it. */
static const char *
read_text(struct units *to, const char *text)
{
    struct units raw;
    UErrorCode status = U_ZERO_ERROR;

    if (text[0] == '\0')
        return "a nickname has 1 to " VALUE(NICK_CHARACTERS_MAX) " characters, and this is none";
    if (strnlen(text, INPUT_MAX + 1) > INPUT_MAX)
        return too_long;
    u_strFromUTF8(raw.at, UNITS_MAX, &raw.length, text, -1, &status);
    if (U_FAILURE(status))
        return "a nickname is valid UTF-8, and this is not";
    normalize(nfc, to, &raw, &status);
    return U_SUCCESS(status) ? NULL : too_long;
}

/* All that can be said without the skeleton. */
static const char *
judge(const struct units *text, struct characters *plain, UErrorCode *status)
{
    struct units decomposed;
    const char *fault;

    to_characters(plain, text, status);
    if (U_SUCCESS(*status) && plain->count > NICK_CHARACTERS_MAX)
        return too_long;
    fault = characters_fault(plain);
    if (fault == NULL)
        fault = spaces_fault(plain);
    if (fault != NULL)
        return fault;
    normalize(nfkd, &decomposed, text, status);
    to_characters(plain, &decomposed, status);
    return U_SUCCESS(*status) ? syntax_fault(plain) : NULL;
}

int
nick_check(const char *text, char out[NICK_SIZE], char skeleton[NICK_SKELETON_SIZE],
           const char **why)
{
    struct units kept;
    struct characters plain;
    char key[NICK_SKELETON_SIZE] = "";
    UErrorCode status = U_ZERO_ERROR;
    int error = nick_open();

    if (error != LAZYCHAT_OK) {
        *why = "the server cannot judge nicknames, because ICU has no data";
        return error;
    }
    *why = read_text(&kept, text);
    if (*why == NULL)
        *why = judge(&kept, &plain, &status);
    if (*why != NULL)
        return LAZYCHAT_INVALID;
    make_skeleton(key, &plain, &status);
    if (U_FAILURE(status))
        *why = "this nickname cannot be compared with others: try a plainer one";
    else if (is_guest(key))
        *why = "guest- and a number, or what looks like that, is given by the server only";
    if (*why != NULL)
        return LAZYCHAT_INVALID;
    to_text(out, NICK_BYTES_MAX, &kept, &status);
    memcpy(skeleton, key, strlen(key) + 1);
    return LAZYCHAT_OK;
}
