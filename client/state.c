/* state.c: directories and a secret. */
#include "state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The secret ---- */

static bool
read_secret(char secret[STATE_SECRET_SIZE], int fd)
{
    char bytes[STATE_SECRET_SIZE + 1] = "";
    ssize_t count = read(fd, bytes, sizeof(bytes) - 1);
    size_t digits = strspn(bytes, "0123456789abcdefABCDEF");

    if (count < 0 || digits != STATE_SECRET_SIZE - 1 ||
        (bytes[digits] != '\0' && !isspace((unsigned char)bytes[digits])))
        return false;
    memcpy(secret, bytes, digits);
    secret[digits] = '\0';
    return true;
}

static bool
write_secret(int fd)
{
    unsigned char bytes[(STATE_SECRET_SIZE - 1) / 2];
    char line[STATE_SECRET_SIZE + 1];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(line + 2 * i, 3, "%02x", bytes[i]);
    line[STATE_SECRET_SIZE - 1] = '\n';
    return write(fd, line, STATE_SECRET_SIZE) == STATE_SECRET_SIZE && fsync(fd) == 0;
}

/* Made whole beside it and linked: of many that start at once one makes it, and nobody reads half.
 */
static bool
make_secret(const char *path)
{
    char *temporary;
    bool made = false;
    int fd, error;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return false;
    fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
    if (fd >= 0) {
        made = write_secret(fd) && (link(temporary, path) == 0 || errno == EEXIST);
        error = errno;
        close(fd);
        unlink(temporary);
        errno = error;
    }
    free(temporary);
    return made;
}

bool
state_secret(char secret[STATE_SECRET_SIZE], const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good;

    if (fd < 0 && errno == ENOENT && make_secret(path))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "lazychat: cannot read or make %s: %s\n", path, strerror(errno));
        return false;
    }
    good = read_secret(secret, fd);
    close(fd);
    if (!good)
        fprintf(stderr, "lazychat: %s does not hold 32 hexadecimal digits\n", path);
    return good;
}

/* ---- Directories ---- */

/* As mkdir -p does it, for nobody else to look into. */
static bool
make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        bool made;

        if (slash != NULL)
            *slash = '\0';
        made = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!made)
            fprintf(stderr,
                    "lazychat: cannot make %s: %s\n"
                    "  do: name a directory of yours (--store DIR), or keep nothing (--no-store)\n",
                    path, strerror(errno));
        if (slash != NULL)
            *slash = '/';
        if (!made || slash == NULL)
            return made;
    }
}

static int
usual(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state != NULL && *state == '/')
        return snprintf(path, size, "%s/lazychat", state);
    return snprintf(path, size, "%s/.local/state/lazychat", home != NULL ? home : "");
}

/* The host as a name of a directory: a name or an address has no more than these. */
static bool
put_host(char *out, size_t size, const char *host)
{
    size_t length = strlen(host);

    if (length == 0 || length >= size || host[0] == '.')
        return false;
    for (size_t i = 0; i <= length; i++) {
        char c = (char)tolower((unsigned char)host[i]);

        if (c != '\0' && !isalnum((unsigned char)c) && strchr(".:-_[]%", c) == NULL)
            return false;
        out[i] = c;
    }
    return true;
}

bool
state_open(struct state *state, const char *directory, const char *host, bool pipe)
{
    char base[STATE_PATH_MAX - 512], name[256], secret[STATE_PATH_MAX];
    int length = directory != NULL ? snprintf(base, sizeof(base), "%s", directory)
                                   : usual(base, sizeof(base));

    if (!put_host(name, sizeof(name), host)) {
        fprintf(stderr, "lazychat: '%s' is no name or address of a host\n", host);
        return false;
    }
    if (length <= 0 || (size_t)length >= sizeof(base)) {
        fprintf(stderr, "lazychat: the directory to keep things in has too long a name\n");
        return false;
    }
    snprintf(state->store, sizeof(state->store), "%s/%s%s", base, name, pipe ? "/pipe" : "");
    snprintf(secret, sizeof(secret), "%s/%s/secret", base, name);
    return make_directories(state->store) && state_secret(state->secret, secret);
}
