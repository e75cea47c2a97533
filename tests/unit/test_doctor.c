/* test_doctor.c: what `lazychatd doctor` finds in made-up file systems, and what it thinks of
 * kernel versions. The findings about this machine itself differ from machine to machine; of those
 * only the form is tested. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

static const char release[] = "6.1.0-30-amd64";

static int
make_tree(void **state)
{
    char *root = strdup("/tmp/test_doctor.XXXXXX");

    *state = root;
    return root == NULL || mkdtemp(root) == NULL ? -1 : 0;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int
remove_tree(void **state)
{
    nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

/* Writes root + path, making its directories. */
static void
put(const char *root, const char *path, const char *text)
{
    char full[512];
    FILE *file;

    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
put_module(const char *root)
{
    put(root, "/lib/modules/6.1.0-30-amd64/modules.dep",
        "kernel/net/sctp/sctp.ko.xz: kernel/lib/libcrc32c.ko.xz\n");
}

static struct doctor_sctp
find(const char *root)
{
    struct doctor_sctp found;

    doctor_find_sctp(root, release, &found);
    return found;
}

static void
nothing_there_is_absent(void **state)
{
    assert_int_equal(find(*state).module, DOCTOR_ABSENT);
}

static void
other_modules_are_not_sctp(void **state)
{
    put(*state, "/proc/modules", "sctp_diag 16384 0 - Live 0x0\nxt_sctp 16384 0 - Live 0x0\n");
    put(*state, "/lib/modules/6.1.0-30-amd64/modules.dep",
        "kernel/net/netfilter/xt_sctp.ko:\nkernel/net/sctp/sctp_diag.ko:\n");
    assert_int_equal(find(*state).module, DOCTOR_ABSENT);
}

static void
a_loaded_module_is_loaded_whatever_the_rules(void **state)
{
    put_module(*state);
    put(*state, "/proc/modules", "veth 1 0 - Live 0x0\nsctp 450560 4 - Live 0x0\n");
    put(*state, "/etc/modprobe.d/x.conf", "blacklist sctp\n");
    assert_int_equal(find(*state).module, DOCTOR_LOADED);
    assert_string_equal(find(*state).rule, "");
}

static void
sysctls_without_a_module_mean_built_in(void **state)
{
    put(*state, "/proc/sys/net/sctp/sndbuf_policy", "0\n");
    assert_int_equal(find(*state).module, DOCTOR_BUILTIN);
}

static void
modules_builtin_means_built_in(void **state)
{
    put(*state, "/lib/modules/6.1.0-30-amd64/modules.builtin", "kernel/net/sctp/sctp.ko\n");
    assert_int_equal(find(*state).module, DOCTOR_BUILTIN);
}

static void
a_module_without_rules_is_available(void **state)
{
    put_module(*state);
    put(*state, "/etc/modprobe.d/x.conf",
        "# blacklist sctp\nblacklist sctp_diag\ninstall sctp /sbin/modprobe -i sctp\n");
    put(*state, "/etc/modprobe.d/x.conf.bak", "blacklist sctp\n");
    assert_int_equal(find(*state).module, DOCTOR_AVAILABLE);
}

static void
a_blacklist_is_named_with_file_and_line(void **state)
{
    put_module(*state);
    put(*state, "/etc/modprobe.d/sctp-blacklist.conf", "# not needed\n\n  blacklist  sctp  \n");
    struct doctor_sctp found = find(*state);
    assert_int_equal(found.module, DOCTOR_BLACKLISTED);
    assert_string_equal(found.where, "/etc/modprobe.d/sctp-blacklist.conf");
    assert_int_equal(found.line, 3);
    assert_string_equal(found.rule, "blacklist  sctp");
}

static void
install_true_and_false_forbid(void **state)
{
    static const char *const commands[] = {"/bin/true", "/bin/false", "/usr/bin/true", "false"};

    put_module(*state);
    put(*state, "/etc/modprobe.d/a.conf", "blacklist sctp\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char rule[64];
        snprintf(rule, sizeof rule, "install sctp %s\n", commands[i]);
        put(*state, "/lib/modprobe.d/CIS.conf", rule);
        struct doctor_sctp found = find(*state);
        assert_int_equal(found.module, DOCTOR_FORBIDDEN);
        assert_string_equal(found.where, "/lib/modprobe.d/CIS.conf");
    }
}

static void
a_file_in_etc_hides_its_namesake(void **state)
{
    put_module(*state);
    put(*state, "/run/modprobe.d/x.conf", "blacklist sctp\n");
    put(*state, "/lib/modprobe.d/x.conf", "install sctp /bin/false\n");
    assert_string_equal(find(*state).where, "/run/modprobe.d/x.conf");
    put(*state, "/etc/modprobe.d/x.conf", "");
    assert_int_equal(find(*state).module, DOCTOR_AVAILABLE);
}

static void
the_command_line_counts(void **state)
{
    put_module(*state);
    put(*state, "/proc/cmdline", "quiet modprobe.blacklist=floppy,sctp ro\n");
    assert_int_equal(find(*state).module, DOCTOR_BLACKLISTED);
    put(*state, "/proc/cmdline", "quiet module_blacklist=sctp\n");
    struct doctor_sctp found = find(*state);
    assert_int_equal(found.module, DOCTOR_FORBIDDEN);
    assert_int_equal(found.line, 0);
    assert_string_equal(found.rule, "module_blacklist=sctp");
    put(*state, "/proc/cmdline", "module_blacklist=sctp_diag\n");
    assert_int_equal(find(*state).module, DOCTOR_AVAILABLE);
}

static void
kernel_versions_are_compared_within_their_series(void **state)
{
    static const struct {
        const char *release, *version, *fixed_in;
        enum doctor_sendall expected;
    } kernels[] = {
        {"4.16.18", "#1", NULL, DOCTOR_SENDALL_ABSENT},
        {"4.17.0", "#1", NULL, DOCTOR_SENDALL_UNKNOWN},
        {"6.1.174", "#1", "6.1.175", DOCTOR_SENDALL_UNSAFE},
        {"6.1.175", "#1", "6.1.175", DOCTOR_SENDALL_FIXED},
        {"5.10.99", "#1", "5.10.258", DOCTOR_SENDALL_UNSAFE},
        {"6.1.0-30-amd64", "#1 SMP Debian 6.1.124-1 (2025-01-12)", "6.1.175",
         DOCTOR_SENDALL_UNSAFE},
        {"6.1.0-60-amd64", "#1 SMP Debian 6.1.176-1 (2026-07-04)", "6.1.175", DOCTOR_SENDALL_FIXED},
        {"7.2.0", "#1", NULL, DOCTOR_SENDALL_UNKNOWN},
        {"nonsense", "", NULL, DOCTOR_SENDALL_UNKNOWN},
    };
    (void)state;

    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        const char *fixed_in;
        assert_int_equal(doctor_sendall(kernels[i].release, kernels[i].version, &fixed_in),
                         kernels[i].expected);
        if (kernels[i].fixed_in == NULL)
            assert_null(fixed_in);
        else
            assert_string_equal(fixed_in, kernels[i].fixed_in);
    }
}

static void
every_line_is_a_finding_or_something_to_do(void **state)
{
    FILE *out = tmpfile();
    char line[1024];
    bool kernel = false;
    (void)state;

    assert_non_null(out);
    assert_int_equal(doctor_run(out), 0);
    rewind(out);
    while (fgets(line, sizeof line, out) != NULL) {
        assert_true(strncmp(line, "ok   ", 5) == 0 || strncmp(line, "warn ", 5) == 0 ||
                    strncmp(line, "info ", 5) == 0 || strncmp(line, "     do: ", 9) == 0);
        kernel = kernel || strstr(line, " kernel SCTP: ") != NULL;
    }
    assert_true(kernel);
    fclose(out);
}

#define in_tree(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        in_tree(nothing_there_is_absent),
        in_tree(other_modules_are_not_sctp),
        in_tree(a_loaded_module_is_loaded_whatever_the_rules),
        in_tree(sysctls_without_a_module_mean_built_in),
        in_tree(modules_builtin_means_built_in),
        in_tree(a_module_without_rules_is_available),
        in_tree(a_blacklist_is_named_with_file_and_line),
        in_tree(install_true_and_false_forbid),
        in_tree(a_file_in_etc_hides_its_namesake),
        in_tree(the_command_line_counts),
        cmocka_unit_test(kernel_versions_are_compared_within_their_series),
        cmocka_unit_test(every_line_is_a_finding_or_something_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
