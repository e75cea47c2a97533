/* command.c: the table of commands. */
#include "command.h"

#include "show.h"
#include "text.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct command {
    const char *name, *alias;
    const char *arguments; /* NULL: none; in brackets: may be left out */
    const char *help;
    bool (*run)(struct line *line, const char *arguments); /* false: nothing was done */
};

static struct lazychat_room *
here(const struct line *line)
{
    return line->current->room;
}

/* ---- Which message is meant ---- */

/* `#N` at the beginning; moves *arguments behind it. 0: there is none. */
static int64_t
take_number(const char **arguments)
{
    char *end;
    long long number;

    if (**arguments != '#' || (*arguments)[1] < '0' || (*arguments)[1] > '9')
        return 0;
    number = strtoll(*arguments + 1, &end, 10);
    if (*end != ' ' && *end != '\0')
        return 0;
    *arguments = end + strspn(end, " ");
    return number;
}

/* `#N`, or a name: its latest message. 0: neither. */
static int64_t
take_message(const struct line *line, const char **arguments)
{
    const struct memory *memory = &line->current->memory;
    const struct memory_message *message;
    int64_t number = take_number(arguments), account = 0;
    size_t length;

    if (number != 0)
        return number;
    length = memory_whose(memory, *arguments, &account);
    message = length > 0 ? memory_latest(memory, account) : NULL;
    if (message == NULL)
        return 0;
    *arguments += length;
    return message->seq;
}

/* `#N`, or one's own latest message. 0, and the person knows: there is none. */
static int64_t
take_own(struct line *line, const char **arguments)
{
    int64_t number = take_number(arguments);
    const struct memory_message *own = memory_latest_own(&line->current->memory);

    if (number == 0 && own == NULL)
        show_answer(line, "you have said nothing here lately; #NUMBER says which message is meant "
                          "(/numbers shows them)");
    return number != 0 ? number : own != NULL ? own->seq : 0;
}

/* ---- The commands ---- */

static bool
nick(struct line *line, const char *arguments)
{
    if (!line_worked(line, lazychat_set_nick(here(line), arguments)))
        return false;
    line->session.others++;
    return true;
}

static bool
me(struct line *line, const char *arguments)
{
    return line_worked(line, lazychat_action(here(line), arguments, NULL));
}

static bool
join(struct line *line, const char *arguments)
{
    line_join(line, arguments);
    return true;
}

static bool
part(struct line *line, const char *arguments)
{
    (void)arguments;
    line_part(line);
    return true;
}

/* Who is meant: `"any name"`, a name that is known, or the first word. Returns what belongs to it;
 * the name is `length` bytes from `from`. */
static size_t
take_name(const struct line *line, const char *arguments, size_t *from, size_t *length)
{
    const char *quote = *arguments == '"' ? strchr(arguments + 1, '"') : NULL;
    int64_t account;
    size_t taken = memory_whose(&line->current->memory, arguments, &account);

    *from = quote != NULL;
    if (quote != NULL)
        taken = (size_t)(quote - arguments) + 1;
    else if (taken == 0)
        taken = strcspn(arguments, " ");
    *length = taken - 2 * *from;
    while (*length > 0 && strchr(": ", arguments[*from + *length - 1]) != NULL)
        --*length;
    return taken + strspn(arguments + taken, " ");
}

static bool
msg(struct line *line, const char *arguments)
{
    size_t from, length;
    const char *text = arguments + take_name(line, arguments, &from, &length);
    char name[256];

    if (length == 0 || length >= sizeof(name) || *text == '\0') {
        show_answer(line, "to whom, and what? /msg NICK TEXT, or /msg \"NICK\" TEXT");
        return false;
    }
    memcpy(name, arguments + from, length);
    name[length] = '\0';
    return line_worked(line, lazychat_whisper(here(line), name, text, NULL));
}

static bool
topic(struct line *line, const char *arguments)
{
    const char *text = strcmp(arguments, "-") == 0 ? "" : arguments;

    return line_worked(line, lazychat_set_topic(here(line), text, NULL));
}

static bool
names(struct line *line, const char *arguments)
{
    (void)arguments;
    line->names_wanted = line_worked(line, lazychat_names(here(line)));
    return line->names_wanted;
}

static bool
rooms(struct line *line, const char *arguments)
{
    (void)arguments;
    line->rooms_wanted = line_worked(line, lazychat_rooms(here(line)));
    return line->rooms_wanted;
}

static bool
history(struct line *line, const char *arguments)
{
    unsigned long count = *arguments != '\0' ? strtoul(arguments, NULL, 10) : 20;

    if (count < 1 || count > 500 || strspn(arguments, "0123456789") != strlen(arguments)) {
        show_answer(line, "/history takes how many messages: 1 to 500");
        return false;
    }
    if (!line_worked(line,
                     lazychat_history(here(line), line->current->before, (unsigned int)count)))
        return false;
    line->session.questions++;
    return true;
}

static bool
search(struct line *line, const char *arguments)
{
    struct line_room *room = line->current;

    if (*arguments == '\0' && (room->query == NULL || room->found == 0)) {
        show_answer(line, "there is no search to go on with: /search WORDS");
        return false;
    }
    if (*arguments != '\0') {
        free(room->query);
        room->query = strdup(arguments);
        room->found = 0;
    }
    if (room->query == NULL)
        abort();
    if (!line_worked(line, lazychat_search(room->room, room->query, room->found, 20)))
        return false;
    line->session.others++;
    return true;
}

/* Without a text, in a terminal: the old one is there to be changed. */
static bool
edit(struct line *line, const char *arguments)
{
    int64_t number = take_own(line, &arguments);
    const struct memory_message *message = memory_find(&line->current->memory, number);
    char *again;

    if (number == 0)
        return false;
    if (*arguments != '\0')
        return line_worked(line, lazychat_edit(here(line), number, arguments, NULL));
    if (message == NULL || message->redacted || !line->terminal.editing) {
        show_answer(line, "what is it to say instead? /edit [#NUMBER] TEXT");
        return false;
    }
    if (asprintf(&again, "/edit #%lld %s", (long long)number, message->text) < 0)
        abort();
    edit_set(&line->terminal.edit, again);
    free(again);
    return true;
}

static bool
redact(struct line *line, const char *arguments)
{
    int64_t number = take_own(line, &arguments);

    if (number != 0 && *arguments != '\0') {
        show_answer(line, "/delete takes nothing but #NUMBER");
        return false;
    }
    return number != 0 && line_worked(line, lazychat_redact(here(line), number, NULL));
}

static bool
reply(struct line *line, const char *arguments)
{
    int64_t number = take_message(line, &arguments);

    if (number == 0 || *arguments == '\0') {
        show_answer(line,
                    "whose message, and what? /reply NICK TEXT answers the latest one of NICK, "
                    "/reply #NUMBER TEXT any");
        return false;
    }
    return line_worked(line, lazychat_reply(here(line), number, arguments, NULL));
}

/* An emoji is one word, and no word of letters: `/react ann` for an unknown ann is a mistake. */
static bool
is_emoji(const char *text)
{
    uint32_t character = 0;

    utf8_decode(text, strlen(text), &character);
    return *text != '\0' && strchr(text, ' ') == NULL && strlen(text) <= 32 &&
           (character >= 0x80 || *text == ':' || *text == '+' || *text == '-');
}

static bool
react_with(struct line *line, const char *arguments, bool on)
{
    const struct memory_message *latest = memory_latest(&line->current->memory, 0);
    int64_t number = take_message(line, &arguments);

    if (number == 0 && latest != NULL)
        number = latest->seq;
    if (number == 0 || !is_emoji(arguments)) {
        show_answer(line, "with what, to which message? /react EMOJI, /react NICK EMOJI, "
                          "/react #NUMBER EMOJI");
        return false;
    }
    return line_worked(line, lazychat_react(here(line), number, arguments, on, NULL));
}

static bool
react(struct line *line, const char *arguments)
{
    return react_with(line, arguments, true);
}

static bool
unreact(struct line *line, const char *arguments)
{
    return react_with(line, arguments, false);
}

static bool
read_all(struct line *line, const char *arguments)
{
    (void)arguments;
    line_read(line);
    return true;
}

static bool
numbers(struct line *line, const char *arguments)
{
    (void)arguments;
    line->options.numbers = !line->options.numbers;
    show_answer(line, "messages are shown with%s their numbers",
                line->options.numbers ? "" : "out");
    return true;
}

static bool
quit(struct line *line, const char *arguments)
{
    (void)arguments;
    line_read(line);
    line->session.leaving = true;
    return true;
}

static bool help(struct line *line, const char *arguments);

static const struct command commands[] = {
    {"me", NULL, "TEXT", "say what you do: * ann waves", me},
    {"msg", "whisper", "NICK TEXT", "to one person only; it is not logged", msg},
    {"reply", NULL, "NICK TEXT", "answer the latest message of NICK; or #NUMBER for NICK", reply},
    {"react", NULL, "[NICK] EMOJI",
     "to the latest message of NICK, or of anyone; or #NUMBER for NICK", react},
    {"unreact", NULL, "[NICK] EMOJI", "take a reaction back", unreact},
    {"edit", NULL, "[#NUMBER] [TEXT]",
     "change what you said last, or that number; without TEXT it is put there to be changed", edit},
    {"delete", "redact", "[#NUMBER]", "take back what you said last, or that number", redact},
    {"history", NULL, "[COUNT]", "what was said before; again: before that", history},
    {"search", NULL, "[WORDS]", "messages with all these words; without: more of them", search},
    {"numbers", NULL, NULL, "show the numbers of messages, or no more", numbers},
    {"nick", NULL, "NAME", "be called NAME", nick},
    {"names", "who", NULL, "who is here", names},
    {"topic", NULL, "TEXT", "set the room's topic; - removes it", topic},
    {"rooms", "list", NULL, "which rooms there are", rooms},
    {"join", NULL, "ROOM", "go to ROOM and speak there; a new one is opened", join},
    {"part", "leave", NULL, "leave this room", part},
    {"read", NULL, NULL, "tell your other clients that you have read all of this", read_all},
    {"quit", "exit", NULL, "end lazychat", quit},
    {"help", NULL, "[COMMAND]", "this list, or one of it", help},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- Finding one ---- */

static const struct command *
find(const char *name, size_t length)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if ((strlen(commands[i].name) == length &&
             strncasecmp(commands[i].name, name, length) == 0) ||
            (commands[i].alias != NULL && strlen(commands[i].alias) == length &&
             strncasecmp(commands[i].alias, name, length) == 0))
            return &commands[i];
    return NULL;
}

static size_t
least(size_t a, size_t b, size_t c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* Levenshtein's distance, of words that are not long. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[32], width = strlen(b);

    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t above = row[j];

            row[j] = least(row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[width];
}

/* The command that was most likely meant, or NULL. */
static const char *
nearest(const char *name)
{
    const char *best = NULL;
    size_t best_distance = 3; /* more wrong letters than that mean something else */

    for (size_t i = 0; i < COMMANDS; i++) {
        size_t wrong = distance(name, commands[i].name);

        if (strncmp(commands[i].name, name, strlen(name)) == 0)
            wrong = wrong < 1 ? wrong : 1;
        if (wrong < best_distance && wrong < strlen(commands[i].name) && *name != '\0') {
            best = commands[i].name;
            best_distance = wrong;
        }
    }
    return best;
}

static void
unknown(struct line *line, const char *text, size_t length)
{
    char name[32], *safe;
    const char *meant;

    if (length >= sizeof(name))
        length = sizeof(name) - 1;
    memcpy(name, text, length);
    name[length] = '\0';
    safe = show_safe(name);
    meant = nearest(name);
    if (meant != NULL)
        show_answer(line, "there is no /%s: /%s? Nothing was sent; // says text with a slash", safe,
                    meant);
    else
        show_answer(line, "there is no /%s, see /help. Nothing was sent; // says text with a slash",
                    safe);
    free(safe);
}

bool
command_known(const char *text)
{
    return find(text, strcspn(text, " ")) != NULL;
}

/* ---- Help and running ---- */

static void
show_usage(struct line *line, const struct command *command)
{
    char usage[64];

    snprintf(usage, sizeof(usage), "/%s%s%s", command->name, command->arguments != NULL ? " " : "",
             command->arguments != NULL ? command->arguments : "");
    show_answer(line, "%-24s %s", usage, command->help);
}

static bool
help(struct line *line, const char *arguments)
{
    const char *name = *arguments == '/' ? arguments + 1 : arguments;
    const struct command *command = find(name, strlen(name));

    if (*name != '\0' && command == NULL) {
        unknown(line, name, strlen(name));
        return false;
    }
    if (command != NULL) {
        show_usage(line, command);
        if (command->alias != NULL)
            show_answer(line, "/%s does the same", command->alias);
        return true;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        show_usage(line, &commands[i]);
    show_answer(line, "%-24s %s", "//TEXT", "say text that begins with a slash");
    return true;
}

/* Something is not in brackets. */
static bool
needs_arguments(const struct command *command)
{
    const char *rest = command->arguments;

    while (rest != NULL && *rest == '[') {
        rest += strcspn(rest, "]") + 1;
        rest += strspn(rest, " ");
    }
    return rest != NULL && *rest != '\0';
}

bool
command_run(struct line *line, const char *text)
{
    size_t length = strcspn(text, " ");
    const struct command *command = find(text, length);

    if (command == NULL) {
        unknown(line, text, length);
        return false;
    }
    text += length + strspn(text + length, " ");
    if (*text == '\0' ? needs_arguments(command) : command->arguments == NULL) {
        show_answer(line, "/%s takes %s", command->name,
                    command->arguments != NULL ? command->arguments : "nothing");
        show_usage(line, command);
        return false;
    }
    return command->run(line, text);
}
