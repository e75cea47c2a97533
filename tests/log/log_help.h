/* log_help.h: a log in a directory of its own, and asking it as if it answered at once. */
#ifndef LOG_HELP_H
#define LOG_HELP_H

#include "log.h"

struct log_help {
    char directory[64];
    struct log_config config;
    struct log *log;
    char state[32];   /* the code of the latest LOG_STATE, "" for none */
    int states;       /* how many there were */
    int64_t first[8]; /* what LOG_FIRST told, by room id */
    uint64_t next_token;
};

/* Makes the directory; opens nothing. */
void log_help_init(struct log_help *help, enum log_durability durability);

/* Closes what is open and removes the directory. */
void log_help_finish(struct log_help *help);

void log_help_open(struct log_help *help);
void log_help_close(struct log_help *help);
void log_help_reopen(struct log_help *help);

/* A thing to say; change what else it is to be. */
struct log_entry log_help_say(int64_t account, const char *id, const char *text);
struct log_entry log_help_change(enum log_kind kind, int64_t account, int64_t target);

/* Each waits for the answer, which is valid until the next one. Fails the test after 20 s. */
void log_help_await(struct log_help *help, uint64_t token, struct log_event *event);
void log_help_append(struct log_help *help, const struct log_entry *entry, struct log_event *event);
/* The number it got. */
int64_t log_help_number(struct log_help *help, struct log_entry entry);
/* The code with which it is refused; NULL: it is not. */
const char *log_help_refusal(struct log_help *help, struct log_entry entry);
void log_help_read(struct log_help *help, const struct log_range *range, struct log_event *event);
/* One row as it is now, or NULL. */
const struct log_row *log_help_row(struct log_help *help, int64_t room, int64_t seq);
void log_help_search(struct log_help *help, int64_t room, const char *text, int64_t before,
                     size_t limit, struct log_event *event);
/* The numbers found, like "7 4 1". */
const char *log_help_found(struct log_help *help, int64_t room, const char *text);
int64_t log_help_count(struct log_help *help, int64_t room, int64_t seq);
int64_t log_help_identify(struct log_help *help, const char *key, struct log_event *event);
void log_help_open_room(struct log_help *help, const char *name, size_t most,
                        struct log_event *event);

/* Takes events until `done` says so or 60 s are over; false then. */
bool log_help_until(struct log_help *help, bool (*done)(struct log_help *help, const void *context),
                    const void *context);

/* Is the word in any file of the directory? */
bool log_help_grep(const struct log_help *help, const char *word);

/* The clock that config.now may be: stands still until it is set. */
int64_t log_help_now(void);
void log_help_set_now(int64_t now);

#endif
