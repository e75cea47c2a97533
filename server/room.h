/* room.h: one room: its endpoints, its members, who of them are people, and what all get to hear.
 *
 * The endpoints hold the list of associations; a member is what the room knows about one of them.
 * Nothing here walks members to send: what is for all goes out by endpoint_sendall. Must not know
 * the log's workings, other rooms, or what clients ask for.
 */
#ifndef ROOM_H
#define ROOM_H

#include "member.h"

#define ROOM_PRESENCE_MS   250 /* presence is told at most so often */
#define ROOM_PRESENCE_MOST 500 /* people, above which only their number is told */

/* An account in the room, by however many associations. */
struct person {
    struct account *account;
    unsigned int members;
};

struct room {
    struct log_room info; /* id, name, port, topic, head, first, said */
    struct transport_endpoint endpoints[TRANSPORT_ENDPOINTS];
    size_t endpoint_count;
    /* The lobby's other door: SCTP port 2013. */
    struct transport_endpoint classic[TRANSPORT_ENDPOINTS];
    size_t classic_count;

    struct hash members; /* by association */
    struct member *first_member;
    struct member *strangers; /* members whom nobody asked yet who they are */

    struct person *people; /* by account number */
    size_t people_count, people_size;

    int64_t roster;   /* counts presence messages */
    int64_t *changed; /* accounts that came, left or are called otherwise since the last one */
    size_t changed_count, changed_size;
    bool stirred;         /* something changed */
    int64_t presence_due; /* when it is to be told; 0: nothing changed */
    struct room **stirred_rooms, *next_stirred;

    bool head_told; /* the lobby knows head and said */
    struct room *next_untold;
};

/* Endpoints on every transport for the room's port and, when `classic_port` is not 0, for that one.
 * NULL after it has told `errors` why. */
struct room *room_open(const struct log_room *info, struct transport *transport,
                       uint16_t classic_port, struct room **stirred_rooms, FILE *errors);
void room_close(struct room *room);

/* The member of an association. */
struct member *room_member(const struct room *room, const struct endpoint *endpoint,
                           uint32_t assoc);
int room_add(struct room *room, struct member *member);
void room_remove(struct room *room, struct member *member);

/* A member that speaks for nobody yet now speaks for `account`, or for another one than before. The
 * account that it left without a member is returned, or NULL. */
struct account *room_enter(struct room *room, struct member *member, struct account *account);
struct account *room_leave(struct room *room, struct member *member);

/* The account is called otherwise: to be told, if it is here. */
void room_renamed(struct room *room, const struct account *account);

/* Where in `people` the first account with a number above `after` is. */
size_t room_person_after(const struct room *room, int64_t after);

/* To all in the room but the classic lobby. */
void room_say(struct room *room, uint16_t stream, const struct message *message);
void room_say_bytes(struct room *room, uint16_t stream, const void *bytes, size_t length);
/* To all in its classic lobby. */
void room_say_classic(struct room *room, const void *bytes, size_t length);

/* Tells who came and left, when it is time. Returns when to be called again. */
int64_t room_presence(struct room *room, int64_t now);

/* Is anybody in its classic lobby? */
bool room_has_classic(const struct room *room);

/* Associations that are up, all doors. */
size_t room_associations(const struct room *room);

#endif
