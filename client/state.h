/* state.h: what lazychat keeps on disk between two starts, and where.
 *
 *   DIR/HOST/secret         stands for the account, the same for all programs of this user
 *   DIR/HOST/lazychat.db    what a person has seen and not sent yet (the library's store)
 *   DIR/HOST/pipe/          the same of what runs in a pipe: it must not take what a person has not
 *                           seen yet for seen
 *
 * DIR is $XDG_STATE_HOME/lazychat or ~/.local/state/lazychat. Owns these names. Must not know
 * servers.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>

#define STATE_SECRET_SIZE 33
#define STATE_PATH_MAX    4096

struct state {
    char store[STATE_PATH_MAX];
    char secret[STATE_SECRET_SIZE];
};

/* Finds or makes the directory (0700) and the secret for a host. `directory`: DIR, or NULL for the
 * usual one. False, having said why on stderr. */
bool state_open(struct state *state, const char *directory, const char *host, bool pipe);

/* Reads the secret (32 hexadecimal digits) from a file, which is made (0600) when it is not there.
 * False, having said why on stderr. */
bool state_secret(char secret[STATE_SECRET_SIZE], const char *path);

#endif
