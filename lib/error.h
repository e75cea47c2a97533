/* error.h: turns errno into an enum lazychat_error. Owns nothing. */
#ifndef ERROR_H
#define ERROR_H

#include "lazychat.h"

/* The code for an errno value; LAZYCHAT_SYSTEM for those that have no code of their own. */
int error_from_errno(int number);

#endif
