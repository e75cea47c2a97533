/* load.c: clients over the library's own user-space endpoints, in one process and one loop.
 *
 * Every client checks that each speaker's numbers come one after the other. A message is complete
 * when every client has it; the time until then is what a chat's latency is.
 */
#include "load.h"

#include "endpoint_user.h"
#include "link_udp.h"
#include "server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CONNECT_AT_ONCE 50    /* more INITs than a server's socket buffer holds would be lost */
#define CONNECT_MS      30000 /* for all clients to come up */
#define STALLED_MS      15000 /* nothing was received for so long: it will not come */
#define NS_PER_MS       1000000

struct client {
    struct endpoint *endpoint;
    uint32_t assoc;
    bool up, down;
    uint32_t *next; /* by speaker: the number that must come next */
};

struct speaker {
    struct client *client;
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
    struct userland *userland;
    struct client *clients;
    struct speaker *speakers;
    size_t up;
    uint64_t deliveries, disordered, complete;
    int64_t last; /* ns; the last reception */
    int64_t *latencies;
    size_t latency_size;
    uint64_t latency_count;
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int64_t
own_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* A bench has no use for going on without memory. */
static void *
grown(void *memory, size_t *size, size_t needed, size_t element)
{
    size_t bigger = *size == 0 ? 4096 : *size;

    while (bigger < needed)
        bigger *= 2;
    memory = realloc(memory, bigger * element);
    if (memory == NULL) {
        perror("fanout");
        exit(EXIT_FAILURE);
    }
    memset((char *)memory + *size * element, 0, (bigger - *size) * element);
    *size = bigger;
    return memory;
}

/* ---- Listening ---- */

static void
completed(struct load *load, int64_t latency)
{
    load->complete++;
    if (load->latency_count == load->latency_size)
        load->latencies = grown(load->latencies, &load->latency_size, load->latency_count + 1,
                                sizeof(*load->latencies));
    load->latencies[load->latency_count++] = latency;
}

static void
heard(struct load *load, struct client *client, const struct endpoint_event *event)
{
    struct head head;
    struct speaker *speaker;

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
    load->disordered += head.number != client->next[head.speaker];
    client->next[head.speaker] = head.number + 1;
    if (client == speaker->client)
        speaker->echoed++;
    if (++speaker->heard[head.number] == load->config->clients) {
        speaker->complete++;
        completed(load, load->last - head.sent);
    }
}

static void
listen_to(struct load *load, struct client *client, int64_t now)
{
    struct endpoint_event event;

    endpoint_tick(client->endpoint, now);
    while (endpoint_recv(client->endpoint, &event) == 1) {
        if (event.type == ENDPOINT_MESSAGE) {
            heard(load, client, &event);
        } else if (event.type == ENDPOINT_UP && !client->up) {
            client->up = true;
            load->up++;
        } else if (event.type == ENDPOINT_DOWN) {
            client->down = true;
        }
    }
}

/* ---- Speaking ---- */

/* All that the window lets a speaker say now. */
static void
speak(struct load *load, uint32_t index, uint8_t *bytes)
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
        if (speaker->said == speaker->size)
            speaker->heard =
                grown(speaker->heard, &speaker->size, speaker->said + 1, sizeof(*speaker->heard));
        speaker->said++;
    }
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

static void
turn(struct load *load, uint8_t *bytes)
{
    struct pollfd fd = {.fd = userland_fd(load->userland), .events = POLLIN};
    int64_t now = now_ns() / NS_PER_MS, next;

    next = userland_receive(load->userland, now);
    for (unsigned int i = 0; i < load->config->clients; i++)
        if (load->clients[i].endpoint != NULL)
            listen_to(load, &load->clients[i], now);
    if (bytes != NULL)
        for (uint32_t i = 0; i < load->config->speakers; i++)
            speak(load, i, bytes);
    userland_flush(load->userland);
    now = now_ns() / NS_PER_MS;
    next = next > now + 100 ? 100 : next - now;
    poll(&fd, 1, next < 0 ? 0 : (int)next);
}

/* Speak for so long, then wait until all have everything. False when it does not come. */
static bool
talk(struct load *load, int64_t milliseconds)
{
    static uint8_t bytes[ENDPOINT_MESSAGE_MAX];
    int64_t end = now_ns() + milliseconds * NS_PER_MS;

    load->last = now_ns();
    while (now_ns() < end && may_say_more(load)) {
        turn(load, bytes);
        if (now_ns() - load->last > (int64_t)STALLED_MS * NS_PER_MS)
            return false;
    }
    while (load->complete < said(load)) {
        turn(load, NULL);
        if (now_ns() - load->last > (int64_t)STALLED_MS * NS_PER_MS)
            return false;
    }
    return true;
}

/* ---- Beginning and ending ---- */

static bool
add_client(struct load *load, unsigned int index, bool new_socket)
{
    struct client *client = &load->clients[index];
    struct endpoint_config config = {.profile = endpoint_profile_find("default")};
    struct address any = load->config->server;
    struct link *link;

    client->next = calloc(load->config->speakers, sizeof(*client->next));
    address_set_port(&any, 0);
    if (!address_is_loopback(&any))
        address_parse(&any, any.any.sa_family == AF_INET6 ? "::" : "0.0.0.0", 0);
    if (client->next == NULL)
        return false;
    if (new_socket && (link_udp_open(&link, &any) != 0 || userland_add_link(load->userland, link)))
        return false;
    return endpoint_user_open(&client->endpoint, load->userland, &config) == 0 &&
           endpoint_connect(client->endpoint, &load->config->server, 1, load->config->port,
                            &client->assoc) == 0;
}

static bool
connect_all(struct load *load)
{
    const struct load_config *config = load->config;
    int64_t deadline = now_ns() + (int64_t)CONNECT_MS * NS_PER_MS;
    unsigned int begun = 0, sockets = 0;

    while (load->up < config->clients) {
        while (begun < config->clients && begun - load->up < CONNECT_AT_ONCE) {
            bool new_socket =
                (uint64_t)begun * config->sockets >= (uint64_t)sockets * config->clients;

            if (!add_client(load, begun, new_socket)) {
                fprintf(stderr, "fanout: cannot begin client %u: %s\n", begun + 1,
                        "no socket or memory (ulimit -n?)");
                return false;
            }
            sockets += new_socket;
            begun++;
        }
        turn(load, NULL);
        if (now_ns() > deadline) {
            fprintf(stderr, "fanout: %zu of %u clients came up in %d s\n", load->up,
                    config->clients, CONNECT_MS / 1000);
            return false;
        }
    }
    return true;
}

static bool
open_load(struct load *load)
{
    const struct load_config *config = load->config;
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    load->clients = calloc(config->clients, sizeof(*load->clients));
    load->speakers = calloc(config->speakers, sizeof(*load->speakers));
    if (load->clients == NULL || load->speakers == NULL || userland_create(&load->userland) != 0) {
        fprintf(stderr, "fanout: no memory\n");
        return false;
    }
    /* The last to join is, as a rule, the last to be sent to: its echo says that all are served. */
    for (unsigned int i = 0; i < config->speakers; i++)
        load->speakers[i].client = &load->clients[config->clients - 1 - i];
    return true;
}

static void
close_load(struct load *load)
{
    for (unsigned int i = 0; load->clients != NULL && i < load->config->clients; i++) {
        endpoint_close(load->clients[i].endpoint);
        free(load->clients[i].next);
    }
    for (unsigned int i = 0; load->speakers != NULL && i < load->config->speakers; i++)
        free(load->speakers[i].heard);
    userland_destroy(load->userland);
    free(load->clients);
    free(load->speakers);
    free(load->latencies);
}

static int
compare_latencies(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double
percentile_ms(const struct load *load, unsigned int percent)
{
    if (load->latency_count == 0)
        return 0;
    return (double)load->latencies[(load->latency_count - 1) * percent / 100] / NS_PER_MS;
}

static uint64_t
packets_in(const struct load *load)
{
    uint64_t all = 0;

    for (const struct link *link = userland_links(load->userland); link != NULL; link = link->next)
        all += link->stats.packets_in;
    return all;
}

static void
measure(struct load *load, struct load_result *result)
{
    const struct load_config *config = load->config;
    uint64_t said_before = said(load), deliveries = load->deliveries, packets = packets_in(load);
    int64_t begin = now_ns(), server_cpu, own_cpu = own_cpu_ns();

    server_cpu = config->pid != 0 ? server_cpu_ns(config->pid) : -1;
    load->latency_count = 0;
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
    result->packets = packets_in(load) - packets;
    result->lost = said(load) * config->clients - load->deliveries;
    result->disordered = load->disordered;
    qsort(load->latencies, load->latency_count, sizeof(*load->latencies), compare_latencies);
    result->p50_ms = percentile_ms(load, 50);
    result->p99_ms = percentile_ms(load, 99);
}

bool
load_run(const struct load_config *config, struct load_result *result)
{
    struct load load = {.config = config};
    bool up;

    memset(result, 0, sizeof(*result));
    up = open_load(&load) && connect_all(&load);
    if (up) {
        result->complete = config->warmup_ms == 0 || talk(&load, config->warmup_ms);
        if (result->complete)
            measure(&load, result);
    }
    close_load(&load);
    return up;
}
