/* log_help.c: waits on the log's descriptor, with a deadline. */
#include "log_help.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_S 20
#define STATE_S  60

static _Atomic int64_t fake_now;

int64_t
log_help_now(void)
{
    return fake_now;
}

void
log_help_set_now(int64_t now)
{
    fake_now = now;
}

void
log_help_init(struct log_help *help, enum log_durability durability)
{
    memset(help, 0, sizeof(*help));
    snprintf(help->directory, sizeof(help->directory), "/tmp/test_log.XXXXXX");
    assert_non_null(mkdtemp(help->directory));
    help->config = (struct log_config){.directory = help->directory, .durability = durability};
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void
log_help_finish(struct log_help *help)
{
    log_help_close(help);
    nftw(help->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void
log_help_open(struct log_help *help)
{
    assert_int_equal(log_open(&help->log, &help->config, stderr), LAZYCHAT_OK);
}

void
log_help_close(struct log_help *help)
{
    log_close(help->log);
    help->log = NULL;
}

void
log_help_reopen(struct log_help *help)
{
    log_help_close(help);
    log_help_open(help);
}

struct log_entry
log_help_say(int64_t account, const char *id, const char *text)
{
    return (struct log_entry){.room = LOG_LOBBY,
                              .account = account,
                              .kind = LOG_SAY,
                              .nick = "ann",
                              .id = id,
                              .text = text};
}

struct log_entry
log_help_change(enum log_kind kind, int64_t account, int64_t target)
{
    return (struct log_entry){.room = LOG_LOBBY,
                              .account = account,
                              .kind = kind,
                              .nick = "ann",
                              .text = kind == LOG_EDIT ? "edited" : NULL,
                              .emoji = kind == LOG_REACT ? "+" : NULL,
                              .on = true,
                              .target = target};
}

/* Notes what nobody asked for. */
static bool
is_answer(struct log_help *help, const struct log_event *event)
{
    if (event->type == LOG_STATE) {
        snprintf(help->state, sizeof(help->state), "%s", event->code == NULL ? "" : event->code);
        assert_true(event->code == NULL || strlen(event->text) > 20);
        help->states++;
    } else if (event->type == LOG_FIRST) {
        assert_in_range(event->room.id, 1, 7);
        help->first[event->room.id] = event->room.first;
    } else {
        return true;
    }
    return false;
}

void
log_help_await(struct log_help *help, uint64_t token, struct log_event *event)
{
    time_t deadline = time(NULL) + ANSWER_S;

    log_flush(help->log);
    while (time(NULL) <= deadline) {
        struct pollfd fd = {.fd = log_fd(help->log), .events = POLLIN};

        poll(&fd, 1, 1000);
        while (log_next(help->log, event) == 1)
            if (is_answer(help, event)) {
                assert_int_equal(event->token, token);
                return;
            }
    }
    fail_msg("no answer within %d s", ANSWER_S);
}

void
log_help_append(struct log_help *help, const struct log_entry *entry, struct log_event *event)
{
    uint64_t token = ++help->next_token;

    assert_int_equal(log_append(help->log, entry, NULL, token), LAZYCHAT_OK);
    log_help_await(help, token, event);
    assert_int_equal(event->type, LOG_APPENDED);
}

int64_t
log_help_number(struct log_help *help, struct log_entry entry)
{
    struct log_event event;

    log_help_append(help, &entry, &event);
    if (event.code != NULL)
        fail_msg("%s: %s", event.code, event.text);
    return event.entry.seq;
}

const char *
log_help_refusal(struct log_help *help, struct log_entry entry)
{
    static char code[32];
    struct log_event event;

    log_help_append(help, &entry, &event);
    if (event.code == NULL)
        return NULL;
    assert_non_null(event.text);
    snprintf(code, sizeof(code), "%s", event.code);
    return code;
}

void
log_help_read(struct log_help *help, const struct log_range *range, struct log_event *event)
{
    uint64_t token = ++help->next_token;

    assert_int_equal(log_read(help->log, range, token), LAZYCHAT_OK);
    log_help_await(help, token, event);
    assert_int_equal(event->type, LOG_ROWS);
}

const struct log_row *
log_help_row(struct log_help *help, int64_t room, int64_t seq)
{
    const struct log_range range = {
        .room = room, .since = seq - 1, .until = seq, .limit = 1, .bytes = 1, .account = 1};
    struct log_event event;

    log_help_read(help, &range, &event);
    assert_null(event.code);
    return event.row_count == 1 && event.rows[0].seq == seq ? &event.rows[0] : NULL;
}

void
log_help_search(struct log_help *help, int64_t room, const char *text, int64_t before, size_t limit,
                struct log_event *event)
{
    uint64_t token = ++help->next_token;

    assert_int_equal(log_search(help->log, room, text, before, limit, 1, token), LAZYCHAT_OK);
    log_help_await(help, token, event);
    assert_int_equal(event->type, LOG_FOUND);
}

const char *
log_help_found(struct log_help *help, int64_t room, const char *text)
{
    static char found[1024];
    struct log_event event;
    size_t used = 0;

    log_help_search(help, room, text, 0, 50, &event);
    if (event.code != NULL)
        fail_msg("%s: %s", event.code, event.text);
    found[0] = '\0';
    for (size_t i = 0; i < event.row_count; i++)
        used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%d", i == 0 ? "" : " ",
                                 (int)event.rows[i].seq);
    return found;
}

int64_t
log_help_count(struct log_help *help, int64_t room, int64_t seq)
{
    uint64_t token = ++help->next_token;
    struct log_event event;

    assert_int_equal(log_count(help->log, room, seq, token), LAZYCHAT_OK);
    log_help_await(help, token, &event);
    assert_int_equal(event.type, LOG_COUNTED);
    assert_null(event.code);
    assert_int_equal(event.room.id, room);
    assert_int_equal(event.until, seq);
    return event.count;
}

int64_t
log_help_identify(struct log_help *help, const char *key, struct log_event *event)
{
    uint64_t token = ++help->next_token;

    assert_int_equal(log_identify(help->log, LOG_KEY_SECRET, key, strlen(key), token), LAZYCHAT_OK);
    log_help_await(help, token, event);
    assert_int_equal(event->type, LOG_IDENTIFIED);
    assert_null(event->code);
    return event->account;
}

void
log_help_open_room(struct log_help *help, const char *name, size_t most, struct log_event *event)
{
    uint64_t token = ++help->next_token;

    assert_int_equal(log_open_room(help->log, name, "a topic", most, token), LAZYCHAT_OK);
    log_help_await(help, token, event);
    assert_int_equal(event->type, LOG_ROOM_OPENED);
}

bool
log_help_until(struct log_help *help, bool (*done)(struct log_help *, const void *),
               const void *context)
{
    time_t deadline = time(NULL) + STATE_S;

    while (!done(help, context)) {
        struct pollfd fd = {.fd = help->log == NULL ? -1 : log_fd(help->log), .events = POLLIN};
        struct log_event event;

        if (time(NULL) > deadline)
            return false;
        poll(&fd, 1, 20);
        while (help->log != NULL && log_next(help->log, &event) == 1)
            assert_false(is_answer(help, &event));
    }
    return true;
}

static bool
file_has(const char *path, const char *word)
{
    FILE *file = fopen(path, "r");
    char *bytes;
    size_t size;
    bool has;

    if (file == NULL)
        return false;
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(size + 1);
    assert_non_null(bytes);
    has = fread(bytes, 1, size, file) == size && memmem(bytes, size, word, strlen(word)) != NULL;
    free(bytes);
    fclose(file);
    return has;
}

bool
log_help_grep(const struct log_help *help, const char *word)
{
    DIR *directory = opendir(help->directory);
    bool has = false;

    assert_non_null(directory);
    for (struct dirent *entry; !has && (entry = readdir(directory)) != NULL;) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", help->directory, entry->d_name);
        has = entry->d_name[0] != '.' && file_has(path, word);
    }
    closedir(directory);
    return has;
}
