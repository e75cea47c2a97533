/* member.c: sending to one, and what waits for it. */
#include "member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes for later: an answer that did not fit yet, or a message that came too early. */
struct waiting {
    struct waiting *next;
    uint16_t stream;
    size_t length;
    uint8_t bytes[];
};

struct member *
member_create(struct room *room, const struct transport_endpoint *at, uint32_t assoc, bool classic,
              uint64_t token)
{
    struct member *member = calloc(1, sizeof(*member));

    if (member == NULL)
        return NULL;
    member->room = room;
    member->at = at;
    member->assoc = assoc;
    member->classic = classic;
    member->token = token;
    member->since = member->last = MESSAGE_ABSENT;
    member->last_waiting = &member->first_waiting;
    member->last_held = &member->first_held;
    member->last_opening = &member->first_opening;
    return member;
}

struct account *
member_leave_account(struct member *member)
{
    struct account *account = member->account;

    if (account == NULL)
        return NULL;
    *member->link_of_account = member->next_of_account;
    if (member->next_of_account != NULL)
        member->next_of_account->link_of_account = member->link_of_account;
    member->account = NULL;
    return account->members == NULL ? account : NULL;
}

void
member_enter_account(struct member *member, struct account *account)
{
    member->account = account;
    member->next_of_account = account->members;
    member->link_of_account = &account->members;
    if (account->members != NULL)
        account->members->link_of_account = &member->next_of_account;
    account->members = member;
}

static void
free_all(struct waiting *list)
{
    while (list != NULL) {
        struct waiting *next = list->next;

        free(list);
        list = next;
    }
}

void
member_destroy(struct member *member)
{
    free_all(member->first_waiting);
    free_all(member->first_held);
    free_all(member->first_opening);
    free(member->wanted);
    free(member);
}

static int
hand_over(struct member *member, uint16_t stream, const void *bytes, size_t length)
{
    struct endpoint_message message = {
        .data = bytes, .length = length, .ppid = MESSAGE_PPID, .stream = stream};

    return endpoint_send(member->at->endpoint, member->assoc, &message);
}

/* Puts a copy at the end of a list. */
static bool
put_last(struct waiting ***last, uint16_t stream, const void *bytes, size_t length)
{
    struct waiting *waiting = malloc(sizeof(*waiting) + length);

    if (waiting == NULL)
        return false;
    waiting->next = NULL;
    waiting->stream = stream;
    waiting->length = length;
    if (length > 0)
        memcpy(waiting->bytes, bytes, length);
    **last = waiting;
    *last = &waiting->next;
    return true;
}

static int
keep_waiting(struct member *member, uint16_t stream, const void *bytes, size_t length)
{
    if (member->waiting_bytes + length > MEMBER_WAITING_MAX)
        return LAZYCHAT_WOULD_BLOCK;
    if (!put_last(&member->last_waiting, stream, bytes, length))
        return LAZYCHAT_NO_MEMORY;
    member->waiting_bytes += length;
    return LAZYCHAT_OK;
}

bool
member_hold(struct member *member, const void *bytes, size_t length)
{
    if (member->held_bytes + length > MEMBER_HELD_MAX ||
        !put_last(&member->last_held, 0, bytes, length))
        return false;
    member->held_bytes += length;
    return true;
}

struct waiting *
member_held(struct member *member, struct held *held)
{
    struct waiting *first = member->first_held;

    if (first == NULL)
        return NULL;
    member->first_held = first->next;
    if (first->next == NULL)
        member->last_held = &member->first_held;
    member->held_bytes -= first->length;
    held->bytes = first->bytes;
    held->length = first->length;
    return first;
}

void
member_opens(struct member *member, const char *id)
{
    put_last(&member->last_opening, 0, id, id != NULL ? strlen(id) : 0);
}

void
member_opened(struct member *member, char id[MESSAGE_ID_MAX + 1])
{
    struct waiting *first = member->first_opening;

    id[0] = '\0';
    if (first == NULL)
        return;
    snprintf(id, MESSAGE_ID_MAX + 1, "%.*s", (int)first->length, (const char *)first->bytes);
    member->first_opening = first->next;
    if (first->next == NULL)
        member->last_opening = &member->first_opening;
    free(first);
}

int
member_send_bytes(struct member *member, uint16_t stream, const void *bytes, size_t length)
{
    int error = LAZYCHAT_WOULD_BLOCK;

    if (member->classic)
        return LAZYCHAT_UNSUPPORTED;
    if (member->first_waiting == NULL)
        error = hand_over(member, stream, bytes, length);
    return error == LAZYCHAT_WOULD_BLOCK ? keep_waiting(member, stream, bytes, length) : error;
}

int
member_send(struct member *member, uint16_t stream, const struct message *message)
{
    char bytes[MESSAGE_MAX];
    int length = message_encode(message, MESSAGE_OF_SERVER, bytes, sizeof(bytes));

    return length < 0 ? length : member_send_bytes(member, stream, bytes, (size_t)length);
}

void
member_drained(struct member *member)
{
    while (member->first_waiting != NULL) {
        struct waiting *waiting = member->first_waiting;

        if (hand_over(member, waiting->stream, waiting->bytes, waiting->length) ==
            LAZYCHAT_WOULD_BLOCK)
            return;
        member->first_waiting = waiting->next;
        if (member->first_waiting == NULL)
            member->last_waiting = &member->first_waiting;
        member->waiting_bytes -= waiting->length;
        free(waiting);
    }
}

void
member_refuse(struct member *member, const char *code, const char *field, const char *id,
              int64_t retry, const char *text)
{
    struct message message;

    message_init(&message, MESSAGE_ERROR);
    message.code = code;
    message.field = field;
    message.id = id != NULL && id[0] != '\0' ? id : NULL;
    message.retry = retry;
    message.text = text;
    member_send(member, MESSAGE_STREAM_LIVE, &message);
}
