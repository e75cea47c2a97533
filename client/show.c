/* show.c: messages and events as lines. */
#include "show.h"

#include "escape.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIM    "\x1b[2m"
#define BOLD   "\x1b[1m"
#define NORMAL "\x1b[0m"

#define QUOTE 40 /* characters of a message that another one is about */

/* ---- Text ---- */

char *
show_safe(const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0, size = length * ESCAPE_FACTOR + 1;
    char *safe = malloc(size);

    if (safe == NULL)
        abort();
    escape(safe, size, text != NULL ? text : "", length);
    return safe;
}

/* One line of a text: as show_safe, but tabs stay, which steer nothing. */
static void
put_safe(FILE *out, const char *text, size_t length)
{
    while (length > 0) {
        const char *tab = memchr(text, '\t', length);
        size_t part = tab != NULL ? (size_t)(tab - text) : length;
        char safe[1024 * ESCAPE_FACTOR + 1];

        for (size_t done = 0; done < part;)
            done += escape(safe, sizeof(safe), text + done, part - done), fputs(safe, out);
        if (tab != NULL)
            putc('\t', out);
        text += part + (tab != NULL);
        length -= part + (tab != NULL);
    }
}

static void
put_text(FILE *out, const char *text)
{
    put_safe(out, text, strlen(text));
}

/* Memory that grows as it is written to. */
struct page {
    FILE *out;
    char *text;
    size_t size;
};

static FILE *
page_open(struct page *page)
{
    page->out = open_memstream(&page->text, &page->size);
    if (page->out == NULL)
        abort();
    return page->out;
}

static const char *
page_text(struct page *page)
{
    fflush(page->out);
    return page->text;
}

static void
page_close(struct page *page)
{
    fclose(page->out);
    free(page->text);
}

/* ---- Notices ---- */

static const char *
label(const struct line *line, const struct line_room *room)
{
    return line->count > 1 && room != NULL ? lazychat_room_name(room->room) : NULL;
}

__attribute__((format(printf, 3, 0))) static void
notice(struct line *line, const struct line_room *room, const char *format, va_list arguments)
{
    const char *from = label(line, room);
    struct page page;
    FILE *out = page_open(&page);

    fputs("-- ", out);
    if (from != NULL)
        fprintf(out, "%s | ", from);
    vfprintf(out, format, arguments);
    terminal_notice(&line->terminal, page_text(&page));
    page_close(&page);
}

void
show_notice(struct line *line, const struct line_room *room, const char *format, ...)
{
    va_list arguments;

    if (line->options.quiet)
        return;
    va_start(arguments, format);
    notice(line, room, format, arguments);
    va_end(arguments);
}

void
show_answer(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    notice(line, NULL, format, arguments);
    va_end(arguments);
}

/* ---- Messages ---- */

static struct tm
local(int64_t at)
{
    time_t seconds = (time_t)(at / 1000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    return tm;
}

/* A name has the same colour everywhere; red and the dark ones are left out. */
static const char *
colour_of(int64_t account)
{
    static const char *const colours[] = {"\x1b[32m", "\x1b[33m", "\x1b[35m",
                                          "\x1b[36m", "\x1b[92m", "\x1b[94m"};

    return colours[(uint64_t)account % (sizeof(colours) / sizeof(colours[0]))];
}

/* What stands around a message: when it was, and how much of that to show. */
struct frame {
    bool old, date;
    const char *after_name; /* " (whispers)" */
    const char *after_text; /* " (edited)" */
};

static void
put_prefix(FILE *out, const struct line *line, const struct line_room *room,
           const struct lazychat_message *message, const struct frame *frame)
{
    const struct terminal *terminal = &line->terminal;
    const char *from = label(line, room);
    bool colour = terminal->colour && !frame->old;
    bool action = message->kind == LAZYCHAT_ACTION || message->action;
    struct tm tm = local(message->at);
    char when[32];

    strftime(when, sizeof(when), frame->date ? "%Y-%m-%d %H:%M" : "%H:%M", &tm);
    if (terminal->colour)
        fputs(DIM, out);
    if (terminal->shown || frame->date)
        fprintf(out, "%s ", when);
    if ((line->options.numbers || frame->date) && message->seq > 0)
        fprintf(out, "#%lld ", (long long)message->seq);
    if (from != NULL)
        fprintf(out, "%s | ", from);
    if (colour)
        fprintf(out, NORMAL "%s", colour_of(message->from));
    fputs(action ? "* " : "", out);
    put_text(out, message->nick != NULL ? message->nick : "?");
    fputs(colour ? NORMAL : "", out);
    fputs(message->classic ? " (classic)" : "", out);
    fputs(frame->after_name != NULL ? frame->after_name : "", out);
    fputs(action ? " " : ": ", out);
}

/* Each line of the text with the same prefix. */
static void
put_message(struct line *line, const struct line_room *room, const struct lazychat_message *message,
            const struct frame *frame)
{
    const char *text = message->text != NULL ? message->text : "(taken back)";

    for (bool more = true; more;) {
        size_t length = strcspn(text, "\n");
        struct page page;
        FILE *out = page_open(&page);

        more = text[length] != '\0';
        put_prefix(out, line, room, message, frame);
        put_safe(out, text, length);
        if (!more && frame->after_text != NULL)
            fputs(frame->after_text, out);
        if (frame->old && line->terminal.colour)
            fputs(NORMAL, out);
        terminal_line(&line->terminal, page_text(&page));
        page_close(&page);
        text += length + more;
    }
}

/* `"the beginning…"`, made safe; the caller frees it. */
static char *
quote(const struct line_room *room, int64_t seq)
{
    const struct memory_message *about = memory_find(&room->memory, seq);
    char text[QUOTE * 4 + 8], *safe, *made;

    if (about == NULL || about->redacted || *about->text == '\0') {
        if (asprintf(&made, "#%lld", (long long)seq) < 0)
            abort();
        return made;
    }
    safe = show_safe(text_short(text, sizeof(text), about->text, QUOTE));
    if (asprintf(&made, "\"%s\"", safe) < 0)
        abort();
    free(safe);
    return made;
}

static void
put_reactions(FILE *out, const struct lazychat_message *message)
{
    for (size_t i = 0; i < message->reaction_count; i++) {
        fputs(i == 0 ? "  [" : " ", out);
        put_text(out, message->reactions[i].emoji);
        if (message->reactions[i].count > 1)
            fprintf(out, " %lld", (long long)message->reactions[i].count);
        fputs(i + 1 == message->reaction_count ? "]" : "", out);
    }
}

/* Who answers whom is said where a person reads; a pipe gets `nick: text`. */
static void
put_answers(FILE *out, const struct line *line, const struct line_room *room, int64_t reply)
{
    const struct memory_message *about = memory_find(&room->memory, reply);
    const char *nick = about != NULL ? memory_name(&room->memory, about->from) : NULL;

    if (reply == 0 || !line->terminal.shown)
        return;
    fputs(" (answers ", out);
    if (nick != NULL && (memory_latest(&room->memory, about->from) == about))
        put_text(out, nick);
    else
        fprintf(out, "#%lld", (long long)reply);
    putc(')', out);
}

static void
show_said(struct line *line, struct line_room *room, const struct lazychat_message *message,
          bool dated)
{
    struct page name, end;
    FILE *after_name = page_open(&name), *after_text = page_open(&end);
    struct frame frame = {.old = message->old, .date = dated};

    if (message->text == NULL && !line->terminal.shown && !dated)
        goto done;
    put_answers(after_name, line, room, message->reply);
    if (message->edited && message->text != NULL)
        fputs(" (edited)", after_text);
    if (line->terminal.shown || dated)
        put_reactions(after_text, message);
    frame.after_name = page_text(&name);
    frame.after_text = page_text(&end);
    put_message(line, room, message, &frame);
done:
    page_close(&name);
    page_close(&end);
}

/* A message that is about another one. */
static void
show_about(struct line *line, struct line_room *room, const struct lazychat_message *message)
{
    char *nick = show_safe(message->nick), *text = show_safe(message->text);
    char *about = quote(room, message->target), *emoji = show_safe(message->emoji);

    switch (message->kind) {
    case LAZYCHAT_TOPIC:
        if (*text == '\0')
            show_notice(line, room, "%s removed the topic", nick);
        else
            show_notice(line, room, "%s set the topic: %s", nick, text);
        break;
    case LAZYCHAT_REDACTED:
        show_notice(line, room, "%s took back %s", nick, about);
        break;
    case LAZYCHAT_REACTED:
        show_notice(line, room, "%s %s %s %s %s", nick, message->on ? "reacts with" : "takes back",
                    emoji, message->on ? "to" : "from", about);
        break;
    default:
        break;
    }
    free(nick);
    free(text);
    free(about);
    free(emoji);
}

static void
show_changed(struct line *line, struct line_room *room, const struct lazychat_message *message)
{
    char *about = quote(room, message->seq), *nick = show_safe(message->nick);

    if (message->text == NULL)
        show_notice(line, room, "%s took back %s", nick, about);
    else if (message->edited)
        show_said(line, room, message, false);
    else if (message->reaction_count > 0)
        show_notice(line, room, "there are reactions to %s of %s", about, nick);
    free(about);
    free(nick);
}

/* Days and the past are set off in a terminal only. */
static void
show_when(struct line *line, const struct lazychat_message *message)
{
    struct tm tm = local(message->at);
    int day = (tm.tm_year + 1900) * 366 + tm.tm_yday;
    char date[64];

    if (!line->terminal.shown)
        return;
    if (message->old != line->earlier)
        show_notice(line, NULL, message->old ? "earlier:" : "now:");
    line->earlier = message->old;
    if (day == line->day)
        return;
    strftime(date, sizeof(date), "%A, %d %B %Y", &tm);
    if (line->day != 0 || message->old)
        show_notice(line, NULL, "%s", date);
    line->day = day;
}

void
show_message(struct line *line, struct line_room *room, const struct lazychat_message *message)
{
    struct lazychat_message edited = *message;

    show_when(line, message);
    switch (message->kind) {
    case LAZYCHAT_SAY:
    case LAZYCHAT_ACTION:
        show_said(line, room, message, false);
        break;
    case LAZYCHAT_EDITED:
        if (message->applied) /* it was shown as it is now */
            break;
        edited.edited = true;
        show_said(line, room, &edited, false);
        break;
    case LAZYCHAT_CHANGED:
        show_changed(line, room, message);
        break;
    default:
        if (!message->applied)
            show_about(line, room, message);
        break;
    }
}

/* ---- Events ---- */

static void
show_joined(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *nick = show_safe(event->nick), *topic = show_safe(event->topic);
    char *way = show_safe(event->text);

    line->shown_why[0] = '\0';
    show_notice(line, NULL, "in %s of %s as %s (%s); %lld here", lazychat_room_name(room->room),
                lazychat_room_host(room->room), nick, way, (long long)event->people);
    if (*topic != '\0' && !room->lost)
        show_notice(line, room, "topic: %s", topic);
    if (event->unread > 0 && !room->lost)
        show_notice(line, room, "%lld unread", (long long)event->unread);
    room->lost = false;
    free(nick);
    free(topic);
    free(way);
}

/* One line for a loss, however many rooms and attempts there are, until the reason is another. */
static void
show_lost(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *why = show_safe(event->text);
    bool tells = line->session.person || line->session.was_in; /* else the end tells it */

    if (tells && strncmp(line->shown_why, why, sizeof(line->shown_why) - 1) != 0) {
        if (event->retry < 0)
            show_notice(line, room, "no connection: %s", why);
        else
            show_notice(line, room, "no connection: %s; trying again%s", why,
                        event->retry > 2000 ? ", again and again" : "");
        snprintf(line->shown_why, sizeof(line->shown_why), "%s", why);
    }
    room->lost = line->session.was_in;
    free(why);
}

static void
put_people(FILE *out, const struct lazychat_person *people, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ", " : "", out);
        put_text(out, people[i].nick != NULL ? people[i].nick : "?");
        fputs(people[i].classic ? " (classic)" : "", out);
        if (people[i].idle >= 3600)
            fprintf(out, " (idle %lld h)", (long long)people[i].idle / 3600);
        else if (people[i].idle >= 300)
            fprintf(out, " (idle %lld min)", (long long)people[i].idle / 60);
    }
}

static void
show_names(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    struct page page;
    FILE *out = page_open(&page);

    memory_empty(&room->memory);
    for (size_t i = 0; i < event->in_count; i++)
        if (event->people_in[i].nick != NULL) {
            memory_set_name(&room->memory, event->people_in[i].account, event->people_in[i].nick);
            memory_set_here(&room->memory, event->people_in[i].account, true);
        }
    if (line->names_wanted) {
        put_people(out, event->people_in, event->in_count);
        show_answer(line, "%lld in %s: %s", (long long)event->people,
                    lazychat_room_name(room->room), page_text(&page));
    }
    line->names_wanted = false;
    page_close(&page);
}

static void
show_left(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    struct page page;
    FILE *out = page_open(&page);
    size_t known = 0;

    for (size_t i = 0; i < event->out_count; i++) {
        int64_t account = event->people_out[i].account;
        const char *nick = memory_name(&room->memory, account);

        if (!memory_set_here(&room->memory, account, false) || nick == NULL)
            continue; /* came and left in one moment */
        fputs(known++ > 0 ? ", " : "", out);
        put_text(out, nick);
    }
    if (known > 0)
        show_notice(line, room, "%s left; %lld here", page_text(&page), (long long)event->people);
    page_close(&page);
}

/* Came, or has another name now, or was told already with the names. True: came. */
static bool
take_newcomer(struct line *line, struct line_room *room, const struct lazychat_person *person)
{
    const char *before = memory_name(&room->memory, person->account);
    bool renamed = before != NULL && strcmp(before, person->nick) != 0;
    bool own = person->account == lazychat_room_account(room->room), came;
    char *was = show_safe(before), *is = show_safe(person->nick);

    memory_set_name(&room->memory, person->account, person->nick);
    came = memory_set_here(&room->memory, person->account, true) && !own;
    if (renamed && !came && !own)
        show_notice(line, room, "%s is now %s", was, is);
    free(was);
    free(is);
    return came;
}

static void
show_came(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    struct page page;
    FILE *out = page_open(&page);
    size_t came = 0;

    for (size_t i = 0; i < event->in_count; i++)
        if (event->people_in[i].nick != NULL && take_newcomer(line, room, &event->people_in[i])) {
            fputs(came++ > 0 ? ", " : "", out);
            put_text(out, event->people_in[i].nick);
        }
    if (came > 0)
        show_notice(line, room, "%s came; %lld here", page_text(&page), (long long)event->people);
    page_close(&page);
}

static void
show_presence(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    if (event->in_count > 0)
        show_came(line, room, event);
    if (event->out_count > 0)
        show_left(line, room, event);
}

static void
show_rooms(struct line *line, const struct lazychat_event *event)
{
    bool all = event->room_count == 0 || event->rooms[0].people >= 0;

    if (!line->rooms_wanted || !all) /* or only those in which something was said */
        return;
    line->rooms_wanted = false;
    show_answer(line, "rooms:");
    for (size_t i = 0; i < event->room_count; i++) {
        const struct lazychat_room_info *room = &event->rooms[i];
        char *topic = show_safe(room->topic), *name = show_safe(room->name);

        show_answer(line, "  %-16s %4lld here %6lld unread  %s", name, (long long)room->people,
                    (long long)(room->unread > 0 ? room->unread : 0), topic);
        free(topic);
        free(name);
    }
}

static void
show_opened(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *name = show_safe(event->room_count > 0 ? event->rooms[0].name : NULL);
    bool here = false;

    for (size_t i = 0; i < line->count; i++)
        here = here || strcmp(name, lazychat_room_name(line->rooms[i]->room)) == 0;
    if (event->on && !here)
        show_notice(line, room, "there is a new room: %s", name);
    free(name);
}

static void
show_refused(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *text = show_safe(event->text);

    if (event->retry < 0)
        show_answer(line, "not done: %s", text);
    else if (strncmp(line->shown_why, text, sizeof(line->shown_why) - 1) != 0)
        show_notice(line, room, "%s; it is tried again", text);
    if (event->retry >= 0)
        snprintf(line->shown_why, sizeof(line->shown_why), "%s", text);
    free(text);
}

static void
show_whisper(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *to = show_safe(event->to);
    char *own = NULL;
    struct lazychat_message message = {
        .at = event->at, .from = event->from, .nick = event->nick, .text = event->text};
    struct frame frame = {.after_name = " (whispers)"};

    if (event->own && asprintf(&own, " (whispers to %s)", to) < 0)
        abort();
    if (own != NULL)
        frame.after_name = own;
    if (event->nick != NULL)
        memory_set_name(&room->memory, event->from, event->nick);
    put_message(line, room, &message, &frame);
    free(own);
    free(to);
}

/* Latest first it came; people read downward. */
static void
show_list(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    bool found = event->type == LAZYCHAT_FOUND;

    if (event->message_count == 0)
        show_answer(line, "nothing %s", found ? "(more) found" : "before that");
    for (size_t i = 0; i < event->message_count; i++) {
        size_t at = found ? event->message_count - 1 - i : i;
        const struct lazychat_message *message = &event->messages[at];

        if (message->kind == LAZYCHAT_SAY || message->kind == LAZYCHAT_ACTION)
            show_said(line, room, message, true);
        memory_add(&room->memory, message);
    }
    if (found) {
        room->found = event->head;
        if (event->head != 0)
            show_answer(line, "there is more: /search goes on");
        return;
    }
    if (event->message_count > 0) {
        room->before = event->messages[0].seq;
        if (room->before > event->first)
            show_answer(line, "/history goes on before #%lld", (long long)room->before);
    }
}

void
show_event(struct line *line, struct line_room *room, const struct lazychat_event *event)
{
    char *nick = show_safe(event->nick);

    switch (event->type) {
    case LAZYCHAT_JOINED:
        show_joined(line, room, event);
        break;
    case LAZYCHAT_LOST:
        show_lost(line, room, event);
        break;
    case LAZYCHAT_PATH:
        show_notice(line, room,
                    event->on ? "the server answers again"
                              : "no answer from the server at present");
        break;
    case LAZYCHAT_REFUSED:
        show_refused(line, room, event);
        break;
    case LAZYCHAT_YOU:
        show_notice(line, room, "you are %s", nick);
        break;
    case LAZYCHAT_PRESENCE:
        show_presence(line, room, event);
        break;
    case LAZYCHAT_NAMES:
        show_names(line, room, event);
        break;
    case LAZYCHAT_ROOMS:
        show_rooms(line, event);
        break;
    case LAZYCHAT_ROOM:
        show_opened(line, room, event);
        break;
    case LAZYCHAT_WHISPER:
        show_whisper(line, room, event);
        break;
    case LAZYCHAT_HISTORY:
    case LAZYCHAT_FOUND:
        show_list(line, room, event);
        break;
    default:
        break;
    }
    free(nick);
}
