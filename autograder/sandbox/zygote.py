"""A process with all libraries loaded that forks one child for each submission. It knows no secret.

It is started inside the bubble (bubble.py) with one end of a socket, its control. The first message on it
tells what to import and which user to become; each further one comes with two descriptors, a channel to
the student's process and a status on which only our own code writes, and makes a child.

The child is walled in, reports on its walls, and only then is the student's. The zygote ends it at its
deadline, or when the grader hangs up, and says on the status how it ended.
"""

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.exercises.namespace import guard
from autograder.sandbox import student, walls

LARGEST = 2**20
MADV_COLLAPSE = 25


def main(control: socket.socket) -> None:
    told = json.loads(control.recv(LARGEST))
    if told["user"] is not None:
        os.setgroups([])
        os.setresgid(*[told["user"]] * 3)
        os.setresuid(*[told["user"]] * 3)
    walls.die_with_parent()
    for name in told["imports"]:
        _import(name)
    student.warm_up()
    for name in [name for name in sys.modules if name.split(".")[0] == "autograder"]:
        del sys.modules[name]  # who imports it now gets another copy, and changes nothing here
    _make_forks_cheap()
    control.send(json.dumps({"ready": os.getpid()}).encode())
    _Zygote(control, b64decode(told["filter"])).run()


@dataclass(frozen=True)
class _Child:
    """A student's process, the status to speak on, and when it must have ended."""

    process: int
    status: int
    deadline: float


class _Zygote:
    def __init__(self, control: socket.socket, filtered: bytes):
        self.control, self.filtered = control, filtered
        self.children: dict[int, _Child] = {}  # by a descriptor of the process
        self.watched = select.poll()
        self.watched.register(control, select.POLLIN)
        self.guarded = False

    def run(self) -> None:
        """Fork, watch and bury, until the grader lets go of the control."""
        while True:
            soonest = min((child.deadline for child in self.children.values()), default=None)
            left = None if soonest is None else max(0, 1000 * (soonest - time.monotonic()))
            for descriptor, _ in self.watched.poll(left):
                if descriptor == self.control.fileno():
                    self._fork()
                elif descriptor in self.children:
                    self._bury(descriptor)
            now = time.monotonic()
            for child in self.children.values():
                if child.deadline <= now or self._hung_up(child.status):
                    os.kill(child.process, signal.SIGKILL)

    def _fork(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self.control, LARGEST, 2)
        if not message:
            os._exit(0)
        limits = json.loads(message)
        channel, status = descriptors
        if not self.guarded:
            guard(limits["guarded"])
            self.guarded = True
        report = {"up": [], "missing": {}}
        try:
            process = walls.fork_apart()
            report["up"].append("namespaces")
        except (walls.Unavailable, KeyError) as error:
            report["missing"]["namespaces"] = str(error)
            process = os.fork()
        if process == 0:
            _in_child(_be_walled_in, limits, self.filtered, channel, status, report)
        os.close(channel)
        handle = os.pidfd_open(process)
        self.children[handle] = _Child(process, status, time.monotonic() + limits["seconds"] + 10)
        self.watched.register(handle, select.POLLIN)
        self.watched.register(status, 0)  # a hang-up is always reported

    def _hung_up(self, status: int) -> bool:
        asked = select.poll()
        asked.register(status, 0)
        return bool(asked.poll(0))

    def _bury(self, handle: int) -> None:
        child = self.children.pop(handle)
        self.watched.unregister(handle)
        self.watched.unregister(child.status)
        _, state, usage = os.wait4(child.process, 0)
        ended = {"code": os.waitstatus_to_exitcode(state), "seconds": usage.ru_utime + usage.ru_stime}
        with suppress(OSError):  # the grader may have hung up
            told = json.dumps({"ended": {**ended, "peak": usage.ru_maxrss * 1024}})
            os.write(child.status, told.encode() + b"\n")
        os.close(child.status)
        os.close(handle)


def _make_forks_cheap() -> None:
    """Lay out this process's memory so that a child copies as little of it as possible."""
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    for size in (4096, 1024, 256, 64, 24):  # fill the gaps, so that a child writes to pages of its own
        for _ in range(2**20 // size):
            libc.malloc(ctypes.c_size_t(size))
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, inode, *_ = line.split()
        if (rights, inode) == ("rw-p", "0"):  # huge pages: of these a fork copies one entry, not 512
            start, end = (int(bound, 16) for bound in span.split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_COLLAPSE)


def _import(name: str) -> None:
    """Load a library beforehand; one that is missing will be missed by who asks for it."""
    with suppress(ImportError):
        importlib.import_module(name)


def _in_child(run, *arguments) -> None:
    """Run a function as all that a forked process does."""
    try:
        run(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _be_walled_in(limits: dict, filtered: bytes, channel: int, status: int, report: dict) -> None:
    """Put up the remaining walls, tell which stand, and answer what is asked on the channel."""
    walls.die_with_parent()
    channel, status = _only(channel, status)
    report["namespaces"] = {n: os.readlink(f"/proc/self/ns/{n}") for n in ("mnt", "ipc", "net", "user")}
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    if "namespaces" in report["up"]:
        _wall(report, "files", walls.own_files, limits["scratch"])
    writable = ["/tmp", "/dev/shm"] if "files" in report["up"] else limits["writable"]
    os.chdir(writable[0])
    report["process"], report["user"] = os.getpid(), os.getuid()
    _wall(report, "limits", walls.limit_resources, limits, used)
    _wall(report, "privileges", walls.give_up_privileges)
    privileged = walls.is_privileged()
    _wall(report, "landlock", walls.restrict_files, limits["readable"], writable)
    _wall(report, "seccomp", walls.filter_calls, filtered)
    report["possible"] = [*_possible(), *["more privileges"] * privileged]
    os.write(status, json.dumps({"walls": report}).encode() + b"\n")
    os.close(status)
    student.serve(channel)


def _only(channel: int, status: int) -> tuple[int, int]:
    """Keep these two descriptors, as 3 and 4, and nothing else; the standard ones lead nowhere."""
    high = [os.dup2(channel, 1000), os.dup2(status, 1001)]
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for low, descriptor in zip((3, 4), high, strict=True):
        os.dup2(descriptor, low)
    os.closerange(5, 65536)
    return 3, 4


def _wall(report: dict, name: str, put_up, *arguments) -> None:
    """Put up one layer and note that it stands, or why not."""
    try:
        put_up(*arguments)
        report["up"].append(name)
    except (walls.Unavailable, OSError, ValueError) as error:
        report["missing"][name] = str(error)


def _possible() -> list[str]:
    """What is still possible here, tried: each must fail, whatever was reported."""
    tries = {
        "a socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "a new process": lambda: os.fork() or os._exit(0),
        "a signal to others": lambda: os.kill(-1, 0),
        "a look at processes": lambda: Path("/proc/self/status").read_text(),
        "writing outside": lambda: os.close(os.open("/usr/sandboxed", os.O_WRONLY | os.O_CREAT)),
        "writing to a device": lambda: os.close(os.open("/dev/full", os.O_WRONLY)),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
    }
    possible = []
    for what, attempt in tries.items():
        try:
            attempt()
            possible.append(what)
        except (OSError, ValueError):
            pass
    return possible


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
