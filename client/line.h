/* line.h: line mode: a person, or a pipe, in rooms, line by line.
 *
 * Owns the rooms that one is in, and which of them is spoken to. A person's lines that begin with
 * `/` are commands (command.h); what comes from a pipe is said as it is. How things look is
 * show.h's.
 */
#ifndef LINE_H
#define LINE_H

#include "memory.h"
#include "session.h"
#include "terminal.h"

#define LINE_ROOMS_MAX 32

struct line_options {
    const char *where;
    unsigned int last;
    bool quiet;    /* no notices */
    bool numbers;  /* show the number of each message */
    bool commands; /* in a pipe as well */
};

/* A room that one is in. */
struct line_room {
    struct lazychat_room *room;
    struct memory memory;
    int64_t before; /* /history goes on here; 0: at the latest */
    int64_t shown;  /* the latest number on the screen */
    int64_t read;   /* and up to where the server was told so */
    bool lost;      /* the connection, once one was in */
    char *query;    /* /search goes on with it */
    int64_t found;  /* before this number */
};

struct line {
    struct line_options options;
    struct session session;
    struct terminal terminal;
    struct line_room *rooms[LINE_ROOMS_MAX];
    size_t count;
    struct line_room *current;
    bool commands;       /* lines that begin with `/` are commands */
    bool earlier;        /* the last message shown was an old one */
    bool names_wanted;   /* /names was asked */
    bool rooms_wanted;   /* /rooms was asked */
    int day;             /* of the last message shown; 0: none yet */
    char shown_why[200]; /* the last reason of a loss, to say it once */
};

/* Talks until it is over. Returns the exit status; says on stderr what went wrong. The config's
 * callbacks and `last` are set here. */
int line_run(struct lazychat_config *config, const struct line_options *options);

/* ---- For the commands ---- */

/* Goes to a room of the server that one is on: joins it if need be, and speaks there from now on.
 */
void line_join(struct line *line, const char *name);

/* Leaves the room that one is speaking in. */
void line_part(struct line *line);

/* Says the text. Nothing is cut: what is too long is not said, and false. */
bool line_say(struct line *line, const char *text);

/* Tells the person what an error of the library means; true when there is none. */
bool line_worked(struct line *line, int error);

/* All that is on the screen was read. */
void line_read(struct line *line);

#endif
