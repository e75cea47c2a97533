/* error.c: the texts of enum lazychat_error, and its relation to errno. */
#include "error.h"

#include <errno.h>
#include <stddef.h>

static const char *const texts[] = {
    [-LAZYCHAT_OK] = "no error",
    [-LAZYCHAT_WOULD_BLOCK] = "no room at the moment",
    [-LAZYCHAT_INVALID] = "invalid argument",
    [-LAZYCHAT_TOO_LARGE] = "message over the limit",
    [-LAZYCHAT_NO_MEMORY] = "out of memory",
    [-LAZYCHAT_GONE] = "no such association",
    [-LAZYCHAT_UNSUPPORTED] = "not supported on this machine",
    [-LAZYCHAT_IN_USE] = "in use by another program",
    [-LAZYCHAT_DENIED] = "permission denied",
    [-LAZYCHAT_NO_ADDRESS] = "no such address on this machine, or no route to it",
    [-LAZYCHAT_SYSTEM] = "system call failed",
};

_Static_assert(sizeof(texts) / sizeof(texts[0]) == -LAZYCHAT_SYSTEM + 1,
               "every code of enum lazychat_error has a text");

const char *
lazychat_strerror(int error)
{
    size_t index = error <= 0 ? (size_t)-error : sizeof(texts);

    if (index >= sizeof(texts) / sizeof(texts[0]))
        return "unknown error";
    return texts[index];
}

const char *
lazychat_version(void)
{
    return LAZYCHAT_VERSION;
}

int
error_from_errno(int number)
{
    switch (number) {
    case 0:
        return LAZYCHAT_OK;
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
        return LAZYCHAT_WOULD_BLOCK;
    case EINVAL:
        return LAZYCHAT_INVALID;
    case EMSGSIZE:
        return LAZYCHAT_TOO_LARGE;
    case ENOMEM:
        return LAZYCHAT_NO_MEMORY;
    case ENOENT:
    case EPIPE:
    case ENOTCONN:
    case ESHUTDOWN:
    case ECONNRESET:
    case ECONNABORTED:
        return LAZYCHAT_GONE;
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
    case EOPNOTSUPP:
        return LAZYCHAT_UNSUPPORTED;
    case EADDRINUSE:
    case EALREADY:
        return LAZYCHAT_IN_USE;
    case EACCES:
    case EPERM:
        return LAZYCHAT_DENIED;
    case EADDRNOTAVAIL:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENODEV:
        return LAZYCHAT_NO_ADDRESS;
    default:
        return LAZYCHAT_SYSTEM;
    }
}
