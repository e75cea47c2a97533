/* straggler.c: a crowd of one, told what to do through a socket. */
#include "straggler.h"

#include "people.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 10000
#define CATCH_MS 60000
#define PAUSE_NS INT64_C(5000000) /* how long it may be until a command is seen */

enum word { STALL, RESUME, END };

struct command {
    enum word word;
    int64_t head;
};

/* ---- The process ---- */

static void
tell(int fd, const struct people *people, int64_t since)
{
    const struct person *person = &people->persons[0];
    struct straggler_report report = {.live = people->live,
                                      .healed = people->healed,
                                      .heads = people->heads,
                                      .twice = people->doubled,
                                      .lost = person->client->down,
                                      .caught_up_ms =
                                          since < 0 ? -1 : (double)(now_ns() - since) / NS_PER_MS};

    if (write(fd, &report, sizeof(report)) != sizeof(report))
        _exit(EXIT_FAILURE);
}

/* Until it has all up to `head`. */
static void
catch_up(int fd, struct people *people, int64_t head)
{
    const struct person *person = &people->persons[0];
    int64_t begin = now_ns(), end = begin + (int64_t)CATCH_MS * NS_PER_MS;

    while (person->have < head && !person->client->down && now_ns() < end)
        people_turn(people, NULL, now_ns() + PAUSE_NS);
    tell(fd, people, person->have >= head ? begin : -1);
}

static void
obey(int fd, struct people *people)
{
    struct command command;

    tell(fd, people, now_ns());
    for (;;) {
        people_turn(people, NULL, now_ns() + PAUSE_NS);
        if (recv(fd, &command, sizeof(command), MSG_DONTWAIT) != sizeof(command))
            continue;
        people->crowd.deaf = command.word == STALL;
        if (command.word == STALL)
            tell(fd, people, now_ns());
        else
            catch_up(fd, people, command.head);
        if (command.word == END)
            return;
    }
}

static void
live(int fd, const struct address *server)
{
    struct people_config config = {.server = *server, .clients = 1, .size = 1};
    struct people people;

    if (people_open(&people, &config) && people_connect(&people, 1, MESSAGE_PORT_LOBBY) &&
        people_join_all(&people, 0, 1, MESSAGE_ABSENT, MESSAGE_ABSENT))
        obey(fd, &people);
    people_close(&people);
}

/* ---- Whoever has it ---- */

static bool
hear(const struct straggler *straggler, int timeout_ms, struct straggler_report *report)
{
    struct pollfd fd = {.fd = straggler->fd, .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1 &&
           recv(straggler->fd, report, sizeof(*report), 0) == sizeof(*report);
}

static bool
order(const struct straggler *straggler, enum word word, int64_t head)
{
    struct command command = {word, head};

    return send(straggler->fd, &command, sizeof(command), MSG_NOSIGNAL) == sizeof(command);
}

bool
straggler_start(struct straggler *straggler, enum straggler_kind kind, const struct address *server)
{
    struct straggler_report report;
    pid_t parent = getpid();
    int ends[2];

    *straggler = (struct straggler){.kind = kind, .fd = -1};
    if (kind == STRAGGLER_NONE)
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        (straggler->pid = fork()) < 0) {
        perror("bench");
        return false;
    }
    if (straggler->pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
            _exit(EXIT_FAILURE);
        close(ends[0]);
        live(ends[1], server);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    straggler->fd = ends[0];
    if (hear(straggler, START_MS, &report))
        return true;
    fprintf(stderr, "bench: the one to be stalled did not join\n");
    return false;
}

void
straggler_stall(const struct straggler *straggler)
{
    struct straggler_report report;

    if (straggler->kind == STRAGGLER_DEAF && order(straggler, STALL, 0))
        hear(straggler, START_MS, &report);
    if (straggler->kind == STRAGGLER_STOPPED) {
        kill(straggler->pid, SIGSTOP);
        waitpid(straggler->pid, NULL, WUNTRACED);
    }
}

void
straggler_resume(const struct straggler *straggler, int64_t head)
{
    if (straggler->kind == STRAGGLER_NONE)
        return;
    order(straggler, RESUME, head);
    kill(straggler->pid, SIGCONT);
}

bool
straggler_done(const struct straggler *straggler, struct straggler_report *report)
{
    return straggler->kind == STRAGGLER_NONE || hear(straggler, 0, report);
}

bool
straggler_end(struct straggler *straggler, int64_t head, struct straggler_report *report)
{
    bool good;

    if (straggler->kind == STRAGGLER_NONE)
        return true;
    good = order(straggler, END, head) && hear(straggler, CATCH_MS, report);
    close(straggler->fd);
    waitpid(straggler->pid, NULL, 0);
    return good && report->caught_up_ms >= 0;
}
