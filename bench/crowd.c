/* crowd.c: clients over the library's own user-space endpoints. */
#include "crowd.h"

#include "figures.h"
#include "link_udp.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CONNECT_AT_ONCE 50    /* more INITs than a server's socket buffer holds would be lost */
#define CONNECT_MS      30000 /* for all clients to come up */
#define IDLE_MS         100   /* at most between two turns: the caller has deadlines too */

static void
raise_file_limit(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

bool
crowd_open(struct crowd *crowd, const struct crowd_config *config)
{
    memset(crowd, 0, sizeof(*crowd));
    crowd->config = *config;
    if (crowd->config.sockets == 0 || crowd->config.sockets > config->clients)
        crowd->config.sockets = config->clients;
    agenda_init(&crowd->agenda);
    raise_file_limit();
    crowd->clients = calloc(config->clients, sizeof(*crowd->clients));
    if (crowd->clients != NULL && userland_create(&crowd->userland) == 0)
        return true;
    fprintf(stderr, "bench: no memory\n");
    return false;
}

/* The sockets are spread evenly over the clients. */
static bool
add_socket(struct crowd *crowd)
{
    struct address any = crowd->config.server;
    struct link *link;

    if ((uint64_t)crowd->begun * crowd->config.sockets <
        (uint64_t)crowd->sockets * crowd->config.clients)
        return true;
    address_set_port(&any, 0);
    if (!address_is_loopback(&any))
        address_parse(&any, any.any.sa_family == AF_INET6 ? "::" : "0.0.0.0", 0);
    crowd->sockets++;
    return link_udp_open(&link, &any) == 0 && userland_add_link(crowd->userland, link) == 0;
}

static bool
begin_client(struct crowd *crowd, uint16_t port)
{
    struct crowd_client *client = &crowd->clients[crowd->begun];
    struct endpoint_config config = {
        .profile = endpoint_profile_find("default"), .agenda = &crowd->agenda, .owner = client};

    client->index = crowd->begun;
    if (add_socket(crowd) && endpoint_user_open(&client->endpoint, crowd->userland, &config) == 0 &&
        endpoint_connect(client->endpoint, &crowd->config.server, 1, port, &client->assoc) == 0) {
        crowd->begun++;
        return true;
    }
    fprintf(stderr, "bench: cannot begin client %u: no socket or memory (ulimit -n?)\n",
            crowd->begun + 1);
    return false;
}

bool
crowd_connect(struct crowd *crowd, unsigned int count, uint16_t port)
{
    int64_t deadline = now_ns() + (int64_t)CONNECT_MS * NS_PER_MS;
    unsigned int all = crowd->begun + count;

    while (crowd->up < all) {
        while (crowd->begun < all && crowd->begun - crowd->up < CONNECT_AT_ONCE)
            if (!begin_client(crowd, port))
                return false;
        crowd_turn(crowd, NULL, deadline);
        if (now_ns() > deadline || crowd->down > 0) {
            fprintf(stderr, "bench: %u of %u clients came up in %d s, %u were lost\n", crowd->up,
                    all, CONNECT_MS / 1000, crowd->down);
            return false;
        }
    }
    return true;
}

static void
read_endpoint(struct crowd *crowd, struct endpoint *endpoint)
{
    struct crowd_client *client = endpoint_owner(endpoint);
    struct endpoint_event event;

    while (endpoint_recv(endpoint, &event) == 1) {
        if (event.type == ENDPOINT_UP && !client->up) {
            client->up = true;
            crowd->up++;
        } else if (event.type == ENDPOINT_DOWN) {
            client->down = true;
            crowd->down++;
        }
        crowd->config.event(crowd->config.user, client, &event);
    }
}

static void
wait_for_packets(const struct crowd *crowd, int64_t until)
{
    struct pollfd fd = {.fd = userland_fd(crowd->userland), .events = POLLIN};
    int64_t left = until - now_ns();
    struct timespec timeout = {0};

    if (left > (int64_t)IDLE_MS * NS_PER_MS)
        left = (int64_t)IDLE_MS * NS_PER_MS;
    if (left > 0)
        timeout = (struct timespec){left / 1000000000, left % 1000000000};
    ppoll(&fd, 1, &timeout, NULL);
}

void
crowd_turn(struct crowd *crowd, void (*speak)(void *user), int64_t wake)
{
    int64_t now = now_ns() / NS_PER_MS, next, due;
    struct endpoint *endpoint;

    next = userland_receive(crowd->userland, now);
    while (!crowd->deaf && (endpoint = endpoint_next(&crowd->agenda, now)) != NULL)
        read_endpoint(crowd, endpoint);
    if (speak != NULL)
        speak(crowd->config.user);
    due = crowd->deaf ? ENDPOINT_NO_DEADLINE : endpoint_finish(&crowd->agenda);
    userland_flush(crowd->userland);
    next = due < next ? due : next;
    next = next < INT64_MAX / NS_PER_MS ? next * NS_PER_MS : INT64_MAX;
    next = next > 0 ? next : 0; /* INT64_MIN: at once */
    wait_for_packets(crowd, next < wake ? next : wake);
}

uint64_t
crowd_packets(const struct crowd *crowd)
{
    uint64_t all = 0;

    for (const struct link *link = userland_links(crowd->userland); link != NULL; link = link->next)
        all += link->stats.packets_in;
    return all;
}

void
crowd_close(struct crowd *crowd)
{
    for (unsigned int i = 0; crowd->clients != NULL && i < crowd->config.clients; i++)
        endpoint_close(crowd->clients[i].endpoint);
    userland_destroy(crowd->userland);
    free(crowd->clients);
}
