/* packet.c: a hostile host. The input is a list of datagrams that reach a server's UDP socket
 * beside a chat that must not notice.
 *
 * Each datagram: a byte of flags, a byte with its length in words of 4, and that many words, a SCTP
 * packet. Flags: 1 a right checksum is put in; 2 ports and tag of the stranger's own association,
 * which it begins by a real INIT; 4 it comes from another UDP port than the one before.
 */
#include "clock.h"
#include "crc32c.h"
#include "endpoint_user.h"
#include "link_udp.h"
#include "packet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT       2013
#define CHECK_EACH 64 /* inputs, after which the chat is looked at */

static struct {
    struct userland *userland;
    struct endpoint *server, *client, *victim;
    uint32_t client_assoc, victim_assoc;
    struct address address;
    int sockets[2];
    unsigned int heard, inputs;
    uint32_t ports, tag; /* of the victim's association, as its packets carry them */
} fuzz;

static void
must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void
drain(struct endpoint *endpoint)
{
    struct endpoint_event event;

    endpoint_tick(endpoint, clock_ms());
    while (endpoint_recv(endpoint, &event) == 1) {
        struct endpoint_message message = {.data = event.data, .length = event.length};

        if (event.type == ENDPOINT_MESSAGE && endpoint == fuzz.server)
            endpoint_sendall(endpoint, &message);
        else if (event.type == ENDPOINT_MESSAGE && endpoint == fuzz.client)
            fuzz.heard++;
    }
    endpoint_flush(endpoint);
}

static void
turn(int wait)
{
    struct pollfd fd = {.fd = userland_fd(fuzz.userland), .events = POLLIN};

    poll(&fd, 1, wait);
    userland_receive(fuzz.userland, clock_ms());
    drain(fuzz.server);
    drain(fuzz.client);
    if (fuzz.victim != NULL)
        drain(fuzz.victim);
    userland_flush(fuzz.userland);
}

static struct address
add_link(void)
{
    struct address any;
    struct link *link = NULL;

    must(address_parse(&any, "127.0.0.1", 0) == 0 && link_udp_open(&link, &any) == 0 &&
             userland_add_link(fuzz.userland, link) == 0,
         "no UDP socket");
    return link->local;
}

/* The chat that must not notice: says a line and hears it. */
static void
check_chat(void)
{
    struct endpoint_message message = {.data = "still here", .length = 10};
    int64_t deadline = clock_ms() + 20000;
    unsigned int before = fuzz.heard;

    must(endpoint_send(fuzz.client, fuzz.client_assoc, &message) == 0, "the chat cannot speak");
    while (fuzz.heard == before) {
        turn(10);
        must(clock_ms() < deadline, "the chat does not hear itself");
    }
}

/* The stranger's own association is a real one, so that its packets pass for right. What the link
 * knows of it is looked up as a stranger could see it: in the packets. */
static void
new_victim(void)
{
    struct endpoint_config config = {.profile = endpoint_profile_find("lan")};

    endpoint_close(fuzz.victim);
    must(endpoint_user_open(&fuzz.victim, fuzz.userland, &config) == 0 &&
             endpoint_connect(fuzz.victim, &fuzz.address, 1, PORT, &fuzz.victim_assoc) == 0,
         "no association");
    for (int i = 0; i < 100; i++)
        turn(1);
    for (uint32_t n = 0; n < 64; n++) {
        const struct peer *peer = userland_peer(fuzz.userland, n);

        if (peer != NULL && peer->flows != NULL && peer->flows->confirmed) {
            fuzz.ports = peer->flows->ports;
            fuzz.tag = peer->flows->tag;
        }
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct endpoint_config server = {.port = PORT, .listen = true};
    struct endpoint_config client = {.profile = endpoint_profile_find("lan")};

    (void)argc;
    (void)argv;
    server.profile = client.profile;
    must(userland_create(&fuzz.userland) == 0, "no stack");
    fuzz.address = add_link();
    add_link();
    fuzz.sockets[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    fuzz.sockets[1] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    must(endpoint_user_open(&fuzz.server, fuzz.userland, &server) == 0 &&
             endpoint_user_open(&fuzz.client, fuzz.userland, &client) == 0 &&
             endpoint_connect(fuzz.client, &fuzz.address, 1, PORT, &fuzz.client_assoc) == 0,
         "no endpoint");
    while (endpoint_associations(fuzz.client) == 0)
        turn(10);
    new_victim();
    return 0;
}

static void
send_one(uint8_t flags, uint8_t *packet, size_t length)
{
    if ((flags & 2) != 0 && length >= PACKET_HEADER) {
        memcpy(packet, &fuzz.ports, sizeof(fuzz.ports));
        memcpy(packet + 4, &fuzz.tag, sizeof(fuzz.tag));
    }
    if ((flags & 1) != 0 && length >= PACKET_HEADER)
        crc32c_seal(packet, length);
    sendto(fuzz.sockets[(flags & 4) != 0], packet, length, 0, &fuzz.address.any,
           address_length(&fuzz.address));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t answer[2048], packet[256 * 4];

    while (size >= 2) {
        size_t length = (size_t)data[1] * 4;

        if (length > size - 2)
            length = size - 2;
        memcpy(packet, data + 2, length);
        send_one(data[0], packet, length);
        data += 2 + length;
        size -= 2 + length;
    }
    turn(0);
    while (recv(fuzz.sockets[0], answer, sizeof(answer), 0) > 0 ||
           recv(fuzz.sockets[1], answer, sizeof(answer), 0) > 0)
        ; /* or its buffer fills */
    if (++fuzz.inputs % CHECK_EACH == 0)
        check_chat();
    if (fuzz.inputs % 4096 == 0)
        new_victim();
    return 0;
}
