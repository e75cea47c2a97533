/* lazychat.h: the one installed header of liblazychat.
 *
 * For now it holds what every layer shares: the error codes. Functions return 0 (or a count) when
 * they worked and one of these, negative, when they did not. The library never prints, exits or
 * aborts.
 */
#ifndef LAZYCHAT_H
#define LAZYCHAT_H

#ifdef __cplusplus
extern "C" {
#endif

enum lazychat_error {
    LAZYCHAT_OK = 0,
    LAZYCHAT_WOULD_BLOCK = -1, /* no room now; an event says when there is some */
    LAZYCHAT_INVALID = -2,     /* an argument is malformed */
    LAZYCHAT_TOO_LARGE = -3,   /* longer than the limit that the function's comment names */
    LAZYCHAT_NO_MEMORY = -4,
    LAZYCHAT_GONE = -5,        /* no such association (any more) */
    LAZYCHAT_UNSUPPORTED = -6, /* this machine or this build cannot do it */
    LAZYCHAT_IN_USE = -7,      /* the port or address belongs to another program */
    LAZYCHAT_DENIED = -8,      /* the system does not permit it */
    LAZYCHAT_NO_ADDRESS = -9,  /* the address is not one of this machine's, or cannot be reached */
    LAZYCHAT_SYSTEM = -10,     /* another failure of a system call: errno says which */
};

/* One sentence in English, without a full stop; never NULL, valid for ever. */
const char *lazychat_strerror(int error);

/* "0.1.0" */
const char *lazychat_version(void);

#ifdef __cplusplus
}
#endif
#endif
