/* load.c: one speaks, all listen.
 *
 * Every client checks that each speaker's numbers come one after the other. A message is complete
 * when every client has it; the time until then is what a chat's latency is.
 */
#include "load.h"

#include "crowd.h"
#include "figures.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALLED_MS 15000 /* nothing was received for so long: it will not come */

struct speaker {
    struct crowd_client *client;
    uint32_t said, limit; /* limit: when it falls silent; 0: never */
    uint32_t echoed;      /* it has heard so many itself, */
    uint32_t complete;    /* and all clients so many */
    uint32_t *heard;      /* by number: how many clients have it */
    size_t size;          /* of `heard` */
};

/* What is at the head of each message; the rest is filling. Only this process reads it. */
struct head {
    uint32_t speaker, number;
    int64_t sent; /* ns */
};

struct load {
    const struct load_config *config;
    struct crowd crowd;
    uint32_t *next; /* by client and speaker: the number that must come next */
    struct speaker *speakers;
    uint64_t deliveries, disordered, complete;
    int64_t last; /* ns; the last reception */
    struct samples latencies;
};

/* ---- Listening ---- */

static void
heard(struct load *load, const struct crowd_client *client, const struct endpoint_event *event)
{
    struct head head;
    struct speaker *speaker;
    uint32_t *next;

    load->deliveries++;
    load->last = now_ns();
    if (event->length != load->config->size) {
        load->disordered++;
        return;
    }
    memcpy(&head, event->data, sizeof(head));
    if (head.speaker >= load->config->speakers ||
        head.number >= load->speakers[head.speaker].said) {
        load->disordered++;
        return;
    }
    speaker = &load->speakers[head.speaker];
    next = &load->next[(size_t)client->index * load->config->speakers + head.speaker];
    load->disordered += head.number != *next;
    *next = head.number + 1;
    if (client == speaker->client)
        speaker->echoed++;
    if (++speaker->heard[head.number] == load->config->clients) {
        speaker->complete++;
        load->complete++;
        samples_add(&load->latencies, load->last - head.sent);
    }
}

static void
take_event(void *user, struct crowd_client *client, const struct endpoint_event *event)
{
    if (event->type == ENDPOINT_MESSAGE)
        heard(user, client, event);
}

/* ---- Speaking ---- */

/* All that the window lets a speaker say now. */
static void
speak_one(struct load *load, uint32_t index, uint8_t *bytes)
{
    struct speaker *speaker = &load->speakers[index];
    struct endpoint_message message = {.data = bytes, .length = load->config->size};

    while (speaker->said - (load->config->pace_all ? speaker->complete : speaker->echoed) <
           load->config->window) {
        struct head head = {.speaker = index, .number = speaker->said, .sent = now_ns()};

        if (speaker->limit != 0 && speaker->said >= speaker->limit)
            return;
        memcpy(bytes, &head, sizeof(head));
        if (endpoint_send(speaker->client->endpoint, speaker->client->assoc, &message) != 0)
            return; /* no room: when the stack has some again */
        speaker->heard =
            grown(speaker->heard, &speaker->size, speaker->said + 1, sizeof(*speaker->heard));
        speaker->said++;
    }
}

static void
speak(void *user)
{
    static uint8_t bytes[ENDPOINT_MESSAGE_MAX];
    struct load *load = user;

    for (uint32_t i = 0; i < load->config->speakers; i++)
        speak_one(load, i, bytes);
}

static uint64_t
said(const struct load *load)
{
    uint64_t all = 0;

    for (unsigned int i = 0; i < load->config->speakers; i++)
        all += load->speakers[i].said;
    return all;
}

static bool
may_say_more(const struct load *load)
{
    for (unsigned int i = 0; i < load->config->speakers; i++)
        if (load->speakers[i].limit == 0 || load->speakers[i].said < load->speakers[i].limit)
            return true;
    return false;
}

/* Speak for so long, then wait until all have everything. False when it does not come. */
static bool
talk(struct load *load, int64_t milliseconds)
{
    int64_t end = now_ns() + milliseconds * NS_PER_MS;

    load->last = now_ns();
    while (now_ns() < end && may_say_more(load)) {
        crowd_turn(&load->crowd, speak, end);
        if (now_ns() - load->last > (int64_t)STALLED_MS * NS_PER_MS)
            return false;
    }
    while (load->complete < said(load)) {
        crowd_turn(&load->crowd, NULL, CROWD_NEVER);
        if (now_ns() - load->last > (int64_t)STALLED_MS * NS_PER_MS)
            return false;
    }
    return true;
}

/* ---- Beginning and ending ---- */

static bool
open_load(struct load *load)
{
    const struct load_config *config = load->config;
    struct crowd_config crowd = {.server = config->server,
                                 .clients = config->clients,
                                 .sockets = config->sockets,
                                 .event = take_event,
                                 .user = load};

    load->next = calloc((size_t)config->clients * config->speakers, sizeof(*load->next));
    load->speakers = calloc(config->speakers, sizeof(*load->speakers));
    if (load->next == NULL || load->speakers == NULL) {
        fprintf(stderr, "fanout: no memory\n");
        return false;
    }
    if (!crowd_open(&load->crowd, &crowd))
        return false;
    /* The last to join is, as a rule, the last to be sent to: its echo says that all are served. */
    for (unsigned int i = 0; i < config->speakers; i++)
        load->speakers[i].client = &load->crowd.clients[config->clients - 1 - i];
    return crowd_connect(&load->crowd, config->clients, config->port);
}

static void
close_load(struct load *load)
{
    crowd_close(&load->crowd);
    for (unsigned int i = 0; load->speakers != NULL && i < load->config->speakers; i++)
        free(load->speakers[i].heard);
    free(load->next);
    free(load->speakers);
    samples_free(&load->latencies);
}

static void
measure(struct load *load, struct load_result *result)
{
    const struct load_config *config = load->config;
    uint64_t said_before = said(load), deliveries = load->deliveries,
             packets = crowd_packets(&load->crowd);
    int64_t begin = now_ns(), server_cpu, own_cpu = own_cpu_ns();

    server_cpu = config->pid != 0 ? server_cpu_ns(config->pid) : -1;
    load->latencies.count = 0;
    for (unsigned int i = 0; config->messages != 0 && i < config->speakers; i++)
        load->speakers[i].limit = load->speakers[i].said + config->messages;
    result->complete = talk(load, (int64_t)config->seconds * 1000);
    result->seconds = (double)(load->last - begin) / 1e9;
    result->server_cpu = -1;
    if (server_cpu >= 0)
        result->server_cpu = (double)(server_cpu_ns(config->pid) - server_cpu) / 1e9;
    result->load_cpu = (double)(own_cpu_ns() - own_cpu) / 1e9;
    result->messages = said(load) - said_before;
    result->deliveries = load->deliveries - deliveries;
    result->packets = crowd_packets(&load->crowd) - packets;
    result->lost = said(load) * config->clients - load->deliveries;
    result->disordered = load->disordered;
    result->p50_ms = samples_ms(&load->latencies, 50);
    result->p99_ms = samples_ms(&load->latencies, 99);
}

bool
load_run(const struct load_config *config, struct load_result *result)
{
    struct load load = {.config = config};
    bool up;

    memset(result, 0, sizeof(*result));
    up = open_load(&load);
    if (up) {
        result->complete = config->warmup_ms == 0 || talk(&load, config->warmup_ms);
        if (result->complete)
            measure(&load, result);
    }
    close_load(&load);
    return up;
}
