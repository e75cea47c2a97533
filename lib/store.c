/* store.c: what a client keeps on disk. */
#include "store.h"
int
store_open(struct store **store, const char *directory)
{
    (void)directory;
    *store = NULL;
    return LAZYCHAT_UNSUPPORTED;
}
void
store_close(struct store *store)
{
    (void)store;
}
int
store_commit(struct store *store)
{
    (void)store;
    return 0;
}
const char *
store_text(const struct store *store)
{
    (void)store;
    return "";
}
int
store_secret(struct store *store, const char *host, char secret[33], int64_t *account, bool *found)
{
    (void)store;
    (void)host;
    (void)secret;
    (void)account;
    *found = false;
    return 0;
}
int
store_set_secret(struct store *store, const char *host, const char *secret, int64_t account)
{
    (void)store;
    (void)host;
    (void)secret;
    (void)account;
    return 0;
}
int
store_room(struct store *store, const char *host, const char *name, struct store_room *room)
{
    (void)store;
    (void)host;
    (void)name;
    (void)room;
    return -1;
}
int
store_set_seen(struct store *store, int64_t row, const char *log, int64_t seen)
{
    (void)store;
    (void)row;
    (void)log;
    (void)seen;
    return 0;
}
int
store_set_port(struct store *store, int64_t row, uint16_t port)
{
    (void)store;
    (void)row;
    (void)port;
    return 0;
}
int
store_forget(struct store *store, int64_t row)
{
    (void)store;
    (void)row;
    return 0;
}
int
store_message(struct store *store, int64_t row, int64_t seq, const char *json, size_t length)
{
    (void)store;
    (void)row;
    (void)seq;
    (void)json;
    (void)length;
    return 0;
}
char *
store_read(struct store *store, int64_t row, int64_t seq)
{
    (void)store;
    (void)row;
    (void)seq;
    return 0;
}
int
store_latest(struct store *store, int64_t row, int64_t before, unsigned int limit,
             bool (*each)(void *user, const char *json, size_t length), void *user)
{
    (void)store;
    (void)row;
    (void)before;
    (void)limit;
    (void)each;
    (void)user;
    return 0;
}
int
store_unsent_add(struct store *store, int64_t row, const char *id, const void *bytes, size_t length)
{
    (void)store;
    (void)row;
    (void)id;
    (void)bytes;
    (void)length;
    return 0;
}
int
store_unsent_remove(struct store *store, int64_t row, const char *id)
{
    (void)store;
    (void)row;
    (void)id;
    return 0;
}
int
store_unsent_each(struct store *store, int64_t row,
                  bool (*each)(void *user, const char *id, const char *bytes, size_t length),
                  void *user)
{
    (void)store;
    (void)row;
    (void)each;
    (void)user;
    return 0;
}
