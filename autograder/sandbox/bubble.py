"""Starting a zygote inside bubblewrap: with what Python needs of this machine, and nothing of the course.

Where bubblewrap does not run, the zygote is started bare, and Landlock alone decides what can be read.
"""

import functools
import json
import os
import platform
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from autograder.chapters import ROOT, chapter_paths
from autograder.sandbox import calls, walls

INSIDE = Path("/course")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives")
# What the parts of the course that a student's process sees are: its own code, and what chapters import.
OURS = ("autograder/__init__.py", "autograder/sandbox", "autograder/exercises/namespace.py", "companion")
LIBRARIES = (
    "torch", "torch._dynamo", "torch.optim", "torch._subclasses.fake_tensor",
    "torch._subclasses.schema_check_mode", "numpy", "jaxtyping",
    "matplotlib.pyplot", "matplotlib.backends.backend_svg", "IPython.display",
    "IPython.core.inputtransformer2", "companion.figures", "companion.explorers", "safetensors.torch",
)  # fmt: skip
NOBODY = 64_000
PATIENCE = 120


class NoSandbox(Exception):
    """A student's process cannot be walled in on this machine."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds for a cell or a question, seconds in all, bytes."""

    step: int = 20
    seconds: int = 60
    memory: int = 2**30
    scratch: int = 64 * 2**20


@dataclass(frozen=True)
class Offer:
    """What this machine offers: by layer, "" where it works and else why it does not."""

    layers: dict[str, str]

    @property
    def bubble(self) -> bool:
        return not self.layers["bubblewrap"]


@functools.cache
def probed() -> Offer:
    """Try what each layer needs, once for each process."""
    return Offer({"bubblewrap": _bubblewrap(), "seccomp": _seccomp(), "landlock": _landlock()})


def _bubblewrap() -> str:
    if platform.system() != "Linux":
        return f"it exists on Linux only, and this is {platform.system()}"
    if not shutil.which("bwrap"):
        return "it is not installed: apt-get install bubblewrap (or your system's package of that name)"
    tried = subprocess.run([*_bare_bubble(), "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else (tried.stderr.strip().splitlines() or ["it does not run"])[-1]


def _seccomp() -> str:
    try:
        calls.compiled()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{error}: pip install pyseccomp, apt-get install libseccomp2"
    return ""


def _landlock() -> str:
    if platform.system() != "Linux":
        return f"it exists on Linux only, and this is {platform.system()}"
    return "" if walls.landlock_version() else "the kernel does not offer it: Linux 5.13 or later does"


_zygotes: dict[str, "Zygote"] = {}


def zygote_of(topic: str) -> "Zygote":
    """This process's zygote for a topic, started where there is none; processes forked later share it."""
    if topic in _zygotes and not _zygotes[topic].alive():
        end_zygote(topic)
    if topic not in _zygotes:
        _zygotes[topic] = Zygote(topic)
    return _zygotes[topic]


def end_zygote(topic: str) -> None:
    """End this process's zygote for a topic, or let go of one that it shares."""
    if zygote := _zygotes.pop(topic, None):
        zygote.close()


class Zygote:
    """A running zygote. `fork` makes a student's process; leaving the `with` statement ends all of them."""

    def __init__(self, topic: str):
        self.topic = topic
        self.offer = probed()
        self.owner = os.getpid()
        if not self.offer.bubble and (self.offer.layers["seccomp"] or self.offer.layers["landlock"]):
            lacking = "; ".join(f"{name}: {why}" for name, why in self.offer.layers.items() if why)
            raise NoSandbox(f"students' code cannot be walled in here ({lacking})")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [sys.executable, "-s", "-m", "autograder.sandbox.zygote", str(theirs.fileno())]
        command = [*_bubble(topic), *program] if self.offer.bubble else program
        environment = dict(ENVIRONMENT) if self.offer.bubble else _bare_environment()
        with theirs:
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self.control = ours
        filtered = b"" if self.offer.layers["seccomp"] else calls.compiled()
        told = {
            "user": NOBODY if os.getuid() == 0 and self._readable_by_all() else None,
            "filter": b64encode(filtered).decode(),
        }
        self.control.send(json.dumps({**told, "imports": [*LIBRARIES, *_earlier(topic)]}).encode())
        self.ready = False

    def _readable_by_all(self) -> bool:
        """Whether anybody may read Python and the course; in the bubble all directories are open."""
        places = [*_python_paths(), str(ROOT)]
        above = {parent for place in places for parent in [Path(place), *Path(place).parents]}
        return self.offer.bubble or all(path.stat().st_mode & 0o001 for path in above)

    def wait(self) -> None:
        """Wait until all libraries are loaded; NoSandbox where it does not start."""
        if self.ready:
            return
        self.control.settimeout(PATIENCE)
        try:
            self.ready = bool(self.control.recv(4096))
        except OSError:
            self.ready = False
        if not self.ready:
            self.process.kill()
            said = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            self.close()
            raise NoSandbox(f"the sandbox does not start: {said[-1] if said else 'it says nothing'}")

    def fork(self, limits: dict) -> tuple[socket.socket, socket.socket]:
        """A new student's process: its channel, and the status on which only our own code writes."""
        self.wait()
        pairs = [socket.socketpair() for _ in range(2)]
        paths = {"readable": _readable(self.offer.bubble), "writable": ["/tmp"]}
        try:
            theirs = [pair[1].fileno() for pair in pairs]
            socket.send_fds(self.control, [json.dumps({**limits, **paths}).encode()], theirs)
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            raise NoSandbox("the sandbox has ended") from error
        finally:
            for _, theirs in pairs:
                theirs.close()
        return pairs[0][0], pairs[1][0]

    def alive(self) -> bool:
        """Whether it runs."""
        return not self.ended_within(0)

    def ended_within(self, seconds: float) -> bool:
        """Whether it has ended, or ends while we look: then its side of the control is closed."""
        watched = select.poll()
        watched.register(self.control, 0)
        return bool(watched.poll(1000 * seconds))

    def close(self) -> None:
        """Let go of it; in the process that started it, end it and all students' processes."""
        self.control.close()
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(self, *error) -> None:
        self.close()


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "PYTHONPATH": str(INSIDE),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "TORCHDYNAMO_DISABLE": "1",
}


def _bare_environment() -> dict[str, str]:
    return {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}


def _bare_bubble() -> list[str]:
    """bubblewrap's command with every namespace and the system's own files."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    # Root needs no namespace of users to set this up; the zygote then becomes somebody else.
    if os.getuid() == 0:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            command += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    for path in ETC:
        command += ["--ro-bind-try", path, path]
    return [
        *command,
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--perms",
        "1777",
        "--tmpfs",
        "/tmp",
        "--chdir",
        "/tmp",
    ]


def _bubble(topic: str) -> list[str]:
    """bubblewrap's command for a topic: Python and its libraries besides, and what the class received."""
    command = _bare_bubble()
    for path in _python_paths():
        command += _bound(Path(path), Path(path))
    for hidden in _hidden():
        command += ["--tmpfs", hidden]
    for path in OURS:
        command += _bound(ROOT / path, INSIDE / path)
    for module in ("__init__", *[name.removeprefix("solutions.") for name in _earlier(topic)]):
        if (source := ROOT / "solutions" / f"{module}.py").is_file():
            command += _bound(source, INSIDE / "solutions" / source.name)
    return [*command, "--remount-ro", "/", "--remount-ro", "/dev", "--"]


def _bound(source: Path, inside: Path) -> list[str]:
    """Show a path inside; bubblewrap alone would let only root pass through the directories above it."""
    above = [
        word for path in reversed(inside.parents[:-1]) for word in ("--perms", "0755", "--dir", str(path))
    ]
    return [*above, "--ro-bind", str(source), str(inside)]


def _python_paths() -> list[str]:
    """Where Python and its libraries lie, outermost directories only, as far as they are not the system's."""
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    places |= {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    outermost: list[str] = []
    for place in sorted(places, key=len):
        if not any(Path(place).is_relative_to(other) for other in [*SYSTEM, *outermost]):
            outermost.append(place)
    return outermost


def _hidden() -> list[str]:
    """Our own packages, where they lie among the libraries."""
    homes = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    packages = [os.path.join(home, name) for home in homes for name in ("autograder", "solutions")]
    return [path for path in packages if os.path.isdir(path)]


def _earlier(topic: str) -> list[str]:
    """The solutions that a class has received with a topic: those of the chapters before it."""
    before = [path.stem[3:] for path in chapter_paths()]
    return [f"solutions.{name}" for name in before[: before.index(topic)]]


@functools.cache
def _readable(bubble: bool) -> list[str]:
    """What Landlock lets a student's process read: in the bubble all there is, else what Python needs."""
    if bubble:
        return ["/"]
    libraries = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    found = [*SYSTEM, *ETC, *[str(ROOT / path) for path in OURS], sysconfig.get_path("stdlib")]
    found += [os.path.dirname(os.path.realpath(sys.executable))]
    for library in set(libraries):
        names = set(os.listdir(library)) - {"autograder", "solutions"}
        found += [os.path.join(library, name) for name in sorted(names)]
    return found
