/* uml-amx.c owns one repair: User-Mode Linux 6.1 on a processor with AMX.  with-sctp compiles it
 * and has the dynamic linker put it in front of libc's ptrace.
 *
 * User-Mode Linux sets the floating-point registers of its processes with PTRACE_SETREGSET and a
 * buffer made for AVX-512 at most.  The kernel below wants the whole of the processor's state or
 * nothing: with AMX, 8 KiB of tiles more, the answer is EFAULT and the first process dies ("ptrace
 * set fp regs failed, errno = 14").  So lengthen the buffer with tiles that are in their initial
 * state, which is the truth: no process in there can have asked for AMX. */

#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* XSTATE_BV, the bit set of components that are not in their initial state, opens the XSAVE header
 * (Intel SDM 1, 13.4.2). */
enum { XSTATE_BV = 512, XSTATE_MAX = 65536 };
static const uint64_t amx_components = 3ULL << 17;

static long (*libc_ptrace)(enum __ptrace_request, ...);

/* Not on first use: the stacks of that kernel are small. */
__attribute__((constructor)) static void
find_libc_ptrace(void)
{
    *(void **)&libc_ptrace = dlsym(RTLD_NEXT, "ptrace");
}

static long
set_xstate(pid_t pid, struct iovec *given)
{
    static _Alignas(64) unsigned char state[XSTATE_MAX];
    static size_t size;
    struct iovec whole = {state, sizeof state};
    uint64_t present;

    if (size == 0) {
        if (libc_ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &whole) < 0)
            return -1;
        size = whole.iov_len;
    }
    if (given->iov_len >= size)
        return libc_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, given);
    memset(state + given->iov_len, 0, size - given->iov_len);
    memcpy(state, given->iov_base, given->iov_len);
    memcpy(&present, state + XSTATE_BV, sizeof present);
    present &= ~amx_components;
    memcpy(state + XSTATE_BV, &present, sizeof present);
    whole.iov_len = size;
    return libc_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

long
ptrace(enum __ptrace_request request, ...)
{
    va_list ap;
    pid_t pid;
    void *addr, *data;

    va_start(ap, request);
    pid = va_arg(ap, pid_t);
    addr = va_arg(ap, void *);
    data = va_arg(ap, void *);
    va_end(ap);
    if (request == PTRACE_SETREGSET && (uintptr_t)addr == NT_X86_XSTATE)
        return set_xstate(pid, data);
    return libc_ptrace(request, pid, addr, data);
}
