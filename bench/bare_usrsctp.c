/* bare_usrsctp.c: the article's server as one would write it on usrsctp: what lazychatd is measured
 * against.
 *
 * usrsctp_init with its threads and its UDP encapsulation socket, one one-to-many socket, a
 * blocking receive, and what one says goes to all. Two ways to do the last, `loop` is the default:
 *
 *  loop     usrsctp_sendv to each of SCTP_GET_ASSOC_ID_LIST, blocking: lossless, one full peer
 * holds up all. sendall  SCTP_SENDALL, as in the article. It takes one message at a time (EBUSY
 * until usrsctp's iterator thread is done), and has no flow control.
 *
 * usage: bare_usrsctp UDP-PORT SCTP-PORT [sendall] [nodelay]
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

#define MESSAGE_MAX 65536
#define ASSOC_MAX   8192

static void
die(const char *what)
{
    fprintf(stderr, "bare_usrsctp: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static struct socket *
open_socket(uint16_t udp_port, uint16_t port, int nodelay)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    struct socket *socket;

    usrsctp_init(udp_port, NULL, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    socket = usrsctp_socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (socket == NULL)
        die("socket");
    if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_NODELAY, &nodelay, sizeof(nodelay)) != 0 ||
        usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof(on)) != 0)
        die("setsockopt");
    if (usrsctp_bind(socket, (struct sockaddr *)&local, sizeof(local)) != 0)
        die("bind");
    if (usrsctp_listen(socket, 1) != 0)
        die("listen");
    return socket;
}

static void
say_to_each(struct socket *socket, const void *data, size_t length)
{
    static union {
        struct sctp_assoc_ids ids;
        uint8_t room[sizeof(struct sctp_assoc_ids) + ASSOC_MAX * sizeof(sctp_assoc_t)];
    } list;
    socklen_t size = sizeof(list);

    if (usrsctp_getsockopt(socket, IPPROTO_SCTP, SCTP_GET_ASSOC_ID_LIST, &list, &size) != 0)
        die("SCTP_GET_ASSOC_ID_LIST");
    for (uint32_t i = 0; i < list.ids.gaids_number_of_ids; i++) {
        struct sctp_sndinfo info = {.snd_assoc_id = list.ids.gaids_assoc_id[i]};

        /* An error is of a peer that has just gone. */
        usrsctp_sendv(socket, data, length, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO, 0);
    }
}

static void
say_to_all(struct socket *socket, const void *data, size_t length)
{
    struct sctp_sndinfo info = {.snd_flags = SCTP_SENDALL};

    while (usrsctp_sendv(socket, data, length, NULL, 0, &info, sizeof(info), SCTP_SENDV_SNDINFO,
                         0) < 0) {
        if (errno != EBUSY)
            die("SCTP_SENDALL");
        sched_yield();
    }
}

int
main(int argc, char **argv)
{
    static uint8_t buffer[MESSAGE_MAX];
    struct socket *socket;
    bool sendall = false, nodelay = false;

    if (argc < 3) {
        fprintf(stderr, "usage: bare_usrsctp UDP-PORT SCTP-PORT [sendall] [nodelay]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        sendall = sendall || strcmp(argv[i], "sendall") == 0;
        nodelay = nodelay || strcmp(argv[i], "nodelay") == 0;
    }
    socket = open_socket((uint16_t)atoi(argv[1]), (uint16_t)atoi(argv[2]), nodelay);
    printf("open\n");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_length = sizeof(from);
        struct sctp_rcvinfo info;
        socklen_t info_length = sizeof(info);
        unsigned int type = 0;
        int flags = 0;
        ssize_t length = usrsctp_recvv(socket, buffer, sizeof(buffer), (struct sockaddr *)&from,
                                       &from_length, &info, &info_length, &type, &flags);

        if (length < 0 && errno != EAGAIN && errno != EINTR)
            die("recvv");
        if (length <= 0 || (flags & MSG_NOTIFICATION) != 0)
            continue;
        if (sendall)
            say_to_all(socket, buffer, (size_t)length);
        else
            say_to_each(socket, buffer, (size_t)length);
    }
}
