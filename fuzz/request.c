/* request.c: peers that say anything, in any order, to the server's rules with a real log in
 * memory. An input is lines: a digit, which of the members says it, and what it says. What must
 * hold: no crash; every room counts on by itself; nobody but the abusive goes.
 */
#include "answer.h"
#include "classic.h"
#include "logger.h"
#include "mutate.h"
#include "request.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

#define MEMBERS 4
#define INPUTS  1000 /* to one chat */
#define WAIT_MS 10000

static struct {
    struct transport *transport;
    struct log *log;
    struct chat *chat;
    int64_t now;
    unsigned int inputs;
} fuzz;

static void
must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void
open_chat(void)
{
    struct log_config log = {.durability = LOG_NONE};
    struct chat_config config = {.transport = fuzz.transport,
                                 .server = "fuzz",
                                 .classic_port = CLASSIC_PORT,
                                 .rooms_max = 8};

    must(log_open(&fuzz.log, &log, stderr) == 0, "no log");
    config.log = fuzz.log;
    fuzz.chat = chat_open(&config, stderr);
    must(fuzz.chat != NULL, "no chat");
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct option_list listen = {{"udp:127.0.0.1:0"}, 1};

    (void)argc;
    (void)argv;
    logger_set_level("error");
    must(transport_open(&fuzz.transport, &listen, endpoint_profile_find("default"), stderr) == 0,
         "no transport");
    open_chat();
    fuzz.now = 1000;
    return 0;
}

/* So that memory does not grow with the log. */
static void
begin_anew(void)
{
    chat_close(fuzz.chat);
    log_close(fuzz.log);
    open_chat();
}

/* Until the log has answered everything. It takes read markers without an answer, so waits are
 * short. */
static void
settle(void)
{
    struct log_stats stats;
    int patience = WAIT_MS;

    log_flush(fuzz.log);
    for (;;) {
        struct pollfd wait = {.fd = log_fd(fuzz.log), .events = POLLIN};

        answer_take(fuzz.chat);
        log_flush(fuzz.log);
        log_stats(fuzz.log, &stats);
        if (stats.queued == 0)
            break;
        if (poll(&wait, 1, 1) == 0)
            must(--patience > 0, "the log does not answer");
    }
    must(fuzz.chat->appending == 0, "an append was not answered");
    fuzz.now += 250;
    fuzz.chat->now = fuzz.now;
    chat_intervals(fuzz.chat, fuzz.now);
}

static void
say(struct member **member, const uint8_t *data, size_t size)
{
    struct endpoint_event event = {.type = ENDPOINT_MESSAGE, .data = data, .length = size};

    if (size == 0)
        return;
    if (!request_take(fuzz.chat, *member, &event)) {
        chat_down(fuzz.chat, *member);
        *member = NULL;
    }
    if (data[0] % 3 == 0)
        settle();
}

/* Numbers only grow, and what is counted is no more than what is numbered. */
static void
check_rooms(void)
{
    for (size_t i = 0; i < fuzz.chat->room_count; i++) {
        const struct room *room = fuzz.chat->rooms[i];

        must(room->info.said <= room->info.head, "more said than numbered");
        must(room->people_count <= MEMBERS + 1, "people who are not here");
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct room *lobby;
    uint64_t tokens[MEMBERS];

    if (++fuzz.inputs % INPUTS == 0)
        begin_anew();
    lobby = chat_lobby(fuzz.chat);
    fuzz.chat->now = ++fuzz.now;
    for (unsigned int i = 0; i < MEMBERS; i++) {
        bool classic = i == MEMBERS - 1;
        struct transport_endpoint *at = classic ? lobby->classic : lobby->endpoints;
        struct member *member = chat_up(fuzz.chat, lobby, at, 1000 + i, classic);

        must(member != NULL, "no member");
        tokens[i] = member->token;
    }
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        struct member *member = chat_member(fuzz.chat, tokens[data[0] % MEMBERS]);

        if (length > 1 && member != NULL)
            say(&member, data + 1, length - 1);
        size -= length + (end != NULL);
        data += length + (end != NULL);
    }
    settle();
    check_rooms();
    for (unsigned int i = 0; i < MEMBERS; i++) {
        struct member *member = chat_member(fuzz.chat, tokens[i]);

        if (member != NULL)
            chat_down(fuzz.chat, member);
    }
    settle();
    must(fuzz.chat->accounts.by_id.count == 0, "an account without a member");
    return 0;
}

/* One line is changed as a message, or lines are taken twice. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
    static uint8_t line[2 * MESSAGE_MAX];
    size_t start, end, length;

    mutate_seed(seed);
    if (size < 2 || mutate_below(8) == 0)
        return LLVMFuzzerMutate(data, size, max);
    start = mutate_below(size);
    while (start > 0 && data[start - 1] != '\n')
        start--;
    for (end = start; end < size && data[end] != '\n'; end++)
        ;
    if (end - start < 2 || end - start > MESSAGE_MAX)
        return LLVMFuzzerMutate(data, size, max);
    memcpy(line, data + start + 1, end - start - 1);
    length = end - start - 1;
    if (mutate_below(4) > 0)
        length = mutate_message(line, length, sizeof(line));
    if (mutate_below(3) == 0) { /* another line of it, by anybody */
        if (size + length + 2 > max)
            return size;
        data[size] = '\n';
        data[size + 1] = (uint8_t)('0' + mutate_below(MEMBERS));
        memcpy(data + size + 2, line, length);
        return size + length + 2;
    }
    if (start + 1 + length + (size - end) > max)
        return size;
    memmove(data + start + 1 + length, data + end, size - end);
    memcpy(data + start + 1, line, length);
    return start + 1 + length + (size - end);
}
