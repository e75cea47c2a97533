/* doctor.c owns `lazychatd doctor`: it looks at this machine and says what works, what does not,
 * and what to type. Readers of the article failed at exactly these: a kernel without SCTP, a
 * header without SCTP_SENDALL, a port that was taken.
 *
 * It reads and asks, and changes nothing. One thing it cannot avoid: asking for an SCTP socket
 * makes a kernel load its module, if it may. It says so when that happened. */

#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    PATH_SIZE = 1024,
    LINE_SIZE = 1024,
    FILES_ENOUGH = 1024,
    /* A burst for 1,000 peers fits. */
    BUFFER_WANTED = 4 * 1024 * 1024,
    PORT_ENCAPSULATION = 9899,
    PORT_SECURE = 2013,
};

static void finding(FILE *out, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void todo(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
finding(FILE *out, const char *level, const char *format, ...)
{
    va_list ap;

    fprintf(out, "%-4s ", level);
    va_start(ap, format);
    vfprintf(out, format, ap);
    va_end(ap);
    fputc('\n', out);
}

static void
todo(FILE *out, const char *format, ...)
{
    va_list ap;

    fputs("     do: ", out);
    va_start(ap, format);
    vfprintf(out, format, ap);
    va_end(ap);
    fputc('\n', out);
}

/* ---- files ---- */

/* Opens root + format; NULL if it is not there. */
static FILE *open_in(const char *root, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static FILE *
open_in(const char *root, const char *format, ...)
{
    char path[PATH_SIZE];
    int used = snprintf(path, sizeof path, "%s", root);
    va_list ap;

    if (used < 0 || (size_t)used >= sizeof path)
        return NULL;
    va_start(ap, format);
    vsnprintf(path + used, sizeof path - (size_t)used, format, ap);
    va_end(ap);
    return fopen(path, "re");
}

/* Whether any line of the file contains one of the two words. Closes it; NULL contains nothing. */
static bool
file_mentions(FILE *file, const char *word, const char *other)
{
    char line[LINE_SIZE];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, word) != NULL || (other != NULL && strstr(line, other) != NULL);
    fclose(file);
    return found;
}

/* The number in a file of /proc/sys, or -1. */
static long
sysctl_read(const char *root, const char *name)
{
    FILE *file = open_in(root, "/proc/sys/%s", name);
    long value = -1;

    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

/* ---- where the kernel's SCTP is ---- */

static bool
module_loaded(const char *root)
{
    FILE *file = open_in(root, "/proc/modules");
    char line[LINE_SIZE];
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "sctp ", 5) == 0;
    fclose(file);
    return found;
}

/* The sysctls exist exactly while SCTP does. */
static bool
sysctls_present(const char *root)
{
    char path[PATH_SIZE];
    struct stat st;

    snprintf(path, sizeof path, "%s/proc/sys/net/sctp", root);
    return stat(path, &st) == 0;
}

/* Whether one line of modprobe.d(5) keeps sctp from being loaded. Copies the rule, trimmed. */
static enum doctor_module
rule_parse(const char *line, char *rule, size_t size)
{
    char word[3][64] = {"", "", ""};
    size_t length;

    if (sscanf(line, " %63s %63s %63s", word[0], word[1], word[2]) < 2)
        return DOCTOR_AVAILABLE;
    bool blacklist = strcmp(word[0], "blacklist") == 0 && strcmp(word[1], "sctp") == 0;
    /* "install" may also run something that loads it; only these two are known not to. */
    const char *command = strrchr(word[2], '/') != NULL ? strrchr(word[2], '/') + 1 : word[2];
    bool install = strcmp(word[0], "install") == 0 && strcmp(word[1], "sctp") == 0 &&
                   (strcmp(command, "true") == 0 || strcmp(command, "false") == 0);
    if (!blacklist && !install)
        return DOCTOR_AVAILABLE;
    line += strspn(line, " \t");
    length = strcspn(line, "\r\n");
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    snprintf(rule, size, "%.*s", (int)length, line);
    return install ? DOCTOR_FORBIDDEN : DOCTOR_BLACKLISTED;
}

/* The strictest rule wins; of equals the first. */
static void
rules_in_file(const char *root, const char *path, struct doctor_sctp *found)
{
    FILE *file = open_in(root, "%s", path);
    char line[LINE_SIZE], rule[sizeof found->rule];

    if (file == NULL)
        return;
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        enum doctor_module module = rule_parse(line, rule, sizeof rule);
        if (module == DOCTOR_AVAILABLE || module <= found->module)
            continue;
        found->module = module;
        found->line = number;
        snprintf(found->where, sizeof found->where, "%.*s", (int)sizeof found->where - 1, path);
        snprintf(found->rule, sizeof found->rule, "%s", rule);
    }
    fclose(file);
}

static bool
file_exists(const char *root, const char *directory, const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s%s/%s", root, directory, name);
    return access(path, F_OK) == 0;
}

/* All *.conf of modprobe.d(5)'s directories. A file hides those of its name in later directories,
 * so an empty one in /etc lifts what a package put in /lib. */
static void
rules_in_directories(const char *root, struct doctor_sctp *found)
{
    static const char *const directories[] = {"/etc/modprobe.d", "/run/modprobe.d",
                                              "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
                                              "/lib/modprobe.d"};
    char path[PATH_SIZE];

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        snprintf(path, sizeof path, "%s%s", root, directories[i]);
        DIR *directory = opendir(path);
        const struct dirent *entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL) {
            const char *dot = strrchr(entry->d_name, '.');
            bool hidden = false;
            if (dot == NULL || strcmp(dot, ".conf") != 0)
                continue;
            for (size_t earlier = 0; earlier < i; earlier++)
                hidden = hidden || file_exists(root, directories[earlier], entry->d_name);
            snprintf(path, sizeof path, "%s/%s", directories[i], entry->d_name);
            if (!hidden)
                rules_in_file(root, path, found);
        }
        if (directory != NULL)
            closedir(directory);
    }
}

/* module_blacklist= is the kernel's own and final; modprobe.blacklist= is modprobe's. */
static void
rules_in_command_line(const char *root, struct doctor_sctp *found)
{
    FILE *file = open_in(root, "/proc/cmdline");
    char line[4096] = "", *rest = line;

    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    for (char *word; (word = strsep(&rest, " \n")) != NULL;) {
        bool final = strncmp(word, "module_blacklist=", 17) == 0;
        if (!final && strncmp(word, "modprobe.blacklist=", 19) != 0)
            continue;
        char rule[sizeof found->rule], *names = strchr(word, '=') + 1;
        snprintf(rule, sizeof rule, "%s", word);
        for (char *name; (name = strsep(&names, ",")) != NULL;) {
            enum doctor_module module = final ? DOCTOR_FORBIDDEN : DOCTOR_BLACKLISTED;
            if (strcmp(name, "sctp") != 0 || module <= found->module)
                continue;
            found->module = module;
            found->line = 0;
            snprintf(found->where, sizeof found->where, "the kernel's command line");
            snprintf(found->rule, sizeof found->rule, "%s", rule);
        }
    }
}

/* The slash keeps sctp_diag.ko and the like out; a module may end in .ko.xz or .ko.zst. */
static bool
module_available(const char *root, const char *release)
{
    return file_mentions(open_in(root, "/lib/modules/%s/modules.dep", release),
                         "/sctp.ko:", "/sctp.ko.") ||
           file_mentions(open_in(root, "/usr/lib/modules/%s/modules.dep", release),
                         "/sctp.ko:", "/sctp.ko.");
}

void
doctor_find_sctp(const char *root, const char *release, struct doctor_sctp *found)
{
    memset(found, 0, sizeof *found);
    if (module_loaded(root)) {
        found->module = DOCTOR_LOADED;
    } else if (sysctls_present(root) ||
               file_mentions(open_in(root, "/lib/modules/%s/modules.builtin", release), "/sctp.ko",
                             NULL)) {
        found->module = DOCTOR_BUILTIN;
    } else if (module_available(root, release)) {
        found->module = DOCTOR_AVAILABLE;
        rules_in_directories(root, found);
        rules_in_command_line(root, found);
    }
}

/* ---- SCTP_SENDALL ---- */

/* Debian's release says 6.1.0-30-amd64 and its version "... Debian 6.1.124-1 ...": the latter is
 * the one that counts. */
static bool
version_parse(const char *release, const char *version, int number[3])
{
    const char *debian = strstr(version, "Debian ");

    number[2] = 0;
    return (debian != NULL &&
            sscanf(debian, "Debian %d.%d.%d", &number[0], &number[1], &number[2]) >= 2) ||
           sscanf(release, "%d.%d.%d", &number[0], &number[1], &number[2]) >= 2;
}

enum doctor_sendall
doctor_sendall(const char *release, const char *version, const char **fixed_in)
{
    static const struct {
        int number[3];
        const char *name;
    } fixed[] = {{{5, 10, 258}, "5.10.258"}, {{5, 15, 209}, "5.15.209"}, {{6, 1, 175}, "6.1.175"},
                 {{6, 6, 140}, "6.6.140"},   {{6, 12, 90}, "6.12.90"},   {{6, 18, 32}, "6.18.32"}};
    int number[3];

    if (fixed_in != NULL)
        *fixed_in = NULL;
    if (!version_parse(release, version, number))
        return DOCTOR_SENDALL_UNKNOWN;
    if (number[0] < 4 || (number[0] == 4 && number[1] < 17))
        return DOCTOR_SENDALL_ABSENT;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (number[0] != fixed[i].number[0] || number[1] != fixed[i].number[1])
            continue;
        if (fixed_in != NULL)
            *fixed_in = fixed[i].name;
        return number[2] >= fixed[i].number[2] ? DOCTOR_SENDALL_FIXED : DOCTOR_SENDALL_UNSAFE;
    }
    return DOCTOR_SENDALL_UNKNOWN;
}

/* ---- the findings ---- */

/* Opens a one-to-many socket and listens, on a port of the kernel's choice. 0 or an errno. */
static int
sctp_try(void)
{
    int fd = socket(AF_INET, SOCK_SEQPACKET | SOCK_CLOEXEC, IPPROTO_SCTP);
    struct sockaddr_in here = {.sin_family = AF_INET};
    int error = 0;

    if (fd < 0)
        return errno;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0 || listen(fd, 1) < 0)
        error = errno;
    close(fd);
    return error;
}

static void
report_absent(FILE *out, const char *root, const char *release)
{
    if (file_exists(root, "/lib/modules", release)) {
        finding(out, "warn",
                "kernel SCTP: absent, neither in the kernel nor in /lib/modules/%s;"
                " lazychatd uses SCTP over UDP",
                release);
        todo(out,
             "Ubuntu: sudo apt install linux-modules-extra-%s; Fedora: sudo dnf install"
             " kernel-modules-extra; then sudo modprobe sctp",
             release);
    } else {
        finding(out, "warn",
                "kernel SCTP: absent, not in the kernel, and there is no /lib/modules/%s (a "
                "container, a"
                " small virtual machine?); lazychatd uses SCTP over UDP",
                release);
        todo(out,
             "in a container: sudo modprobe sctp on its host; else a kernel with CONFIG_IP_SCTP");
    }
    todo(out, "to try kernel SCTP here all the same: tests/kernel/with-sctp, any command after it");
}

static void
report_rule(FILE *out, const struct doctor_sctp *found)
{
    char place[sizeof found->where + 16];

    snprintf(place, sizeof place, found->line > 0 ? "%s:%u" : "%s", found->where, found->line);
    finding(out, "warn",
            "kernel SCTP: there, but not loaded: module sctp is %s by %s (%s);"
            " lazychatd uses SCTP over UDP",
            found->module == DOCTOR_FORBIDDEN ? "forbidden" : "blacklisted", place, found->rule);
    if (found->line == 0)
        todo(out, "take sctp out of %s in the boot loader's settings, then boot again",
             found->rule);
    else if (found->module == DOCTOR_FORBIDDEN)
        todo(out, "sudo sed -i '%us/^/#/' %s && sudo modprobe sctp", found->line, found->where);
    else
        todo(out, "sudo modprobe sctp (now), sudo sed -i '%us/^/#/' %s (for good)", found->line,
             found->where);
}

/* Whether SCTP sockets work. `before` and `after` are what was found around the trial. */
static void
report_sctp(FILE *out, const char *release, const struct doctor_sctp *before,
            const struct doctor_sctp *after, int error)
{
    bool there = after->module == DOCTOR_LOADED || after->module == DOCTOR_BUILTIN;

    if (error == 0 && before->module < DOCTOR_LOADED && there)
        finding(out, "ok",
                "kernel SCTP: module sctp, loaded just now because doctor asked for a socket");
    else if (error == 0)
        finding(out, "ok", "kernel SCTP: %s",
                after->module == DOCTOR_LOADED ? "module sctp is loaded" : "built into the kernel");
    else if (error == EPERM || error == EACCES)
        finding(out, "warn",
                "kernel SCTP: not allowed here (%s): a sandbox or security policy forbids it",
                strerror(error));
    else if (there && error == ENOSYS)
        finding(out, "warn",
                "kernel SCTP: sockets open but cannot listen (%s): the hmac module is missing",
                strerror(error));
    else if (there)
        finding(out, "warn", "kernel SCTP: %s, but a socket fails: %s",
                after->module == DOCTOR_LOADED ? "module sctp is loaded" : "built into the kernel",
                strerror(error));
    else if (after->module == DOCTOR_BLACKLISTED || after->module == DOCTOR_FORBIDDEN)
        report_rule(out, after);
    else if (after->module == DOCTOR_ABSENT)
        report_absent(out, "", release);
    else
        finding(out, "warn",
                "kernel SCTP: module sctp is there but not loaded;"
                " lazychatd uses SCTP over UDP");

    if (error == ENOSYS && there)
        todo(out, "sudo modprobe hmac");
    else if (after->module == DOCTOR_AVAILABLE && error != EPERM && error != EACCES)
        todo(out, "sudo modprobe sctp (now), echo sctp | sudo tee /etc/modules-load.d/sctp.conf"
                  " (for good)");
}

/* SCTP_SENDALL is an enum in today's header, which #ifdef cannot see: so read the text. Since
 * libsctp 1.0.18 netinet/sctp.h includes linux/sctp.h for these. */
static void
report_header(FILE *out, const char *root)
{
    static const char *const headers[] = {"/usr/include/netinet/sctp.h",
                                          "/usr/include/linux/sctp.h"};

    if (!file_exists(root, "/usr/include/netinet", "sctp.h")) {
        finding(out, "info", "header netinet/sctp.h: not installed; needed to compile, not to run");
        todo(out, "Debian, Ubuntu: sudo apt install libsctp-dev; Fedora: sudo dnf install"
                  " lksctp-tools-devel");
        return;
    }
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (file_mentions(open_in(root, "%s", headers[i]), "SCTP_SENDALL", NULL)) {
            finding(out, "ok", "header SCTP_SENDALL: in %s", headers[i]);
            return;
        }
    }
    finding(out, "warn", "header SCTP_SENDALL: not in %s, too old", headers[0]);
    todo(out, "put this into your program: #define SCTP_SENDALL (1 << 6); the kernel knows it");
}

static void
report_sendall(FILE *out, const struct utsname *kernel, bool works)
{
    const char *fixed_in;

    if (!works) {
        finding(out, "info", "kernel SCTP_SENDALL: not there while the kernel has no SCTP");
        return;
    }
    switch (doctor_sendall(kernel->release, kernel->version, &fixed_in)) {
    case DOCTOR_SENDALL_ABSENT:
        finding(out, "warn",
                "kernel SCTP_SENDALL: not in Linux %s, 4.17 has it first;"
                " lazychatd sends to one after the other",
                kernel->release);
        todo(out, "a newer kernel");
        break;
    case DOCTOR_SENDALL_UNSAFE:
        finding(out, "warn",
                "kernel SCTP_SENDALL: Linux %s has CVE-2026-46227 by its number: a"
                " program whose send waits while a peer leaves can crash the kernel;"
                " lazychatd's never waits",
                kernel->release);
        todo(out,
             "update the kernel: %s has the fix, your distribution's may have it under an"
             " older number",
             fixed_in);
        break;
    case DOCTOR_SENDALL_FIXED:
        finding(out, "ok", "kernel SCTP_SENDALL: in Linux %s, with the fix of CVE-2026-46227 (%s)",
                kernel->release, fixed_in);
        break;
    case DOCTOR_SENDALL_UNKNOWN:
        finding(out, "info",
                "kernel SCTP_SENDALL: in Linux %s; whether it has the fix of"
                " CVE-2026-46227, its distribution knows",
                kernel->release);
        break;
    }
}

static void
report_sysctls(FILE *out, const char *root)
{
    long policy = sysctl_read(root, "net/sctp/sndbuf_policy");
    long port = sysctl_read(root, "net/sctp/udp_port");

    if (policy == 1) {
        finding(out, "ok",
                "net.sctp.sndbuf_policy: 1, each association has a send buffer of its own");
    } else if (policy == 0) {
        finding(out, "warn",
                "net.sctp.sndbuf_policy: 0, all associations share one send buffer: a"
                " slow reader costs the others messages, and lazychatd cannot use"
                " SCTP_SENDALL");
        todo(out, "sudo sysctl -w net.sctp.sndbuf_policy=1, before the server starts");
    } else {
        finding(out, "info", "net.sctp.sndbuf_policy: not there while the kernel has no SCTP");
    }

    if (port > 0) {
        finding(out, "info", "net.sctp.udp_port: %ld, the kernel takes SCTP over UDP on it%s", port,
                port == PORT_ENCAPSULATION ? "; lazychatd's own udp listener cannot have that port"
                                           : "");
    } else if (port == 0) {
        finding(out, "info",
                "net.sctp.udp_port: 0, the kernel takes no SCTP over UDP (RFC 6951);"
                " lazychatd does so itself on UDP %d",
                PORT_ENCAPSULATION);
    } else {
        finding(out, "info",
                "net.sctp.udp_port: not in this kernel; lazychatd does SCTP over UDP"
                " itself on UDP %d",
                PORT_ENCAPSULATION);
    }
}

/* The inode of the UDP socket bound to the port, -1 if none. */
static long
udp_inode(const char *root, const char *table, int port)
{
    FILE *file = open_in(root, "/proc/net/%s", table);
    char line[LINE_SIZE];
    long inode, found = -1;
    unsigned at;

    if (file == NULL)
        return -1;
    while (found < 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %*s %*s %ld", &at, &inode) == 2 &&
            at == (unsigned)port)
            found = inode;
    fclose(file);
    return found;
}

/* The process that has the socket open, as "name (pid)"; false if it is not ours to see. */
static bool
socket_holder(int pid, long inode, char *name, size_t size)
{
    char path[PATH_SIZE], target[64], wanted[64], command[32] = "?";
    const struct dirent *entry;
    bool found = false;

    snprintf(wanted, sizeof wanted, "socket:[%ld]", inode);
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (directory != NULL)
        closedir(directory);
    if (!found)
        return false;
    FILE *file = open_in("", "/proc/%d/comm", pid);
    if (file != NULL) {
        if (fgets(command, sizeof command, file) != NULL)
            command[strcspn(command, "\n")] = '\0';
        fclose(file);
    }
    snprintf(name, size, "%s (process %d)", command, pid);
    return true;
}

static void
udp_holder(int port, char *name, size_t size)
{
    long inode = udp_inode("", "udp", port);
    const struct dirent *entry;

    if (inode < 0)
        inode = udp_inode("", "udp6", port);
    snprintf(name, size, "a process of another user");
    DIR *directory = inode > 0 ? opendir("/proc") : NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            socket_holder(atoi(entry->d_name), inode, name, size))
            break;
    if (directory != NULL)
        closedir(directory);
}

/* Binds the port on all addresses, as the server would. 0 or an errno. */
static int
udp_try(int family, int port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result, error = 0;

    if (fd < 0)
        return errno;
    result = family == AF_INET6 ? bind(fd, (struct sockaddr *)&six, sizeof six)
                                : bind(fd, (struct sockaddr *)&four, sizeof four);
    if (result < 0)
        error = errno;
    close(fd);
    return error;
}

/* Returns whether UDP works at all; a taken port is somebody's that works. */
static bool
report_port(FILE *out, int port, const char *what)
{
    char holder[96];
    int error = udp_try(AF_INET, port);

    /* Without IPv6 the IPv4 answer is the whole answer. */
    if (error == 0) {
        error = udp_try(AF_INET6, port);
        if (error == EAFNOSUPPORT)
            error = 0;
    }
    if (error == 0) {
        finding(out, "ok", "UDP %d (%s): free", port, what);
        return true;
    }
    if (error != EADDRINUSE) {
        finding(out, "warn", "UDP %d (%s): %s", port, what, strerror(error));
        return error == EACCES;
    }
    if (sysctl_read("", "net/sctp/udp_port") == port) {
        finding(out, "info", "UDP %d (%s): taken by the kernel's own SCTP over UDP", port, what);
        todo(out, "to have lazychatd listen there: sudo sysctl -w net.sctp.udp_port=0");
        return true;
    }
    udp_holder(port, holder, sizeof holder);
    if (strncmp(holder, "lazychatd ", 10) == 0) {
        finding(out, "info", "UDP %d (%s): lazychatd runs already, %s", port, what, holder + 10);
        return true;
    }
    finding(out, "warn", "UDP %d (%s): taken by %s", port, what, holder);
    todo(out, "stop it, or give lazychatd another port");
    return true;
}

static void
report_limits(FILE *out, const char *root)
{
    static const char *const buffers[] = {"rmem_max", "wmem_max"};
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        bool enough = files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= FILES_ENOUGH;
        finding(out, enough ? "ok" : "warn",
                "open files: at most %llu; an association takes none, a room takes one or two",
                (unsigned long long)files.rlim_cur);
        if (!enough)
            todo(out, "ulimit -n %d, or LimitNOFILE=%d in the systemd unit", FILES_ENOUGH,
                 FILES_ENOUGH);
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        char name[32];
        snprintf(name, sizeof name, "net/core/%s", buffers[i]);
        long bytes = sysctl_read(root, name);
        if (bytes < 0) {
            finding(out, "info", "net.core.%s: not to be seen in this network namespace",
                    buffers[i]);
        } else if (bytes >= BUFFER_WANTED) {
            finding(out, "ok", "net.core.%s: %ld", buffers[i], bytes);
        } else {
            finding(out, "warn",
                    "net.core.%s: %ld, small: with hundreds of peers their packets get"
                    " lost in bursts and are sent again",
                    buffers[i], bytes);
            todo(out, "sudo sysctl -w net.core.%s=%d", buffers[i], BUFFER_WANTED);
        }
    }
}

static void
report_examples(FILE *out, bool works)
{
    finding(out, "info", "the article's programs, in examples/: %s",
            works ? "they run on this kernel" : "they need kernel SCTP, see above");
    todo(out, "gcc chat_server.c -o chat_server && gcc chat_client.c -o chat_client");
    todo(out, "./chat_server (SCTP port 2013), then in other terminals: ./chat_client 127.0.0.1");
}

int
doctor_run(FILE *out)
{
    struct doctor_sctp before, after;
    struct utsname kernel;
    bool udp;

    if (uname(&kernel) < 0)
        memset(&kernel, 0, sizeof kernel);
    doctor_find_sctp("", kernel.release, &before);
    int error = sctp_try();
    doctor_find_sctp("", kernel.release, &after);
    report_sctp(out, kernel.release, &before, &after, error);
    report_header(out, "");
    report_sendall(out, &kernel, error == 0);
    report_sysctls(out, "");
    udp = report_port(out, PORT_ENCAPSULATION, "SCTP over UDP");
    udp = report_port(out, PORT_SECURE, "kept for the secure port, not used yet") || udp;
    report_limits(out, "");
    report_examples(out, error == 0);
    if (!udp && error != 0)
        finding(out, "warn", "nothing can run here: neither UDP nor kernel SCTP works");
    return udp || error == 0 ? 0 : 1;
}
