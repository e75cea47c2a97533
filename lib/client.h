/* client.h: the inside of lazychat.h: a client, the servers that it knows, and their rooms.
 *
 *   client.c          the client: open, turn, close
 *   client_server.c   a server: its addresses, its lobby, the ports of its rooms
 *   client_room.c     a room's association: comes up, joins, comes back
 *   client_receive.c  what the server says in a room
 *   client_send.c     what goes to the server: the outbox, questions, the public functions for it
 *   client_tell.c     what the program is told: callbacks, with JSON or structs
 *
 * Time comes in by client_turn and is kept in `now`; nothing here reads a clock but lazychat_turn.
 * What the program does outside of a turn takes effect in the next, which is then due at once.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "connection.h"
#include "message.h"
#include "outbox.h"
#include "sequence.h"
#include "store.h"

#define CLIENT_ADDRESSES 8
#define CLIENT_LOBBY     "lobby"
#define CLIENT_UDP_PORT  9899
#define CLIENT_RECV      256   /* messages of a room in one turn */
#define CLIENT_JOIN_MS   10000 /* for the welcome */
#define CLIENT_HELD_MS                                                                             \
    5000                      /* a room that was joined for so long begins again with short pauses \
                               */
#define CLIENT_FIRST_MS   500 /* the first pause: 0 to this */
#define CLIENT_PAUSE_MS   1000 /* the second one, then doubled */
#define CLIENT_PAUSE_MAX  30000
#define CLIENT_LEAVE_MS   2000
#define CLIENT_READ_MS    2000
#define CLIENT_NAME_MS    2000  /* for the answer to a wanted nickname */
#define CLIENT_AGAIN_MS   30000 /* what is not acknowledged after that is said again */
#define CLIENT_RESOLVE_MS 5000  /* names are looked up at most so often */
#define CLIENT_ASKS       16    /* questions of the program that wait */
#define CLIENT_PEOPLE_MAX 100000

enum room_state {
    ROOM_AWAY,    /* nobody wants it, or its port is not known yet */
    ROOM_PAUSING, /* until `due` */
    ROOM_TRYING,
    ROOM_JOINING, /* associated, not welcome yet */
    ROOM_JOINED,
    ROOM_ENDING, /* SHUTDOWN, until `due` */
};

/* A question of the program: history or search. Asked again after a reconnect. */
struct client_ask {
    struct message message; /* its text is `text` */
    char *text;
    bool sent;
    int64_t at;
};

struct client_server;

struct lazychat_room {
    struct lazychat_room *next;
    struct client_server *server;
    void *user;
    char name[MESSAGE_ROOM_MAX + 1];
    char nick[MESSAGE_NICK_MAX + 1];
    uint16_t port;    /* 0: the lobby is asked */
    bool wanted;      /* by the program: else a lobby that others need, or one that it left */
    bool leaving;     /* until `leave_due` */
    bool over;        /* raw: its association ended */
    bool port_asked;  /* on the lobby's association as it is */
    int64_t port_due; /* ask not before */
    char open_id[LAZYCHAT_ID_SIZE];
    int64_t leave_due;

    enum room_state state;
    int64_t due;
    struct connection *connection;
    struct connection *spare; /* while the server cannot be reached over the first */
    int64_t spare_due;
    unsigned int spare_failures;
    bool by_way; /* the connection tries only the way that others came in by */
    unsigned int failures;
    bool join_sent;
    bool blocked; /* WOULD_BLOCK, until DRAINED */
    int64_t joined_at;
    unsigned int faults; /* malformed messages on this association */

    bool known;   /* `log` is of the log whose numbers `sequence` has */
    bool offline; /* what the store has is to be told */
    char log[65];
    int64_t row; /* in the store; 0: none */
    char stored_log[65];
    int64_t stored_seen; /* as the store has them */
    struct sequence sequence;
    struct outbox outbox;
    int64_t quiet;     /* nothing is sent until then: the server asked for it */
    int64_t unnamed;   /* nothing is said until then, at most: the nickname is being taken */
    int64_t again_due; /* acknowledgements are late then */
    struct client_ask asks[CLIENT_ASKS];
    size_t ask_count;
    int64_t read, read_sent, read_due;

    int64_t roster;
    bool naming;          /* pages of names come, because of lazychat_names or a gap */
    bool names_due;       /* and are to be asked for */
    int64_t names_after;  /* from here on; MESSAGE_ABSENT: from the beginning */
    struct json_t *names; /* pages so far */
};

struct client_server {
    struct client_server *next;
    struct lazychat *chat;
    char *host; /* as given */
    uint16_t udp_port;
    struct address addresses[CLIENT_ADDRESSES];
    size_t address_count;
    int64_t resolved_at;
    bool stale; /* resolve again before the next try */
    struct address way;
    enum connection_transport way_transport;
    bool way_known;
    char secret[MESSAGE_SECRET_SIZE + 1];
    char nick[MESSAGE_NICK_MAX + 1]; /* wanted; empty: the one that the account has */
    int64_t account;
    struct lazychat_room *rooms; /* the lobby first */
    struct lazychat_room *asker; /* of lazychat_rooms; NULL: nobody */
    bool rooms_due;
    int64_t rooms_after;
    struct json_t *rooms_pages;
};

struct lazychat {
    struct lazychat_config config;
    const struct endpoint_profile *profile;
    struct network *network;
    struct store *store; /* NULL: none, or it broke */
    int store_error;     /* to be told */
    struct client_server *servers;
    int64_t now, deadline;
    bool due; /* something was said since the last turn */
    uint64_t random;
    char
        input[ENDPOINT_MESSAGE_MAX + 1]; /* what is being taken: callbacks may use the connection */
};

/* ---- client.c ---- */

/* lazychat_turn at this time. */
int client_turn(struct lazychat *chat, int64_t now);

/* A number below `below`, not for secrets. */
int64_t client_random(struct lazychat *chat, int64_t below);

/* 0-9 a-f, `digits` of them and a NUL, from the system's generator. */
int client_secret(char *text, size_t digits);

/* A text into a place of `size` bytes; what does not fit is cut. */
void client_copy(char *to, size_t size, const char *from);

/* ---- client_server.c ---- */

/* The server of a host as lazychat_join has it, made when it is new. */
int client_server_find(struct client_server **server, struct lazychat *chat, const char *host,
                       size_t length);
void client_server_free(struct client_server *server);

/* A room, made when it is new. `port`: 0, or known. */
int client_server_room(struct lazychat_room **room, struct client_server *server, const char *name,
                       uint16_t port);

/* Its lobby; NULL in raw mode, where rooms have numbers. */
struct lazychat_room *client_server_lobby(const struct client_server *server);

/* Any room wants to be in, the lobby itself apart. */
bool client_server_needed(const struct client_server *server);

/* Who is told what does not belong to one room: the lobby, if the program is in it, else another of
 * its rooms; or NULL. */
struct lazychat_room *client_server_voice(const struct client_server *server);

/* Look the host up again, if it is time to. Blocks. False: there is no address. */
bool client_server_resolve(struct client_server *server);

/* ---- client_room.c ---- */

/* All that is due. Returns when to come again. */
int64_t client_room_turn(struct lazychat_room *room);
void client_room_free(struct lazychat_room *room);

/* Give the association up and try again later. */
void client_room_lost(struct lazychat_room *room, const char *why);

/* In the room (as far as the program can tell)? */
bool client_room_usable(const struct lazychat_room *room);

/* Bytes to the server. LAZYCHAT_OK, LAZYCHAT_WOULD_BLOCK (DRAINED follows), LAZYCHAT_GONE. */
int client_room_send(struct lazychat_room *room, const void *bytes, size_t length, uint16_t stream);

/* As above, a message that is encoded first. */
int client_room_say(struct lazychat_room *room, const struct message *message);

/* ---- client_receive.c ---- */

void client_receive(struct lazychat_room *room, const void *bytes, size_t length);

/* Tells the latest messages that the store has of a room. */
void client_receive_stored(struct lazychat_room *room);

/* Answers lazychat_history from the store. */
void client_receive_history(struct lazychat_room *room, int64_t before, unsigned int limit);

/* Puts down in the store what is seen; once a turn is enough. */
void client_receive_seen(struct lazychat_room *room);

/* ---- client_send.c ---- */

/* What waits goes out as far as it may. Returns when there is more to do. */
int64_t client_send_turn(struct lazychat_room *room);

/* A message of one's own came back, or was refused for good. */
bool client_send_acknowledged(struct lazychat_room *room, const char *id);

/* Nothing that was sent counts: there is a new association, or the server wants it later. */
void client_send_again(struct lazychat_room *room);

/* Answers from the store what can be: one is not in the room. */
void client_send_offline(struct lazychat_room *room);

/* This one of the program's questions is answered. */
void client_send_answered(struct lazychat_room *room, size_t which);

/* ---- client_tell.c ---- */

void client_tell_init(struct lazychat_event *event, enum lazychat_event_type type);
void client_tell(struct lazychat_room *room, const struct lazychat_event *event);
void client_tell_json(struct lazychat_room *room, const char *json, size_t length);

/* A numbered message, as JSON and as a struct. `kind_changed`: it is an older one, as it is now. */
void client_tell_message(struct lazychat_room *room, const struct message *message,
                         const char *json, size_t length, bool old, bool changed);

/* People, rooms and messages of JSON lists. */
void client_tell_names(struct lazychat_room *room, const struct json_t *people, int64_t count);
void client_tell_presence(struct lazychat_room *room, const struct message *message);
void client_tell_rooms(struct lazychat_room *room, const struct json_t *rooms);
void client_tell_room(struct lazychat_room *room, const struct message *message);
void client_tell_list(struct lazychat_room *room, enum lazychat_event_type type,
                      const struct json_t *messages, int64_t head, int64_t first);

#endif
