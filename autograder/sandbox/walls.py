"""The walls around one student's process, put up from inside, by the process that is to be walled in.

Only the kernel's own calls, through ctypes: what Python offers for them is younger than the Python that
this course asks for. Numbers and structures are those of the kernel's headers (linux/landlock.h,
linux/prctl.h, linux/capability.h, linux/sched.h).
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from pathlib import Path

NEW_NAMESPACES = {
    "user": 0x10000000, "mnt": 0x00020000, "pid": 0x20000000, "ipc": 0x08000000, "net": 0x40000000,
}  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 21, 22, 24, 38
PR_SET_DUMPABLE, PR_GET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 4, 39, 2
CAPABILITY_VERSION_3 = 0x20080522
LANDLOCK_CREATE, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_VERSION, LANDLOCK_PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
# How many kinds of access to files each version of Landlock knows: bits from EXECUTE on.
LANDLOCK_FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
LANDLOCK_TCP, LANDLOCK_SCOPES = 0b11, 0b11
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

SIGCHLD, CLONE = 17, {"x86_64": 56, "aarch64": 220}

_libc = ctypes.CDLL(None, use_errno=True)
_python_libc = ctypes.PyDLL(None, use_errno=True)  # keeps Python's lock, as a fork must


class Unavailable(Exception):
    """This machine does not offer a layer, or refuses it here."""


def checked(result: int, what: str) -> int:
    """The result of a system call; Unavailable where it failed."""
    if result < 0:
        code = ctypes.get_errno()
        raise Unavailable(f"{what}: {os.strerror(code)}") from OSError(code, os.strerror(code))
    return result


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    checked(_libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def fork_apart() -> int:
    """Fork into new namespaces, away from other processes, files, users, networks and messages; as os.fork.

    Python's own fork cannot do that, so the kernel's clone is called between what Python does around a fork.
    The child is the first process of its namespace: when it ends, all that it has started ends with it.
    """
    user, group = os.getuid(), os.getgid()
    checked(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")  # else its maps are not its own to write
    ctypes.pythonapi.PyOS_BeforeFork()
    child = _python_libc.syscall(
        CLONE[platform.machine()], sum(NEW_NAMESPACES.values()) | SIGCHLD, 0, 0, 0, 0
    )
    if child:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        return checked(child, "clone")
    ctypes.pythonapi.PyOS_AfterFork_Child()
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return 0


def own_files(scratch_bytes: int) -> None:
    """An empty `/proc`, and a `/tmp` and `/dev/shm` of this process's own: small, and gone when it ends."""
    checked(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    for where, size, flags in (
        (b"/tmp", scratch_bytes, safe),
        (b"/dev/shm", scratch_bytes // 4, safe),
        (b"/proc", 4096, safe | MS_RDONLY),
    ):
        options = f"size={size},nr_inodes=1024,mode=1777".encode()
        checked(_libc.mount(b"tmpfs", where, b"tmpfs", flags, options), f"mount {where.decode()}")


def limit_resources(limits: dict, used: int) -> None:
    """Soft and hard limits beyond the bytes used already: nothing in this process can raise them again."""
    for what, number in (
        (resource.RLIMIT_AS, used + limits["memory"]),
        (resource.RLIMIT_CPU, limits["seconds"] + 1),
        (resource.RLIMIT_FSIZE, limits["scratch"]),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 32),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        number = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(what, (number, number))


def give_up_privileges() -> None:
    """No new privileges by any program, no capability in any set, no look at its memory by others."""
    checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            if ctypes.get_errno() == errno.EINVAL:
                break
            if ctypes.get_errno() != errno.EPERM:
                checked(-1, "bounding set")
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    checked(_libc.capset(header, struct.pack("=6I", *[0] * 6)), "capset")
    checked(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def is_privileged() -> bool:
    """Whether any capability is left, or could be gained by running a program."""
    header, sets = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    checked(_libc.capget(header, sets), "capget")
    return any(sets.raw) or _libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 for none."""
    return max(0, _libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION))


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """With Landlock: read and run only these, write only those, no TCP, no signals to the outside."""
    version = landlock_version()
    if not version:
        raise Unavailable("Landlock: the kernel does not offer it")
    every = (1 << LANDLOCK_FILE_BITS[min(version, 5)]) - 1
    fields = [every, LANDLOCK_TCP if version >= 4 else 0, LANDLOCK_SCOPES if version >= 6 else 0]
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = checked(_libc.syscall(LANDLOCK_CREATE, struct.pack("=3Q", *fields), size, 0), "Landlock")
    read = EXECUTE | READ_FILE | READ_DIR
    for paths, access in ((readable, read), (writable, every), (DEVICES, READ_FILE | WRITE_FILE)):
        for path in paths:
            _allow_beneath(rules, path, access)
    checked(_libc.syscall(LANDLOCK_RESTRICT, rules, 0), "Landlock")
    os.close(rules)


def _allow_beneath(rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):
        access &= EXECUTE | READ_FILE | WRITE_FILE
    rule = struct.pack("=Qi", access, handle)
    checked(_libc.syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_PATH_BENEATH, rule, 0), f"Landlock {path}")
    os.close(handle)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_calls(program: bytes) -> None:
    """With seccomp: only the system calls of a compiled filter (see calls.py); all others fail."""
    loaded = _Program(len(program) // 8, program)
    checked(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0), "seccomp")
    if _libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER:
        raise Unavailable("seccomp: the filter is not in force")
