/* doctor.h: `lazychatd doctor`, what this machine can do for SCTP and what to do about the rest.
 *
 * It owns the looking and the wording. It changes nothing, knows nothing of rooms or endpoints, and
 * takes no options: it is for someone at whom nothing works yet. */

#ifndef LAZYCHAT_DOCTOR_H
#define LAZYCHAT_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

/* Where the kernel's SCTP is. */
enum doctor_module {
    DOCTOR_ABSENT,      /* neither in the kernel nor among its modules */
    DOCTOR_AVAILABLE,   /* a module that is not loaded */
    DOCTOR_BLACKLISTED, /* the same, and a rule keeps it from being loaded when it is asked for */
    DOCTOR_FORBIDDEN,   /* the same, and the rule stops `modprobe sctp` too */
    DOCTOR_LOADED,
    DOCTOR_BUILTIN,
};

/* What was found, and the rule that forbids it: "/etc/modprobe.d/x.conf", 3, "install sctp
 * /bin/true". A rule on the kernel's command line has line 0. where and rule are empty when there
 * is none. */
struct doctor_sctp {
    enum doctor_module module;
    char where[512];
    unsigned line;
    char rule[128];
};

/* Finds the SCTP of the kernel `release` (uname -r) in the file system at `root`: "" for this
 * machine, the directory of a tree for tests. Reads files only. */
void doctor_find_sctp(const char *root, const char *release, struct doctor_sctp *found);

/* What is known of CVE-2026-46227 in a kernel, from uname's release and version. */
enum doctor_sendall {
    DOCTOR_SENDALL_ABSENT, /* before 4.17: no SCTP_SENDALL at all */
    DOCTOR_SENDALL_UNSAFE, /* its number is below the fixed one of its series */
    DOCTOR_SENDALL_FIXED,
    DOCTOR_SENDALL_UNKNOWN, /* a series without a published fix, or a number we do not understand */
};

/* `fixed_in`, if not null, becomes the first fixed version of the kernel's series, a static string,
 * or null. */
enum doctor_sendall doctor_sendall(const char *release, const char *version, const char **fixed_in);

/* Writes one finding a line, `ok`, `warn` or `info` in front and what to do in an indented `do:`
 * line below. Returns 0, or 1 if nothing at all could run here, the exit status of `lazychatd
 * doctor`. */
int doctor_run(FILE *out);

#endif
