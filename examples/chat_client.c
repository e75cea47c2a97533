/* chat_client.c: a chat client in a dozen lines, after the one in "Multiple Associations with
 * Stream Control Transmission Protocol" (Jan Newmarch, Linux Journal, 2007).  What is typed goes to
 * the server, what the server says is printed.
 *
 *     gcc chat_client.c -o chat_client       needs no header or library but libc's
 *     ./chat_client HOST [PORT]              a name, an IPv4 or an IPv6 address; SCTP port 2013;
 * Ctrl-D leaves
 *
 * "Protocol not supported" means that the kernel has no SCTP: sudo modprobe sctp, or ask `lazychatd
 * doctor`. */

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* The hints say TCP's socket type because not every resolver knows SCTP; the addresses are the
 * same. */
static int
dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *at;
    int error = getaddrinfo(host, port, &hints, &list);
    int room = -1;

    if (error != 0) {
        fprintf(stderr, "chat_client: %s port %s: %s\n", host, port, gai_strerror(error));
        return -1;
    }
    for (at = list; at != NULL && room < 0; at = at->ai_next) {
        room = socket(at->ai_family, SOCK_STREAM, IPPROTO_SCTP);
        if (room < 0) {
            perror("chat_client: socket (if it is not supported: sudo modprobe sctp)");
        } else if (connect(room, at->ai_addr, at->ai_addrlen) < 0) {
            perror("chat_client: connect (is the server running, and is SCTP let through?)");
            close(room);
            room = -1;
        }
    }
    freeaddrinfo(list);
    return room;
}

int
main(int argc, char **argv)
{
    char text[4096];
    ssize_t length;
    int room;

    if (argc < 2) {
        fprintf(stderr, "usage: chat_client HOST [PORT]\n");
        return 2;
    }
    room = dial(argv[1], argc > 2 ? argv[2] : "2013");
    if (room < 0)
        return 1;
    struct pollfd wait[] = {{STDIN_FILENO, POLLIN, 0}, {room, POLLIN, 0}};
    while (poll(wait, 2, -1) > 0) {
        if (wait[1].revents) {
            if ((length = recv(room, text, sizeof text, 0)) <= 0)
                break;
            (void)!write(STDOUT_FILENO, text, (size_t)length);
        }
        if (wait[0].revents) {
            if ((length = read(STDIN_FILENO, text, sizeof text)) <= 0)
                return 0;
            if (send(room, text, (size_t)length, MSG_NOSIGNAL) < 0)
                break;
        }
    }
    fprintf(stderr, "chat_client: the server has gone\n");
    return 1;
}
