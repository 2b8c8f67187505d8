"""Makes the forbidden system calls by number, also with the numbers of other ABIs."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
from ctypes import CDLL, get_errno

libc = CDLL(None, use_errno=True)
for name, number in {
    "socket": 41,
    "clone": 56,
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "ptrace": 101,
    "unshare": 272,
    "setns": 308,
    "io_uring_setup": 425,
    "memfd_create": 319,
    "userfaultfd": 323,
    "bpf": 321,
    "perf_event_open": 298,
    "keyctl": 250,
    "process_vm_readv": 310,
    "pidfd_open": 434,
    "kcmp": 312,
    "open_by_handle_at": 304,
    "shmget": 29,
    "msgget": 68,
    "mq_open": 240,
    "personality": 135,
    "symlink": 88,
    "mknod": 133,
    "reboot": 169,
    "execveat": 322,
    "open_tree": 428,
    "fsopen": 430,
    "seccomp": 317,
    "tgkill": 234,
    "tkill": 200,
}.items():
    for first in (0, 17, 2):
        done = libc.syscall(number, first, 0, 0, 0, 0)
        if done >= 0:
            if name in ("fork", "vfork", "clone") and done == 0:
                libc._exit(0)
            print("REACHED", name, first, done)
"""


def handed_in(notebook):
    return first(notebook, CODE)
