/* people.c: a crowd that speaks the protocol. */
#include "people.h"

#include "crc32c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALLED_MS   15000 /* nothing came for so long: it will not come */
#define JOIN_MS      60000
#define OPEN_AT_ONCE 16 /* rooms */
#define ID_FORMAT    "b%zu"

/* ---- Saying ---- */

bool
people_send(const struct person *person, const struct message *message)
{
    char bytes[MESSAGE_MAX];
    int length = message_encode(message, MESSAGE_OF_CLIENT, bytes, sizeof(bytes));
    struct endpoint_message wire = {
        .data = bytes, .length = (size_t)length, .ppid = MESSAGE_PPID, .stream = 0};

    return length > 0 &&
           endpoint_send(person->client->endpoint, person->client->assoc, &wire) == LAZYCHAT_OK;
}

static uint32_t
audience(const struct people *people, uint16_t port)
{
    uint32_t count = 0;

    for (unsigned int i = 0; i < people->crowd.begun; i++)
        count += people->persons[i].port == port;
    return count;
}

bool
people_say(struct people *people, struct person *person, int64_t when)
{
    static char filling[MESSAGE_TEXT_MAX + 1];
    size_t count = people->said_count;
    struct message say;
    char id[MESSAGE_ID_MAX + 1];

    if (filling[0] == '\0')
        memset(filling, 'x', MESSAGE_TEXT_MAX);
    snprintf(id, sizeof(id), ID_FORMAT, count);
    message_init(&say, MESSAGE_SAY);
    say.id = id;
    say.text = &filling[MESSAGE_TEXT_MAX - people->config.size];
    if (!people_send(person, &say))
        return false;
    people->said = grown(people->said, &people->said_size, count + 1, sizeof(*people->said));
    people->said[count] =
        (struct utterance){.sent = when, .by = person, .audience = audience(people, person->port)};
    people->said_count++;
    person->said++;
    return true;
}

/* ---- What one has ---- */

/* Whether the number is new to it. */
static bool
mark(struct person *person, int64_t seq)
{
    size_t bit = (size_t)(seq - person->base);

    if (seq <= person->have)
        return false;
    person->bits = grown(person->bits, &person->size, bit / 8 + 1, 1);
    if ((person->bits[bit / 8] & 1u << bit % 8) != 0)
        return false;
    person->bits[bit / 8] |= (unsigned char)(1u << bit % 8);
    return true;
}

static void
go_on(struct person *person)
{
    size_t bit = (size_t)(person->have + 1 - person->base);

    while (bit / 8 < person->size && (person->bits[bit / 8] & 1u << bit % 8) != 0) {
        person->have++;
        bit++;
    }
}

static void
ask_for_holes(struct person *person)
{
    struct message history;

    if (person->asking || !person->joined || person->have >= person->top)
        return;
    message_init(&history, MESSAGE_HISTORY);
    history.since = person->have;
    history.until = person->top;
    history.limit = MESSAGE_LIMIT_MAX;
    person->asking = people_send(person, &history);
}

static void
may_have_joined(struct people *people, struct person *person)
{
    if (person->asked_at == 0 || !person->joined || person->have < person->top)
        return;
    samples_add(&people->joining, now_ns() - person->asked_at);
    person->asked_at = 0;
    people->joined++;
}

/* ---- Listening ---- */

static void
heard(struct people *people, const struct person *person, size_t place)
{
    struct utterance *utterance = &people->said[place];
    int64_t latency = people->last - utterance->sent;
    bool measured = place >= people->measured_from;

    if (person == utterance->by) {
        utterance->by->echoed++;
        if (measured)
            samples_add(&people->acks, latency);
    } else if (measured) {
        samples_add(&people->heard, latency);
    }
    if (++utterance->heard < utterance->audience)
        return;
    people->complete++;
    if (measured)
        samples_add(&people->by_all, latency);
}

/* Stream 0 is ordered. What a batch brought first may come live as well; the protocol says so. */
static void
take_say(struct people *people, struct person *person, const struct known *known)
{
    if (known->seq > people->head)
        people->head = known->seq;
    if (!person->joined || known->seq <= person->base)
        return; /* the welcome's head and the batch cover it */
    people->doubled += known->seq <= person->live;
    person->live = known->seq;
    mark(person, known->seq);
    go_on(person);
    if (known->seq > person->top)
        person->top = known->seq;
    people->live++;
    if (known->said != MESSAGE_ABSENT && (size_t)known->said < people->said_count)
        heard(people, person, (size_t)known->said);
}

static void
take_welcome(struct person *person, const struct known *known)
{
    if (person->joined)
        return;
    person->joined = true;
    person->top = known->head;
    if (person->since != MESSAGE_ABSENT)
        person->base = person->since;
    else if (person->last != MESSAGE_ABSENT)
        person->base = known->head - person->last;
    else
        person->base = known->head;
    if (person->base < 0)
        person->base = 0;
    person->have = person->base;
    person->asking = person->have < person->top; /* the join asked already */
}

static void
take_batch(struct people *people, struct person *person, const struct known *known)
{
    person->asking = false;
    people->batches++;
    for (int64_t seq = known->from; seq <= known->until; seq++)
        people->healed += seq > person->base && mark(person, seq);
    go_on(person);
}

static void
take(struct people *people, struct person *person, const struct known *known)
{
    people->last = now_ns();
    switch (known->type) {
    case MESSAGE_SAY:
        take_say(people, person, known);
        break;
    case MESSAGE_WELCOME:
        take_welcome(person, known);
        break;
    case MESSAGE_BATCH:
        take_batch(people, person, known);
        break;
    case MESSAGE_HEAD:
        people->heads++;
        if (known->head > person->top)
            person->top = known->head;
        break;
    case MESSAGE_ERROR:
        people->errors++;
        break;
    case MESSAGE_ROOM:
        people->opened += known->asked;
        break;
    default:
        return;
    }
    ask_for_holes(person);
    may_have_joined(people, person);
}

/* ---- Understanding ---- */

static void
report(const struct message *error)
{
    fprintf(stderr, "bench: the server says: %s: %s\n", error->code, error->text);
}

static bool
understand(struct known *known, const unsigned char *bytes, size_t length)
{
    struct message_fault fault;
    struct message message;
    size_t place;
    int error = message_parse(&message, MESSAGE_OF_SERVER, bytes, length, &fault);

    known->length = 0;
    if (error != LAZYCHAT_OK) {
        if (error != LAZYCHAT_UNSUPPORTED)
            fprintf(stderr, "bench: the server sent nonsense: %s\n", fault.text);
        return false;
    }
    known->bytes = grown(known->bytes, &known->size, length, 1);
    memcpy(known->bytes, bytes, length);
    known->length = length;
    known->type = message.type;
    known->seq = message.seq;
    known->head = message.head;
    known->from = message.from;
    known->until = message.until;
    known->asked = message.id != NULL;
    known->said = MESSAGE_ABSENT;
    if (message.id != NULL && sscanf(message.id, ID_FORMAT, &place) == 1)
        known->said = (int64_t)place;
    if (message.type == MESSAGE_ERROR)
        report(&message);
    message_free(&message);
    return true;
}

static void
take_event(void *user, struct crowd_client *client, const struct endpoint_event *event)
{
    struct people *people = user;
    struct known *known;

    if (event->type != ENDPOINT_MESSAGE)
        return;
    known = &people->known[crc32c(event->data, event->length) % PEOPLE_KNOWN];
    if ((known->length == event->length && memcmp(known->bytes, event->data, event->length) == 0) ||
        understand(known, event->data, event->length))
        take(people, &people->persons[client->index], known);
}

/* ---- Coming and going ---- */

bool
people_open(struct people *people, const struct people_config *config)
{
    struct crowd_config crowd = {.server = config->server,
                                 .clients = config->clients,
                                 .sockets = config->sockets,
                                 .event = take_event,
                                 .user = people};

    memset(people, 0, sizeof(*people));
    people->config = *config;
    people->persons = calloc(config->clients, sizeof(*people->persons));
    if (people->persons == NULL || !crowd_open(&people->crowd, &crowd))
        return false;
    for (unsigned int i = 0; i < config->clients; i++)
        people->persons[i].client = &people->crowd.clients[i];
    return true;
}

bool
people_connect(struct people *people, unsigned int count, uint16_t port)
{
    for (unsigned int i = 0; i < count; i++)
        people->persons[people->crowd.begun + i].port = port;
    return crowd_connect(&people->crowd, count, port);
}

void
people_join(struct people *people, struct person *person, int64_t since, int64_t last)
{
    struct message join;
    char secret[MESSAGE_SECRET_SIZE + 1];

    message_init(&join, MESSAGE_JOIN);
    snprintf(secret, sizeof(secret), "%032x", person->client->index + 1);
    join.secret = people->config.accounts ? secret : NULL;
    join.since = since;
    join.last = last;
    person->joined = false;
    person->since = since;
    person->last = last;
    if (person->size > 0)
        memset(person->bits, 0, person->size);
    person->asked_at = now_ns();
    people_send(person, &join);
}

bool
people_join_all(struct people *people, unsigned int first, unsigned int end, int64_t since,
                int64_t last)
{
    int64_t deadline = now_ns() + (int64_t)JOIN_MS * NS_PER_MS;
    unsigned int all = people->joined + end - first;

    for (unsigned int i = first; i < end; i++)
        people_join(people, &people->persons[i], since, last);
    while (people->joined < all && now_ns() < deadline && people->crowd.down == 0)
        people_turn(people, NULL, deadline);
    if (people->joined < all)
        fprintf(stderr, "bench: %u of %u have joined in %d s, %u were lost\n", people->joined, all,
                JOIN_MS / 1000, people->crowd.down);
    return people->joined == all;
}

static bool
open_room(const struct person *person, unsigned int number)
{
    struct message open;
    char name[MESSAGE_ROOM_MAX + 1];

    message_init(&open, MESSAGE_OPEN);
    snprintf(name, sizeof(name), "room-%u", number);
    open.room = open.id = name;
    return people_send(person, &open);
}

bool
people_open_rooms(struct people *people, const struct person *person, unsigned int count)
{
    int64_t deadline = now_ns() + (int64_t)JOIN_MS * NS_PER_MS;
    unsigned int asked = 0;

    while (people->opened < count && now_ns() < deadline && people->errors == 0 &&
           people->crowd.down == 0) {
        while (asked < count && asked - people->opened < OPEN_AT_ONCE &&
               open_room(person, asked + 1))
            asked++;
        people_turn(people, NULL, deadline);
    }
    if (people->opened < count)
        fprintf(stderr, "bench: only %u of %u rooms could be opened\n", people->opened, count);
    return people->opened == count;
}

void
people_measure(struct people *people)
{
    people->measured_from = people->said_count;
    people->acks.count = people->heard.count = people->by_all.count = people->joining.count = 0;
}

void
people_turn(struct people *people, void (*speak)(void *people), int64_t wake)
{
    crowd_turn(&people->crowd, speak, wake);
}

/* Some were skipped and have asked: nobody hears live what it has by a batch. */
static bool
all_have_all(const struct people *people)
{
    uint64_t echoed = 0;

    for (unsigned int i = 0; i < people->crowd.begun; i++) {
        if (people->persons[i].have < people->head)
            return false;
        echoed += people->persons[i].echoed;
    }
    return echoed == people->said_count;
}

bool
people_settle(struct people *people)
{
    people->last = now_ns();
    while (people->complete < people->said_count && !all_have_all(people)) {
        people_turn(people, NULL, CROWD_NEVER);
        if (now_ns() - people->last > (int64_t)STALLED_MS * NS_PER_MS)
            return false;
    }
    return true;
}

void
people_close(struct people *people)
{
    crowd_close(&people->crowd);
    for (unsigned int i = 0; people->persons != NULL && i < people->config.clients; i++)
        free(people->persons[i].bits);
    for (unsigned int i = 0; i < PEOPLE_KNOWN; i++)
        free(people->known[i].bytes);
    free(people->persons);
    free(people->said);
    samples_free(&people->acks);
    samples_free(&people->heard);
    samples_free(&people->by_all);
    samples_free(&people->joining);
}
