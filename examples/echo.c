/* echo.c: a bot: says what others say. The library joins, comes back, misses nothing and doubles
 * nothing.
 *
 *     cc echo.c $(pkg-config --cflags --libs lazychat) -o echo && ./echo HOST/ROOM
 */
#include <lazychat.h>
#include <stdio.h>
#include <stdlib.h>

static void
heard(void *user, struct lazychat_room *room, const struct lazychat_message *message)
{
    (void)user;
    /* Not said, one's own, of the past; an answer may be another bot's. */
    if (message->kind == LAZYCHAT_SAY && !message->own && !message->old && message->reply == 0)
        lazychat_reply(room, message->seq, message->text, NULL);
}

static void
happened(void *user, struct lazychat_room *room, const struct lazychat_event *event)
{
    char text[1024];

    (void)user;
    if (event->type != LAZYCHAT_JOINED && event->type != LAZYCHAT_LOST &&
        event->type != LAZYCHAT_REFUSED)
        return;
    fprintf(stderr, "echo: %s: %s: %s\n", lazychat_room_name(room),
            event->type == LAZYCHAT_JOINED ? "in" : "trouble",
            lazychat_escape(text, sizeof(text), event->text));
}

int
main(int argc, char **argv)
{
    struct lazychat_config config = {.nick = "echo", .on_message = heard, .on_event = happened};
    struct lazychat_room *room;
    struct lazychat *chat;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: %s HOST[:PORT][/ROOM]\n", argv[0]);
        return EXIT_FAILURE;
    }
    error = lazychat_open(&chat, &config);
    if (error == LAZYCHAT_OK)
        error = lazychat_join(chat, argv[1], &room);
    while (error == LAZYCHAT_OK)
        error = lazychat_wait(chat, -1);
    fprintf(stderr, "echo: %s\n", lazychat_strerror(error));
    return EXIT_FAILURE;
}
