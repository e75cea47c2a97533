/* chat_server.c: a chat server in a dozen lines, after the one in "Multiple Associations with
 * Stream Control Transmission Protocol" (Jan Newmarch, Linux Journal, 2007).  It owns nothing but a
 * socket: SCTP keeps the list of who is connected.
 *
 *     gcc chat_server.c -o chat_server       needs the header netinet/sctp.h (Debian: libsctp-dev),
 * no library
 *     ./chat_server [PORT]                   listens on all addresses, IPv4 and IPv6, SCTP port
 * 2013
 *
 * "Protocol not supported" means that the kernel has no SCTP: sudo modprobe sctp, or ask `lazychatd
 * doctor`. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* "To every association of this socket."  Linux has it since 4.17; older headers lack the name, and
 * newer ones have it in an enum, which the preprocessor does not see, so this line always takes
 * effect.  The value is the kernel's. */
#ifndef SCTP_SENDALL
#define SCTP_SENDALL (1 << 6)
#endif

/* MSG_DONTWAIT: without it, one reader who does not read would stop the server. */
static ssize_t
send_to_all(int room, void *text, size_t length)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
        struct cmsghdr aligned;
    } control = {{0}};
    struct iovec iov = {text, length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct sctp_sndinfo to = {.snd_sid = 0, .snd_flags = SCTP_SENDALL};

    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_SCTP;
    header->cmsg_type = SCTP_SNDINFO;
    header->cmsg_len = CMSG_LEN(sizeof to);
    memcpy(CMSG_DATA(header), &to, sizeof to);
    return sendmsg(room, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int
fail(const char *what)
{
    perror(what);
    return 1;
}

int
main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 2013;
    struct sockaddr_in6 here = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    char text[4096];
    ssize_t length;

    /* One-to-many: a single socket for all clients, no accept() */
    int room = socket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP);
    if (room < 0)
        return fail("chat_server: socket (if it is not supported: sudo modprobe sctp)");
    if (bind(room, (struct sockaddr *)&here, sizeof here) < 0)
        return fail("chat_server: bind");
    if (listen(room, 10) < 0)
        return fail("chat_server: listen");
    fprintf(stderr, "chat_server: listening on SCTP port %d\n", port);

    while ((length = recv(room, text, sizeof text, 0)) >= 0)
        if (send_to_all(room, text, (size_t)length) < 0)
            perror("chat_server: not everyone got this message");
    return fail("chat_server: recv");
}
