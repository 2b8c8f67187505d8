"""Which system calls a student's process may make: a filter for seccomp, compiled by libseccomp.

What is not named here fails with "operation not permitted": every socket, every new process, signals to
others, mounts, tracing, io_uring, memory without an address, the kernel's keys. Threads are allowed.
"""

import errno
import tempfile

ALLOWED = (
    # memory
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "membarrier",
    # files
    "open", "openat", "close", "close_range", "read", "pread64", "readv", "preadv", "preadv2", "write",
    "pwrite64", "writev", "pwritev", "lseek", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs",
    "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
    "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
    "renameat2", "ftruncate", "truncate", "fallocate", "fsync", "fdatasync", "flock", "dup", "dup2",
    "dup3", "pipe", "pipe2", "umask", "chmod", "fchmod", "fchmodat", "utimensat", "fadvise64", "sendfile",
    "copy_file_range", "fcntl",
    # waiting
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "eventfd", "eventfd2", "futex", "nanosleep", "clock_nanosleep", "sched_yield", "pause",
    "restart_syscall",
    # time
    "clock_gettime", "clock_getres", "gettimeofday", "time", "times",
    # itself
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid",
    "getresgid", "getpgrp", "getpgid", "getsid", "uname", "sysinfo", "getrusage", "getrlimit",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "getcpu", "getrandom", "set_robust_list",
    "get_robust_list", "set_tid_address", "arch_prctl", "rseq", "exit", "exit_group",
    # signals to itself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
    "sigaltstack", "alarm", "setitimer", "getitimer",
)  # fmt: skip
CLONE_THREAD, AF_UNIX = 0x00010000, 1
PR_GET_SECCOMP, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, FIONBIO, FIOCLEX, TCGETS = (
    21, 15, 16, 0x53564D41, 0x5421, 0x5451, 0x5401,
)  # fmt: skip


def compiled() -> bytes:
    """The filter, for this machine's processor; ImportError or RuntimeError where libseccomp is missing."""
    import pyseccomp as seccomp

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in ALLOWED:
        _allow(seccomp, rules, name)
    thread = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    _allow(seccomp, rules, "clone", thread)
    _allow(seccomp, rules, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0))
    _allow(seccomp, rules, "socketpair", seccomp.Arg(0, seccomp.EQ, AF_UNIX))
    # Its flags lie in memory, where a filter cannot look: the C library then asks for `clone` instead.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    for option in (PR_GET_SECCOMP, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA):
        _allow(seccomp, rules, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    for request in (FIONBIO, FIOCLEX, TCGETS):
        _allow(seccomp, rules, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _allow(seccomp, rules, name: str, *arguments) -> None:
    """Allow a call; on a processor that does not have it there is nothing to allow."""
    try:
        rules.add_rule(seccomp.ALLOW, name, *arguments)
    except OSError:
        return
