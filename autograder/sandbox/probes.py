"""What students' code must not be able to do, tried from where it runs. Each probe is run like a cell.

A probe prints what it could do, and nothing where it was stopped.
"""

PROBES = {
    "reach a network": """
import socket
for name in sorted(n for n in dir(socket) if n.startswith("AF_")):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(getattr(socket, name), kind).close()
            print(name)
        except OSError:
            pass
""",
    "read the course": """
import os
for path in {paths!r}:
    try:
        print(path, os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
    except OSError:
        pass
""",
    "import checks or solutions": """
import importlib
for name in {modules!r}:
    try:
        print(importlib.import_module(name).__name__)
    except (ImportError, OSError):
        pass
""",
    "see the grader's environment": """
import hashlib, os
for name, value in os.environ.items():
    if hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest() in {secrets!r}:
        print(name)
""",
    "use a descriptor of the grader": """
import os
for descriptor in range(5, 1024):
    try:
        os.fstat(descriptor)
        print(descriptor)
    except OSError:
        pass
""",
    "see other processes": """
import os
for path in ("/proc/1/cmdline", "/proc/self/maps", "/proc/self/environ"):
    try:
        print(path, open(path, "rb").read(1))
    except OSError:
        pass
try:
    print(*[name for name in os.listdir("/proc") if name.isdigit()])
except OSError:
    pass
""",
    "start a process": """
import os, subprocess
TRUE = "/usr/bin/true"
for start in (os.fork, lambda: subprocess.run([TRUE]), lambda: os.posix_spawn(TRUE, ["true"], {{}})):
    try:
        if start() == 0:
            os._exit(0)
        print("started")
    except (OSError, subprocess.SubprocessError):
        pass
""",
    "send a signal": """
import os
for process in (-1, 1, 2, os.getppid()):
    try:
        os.kill(process, 0)
        print(process)
    except OSError:
        pass
""",
    "write outside of its scratch space": """
import os
for folder in ("/", "/usr", "/course", "/dev", "/etc", "/home", "/var/tmp", "/sys", "/proc"):
    try:
        open(os.path.join(folder, "probe"), "w").close()
        print(folder)
    except OSError:
        pass
""",
    "fill the disk": """
try:
    with open("/tmp/probe", "wb") as file:
        for _ in range(100):
            file.write(bytes({scratch} // 50))
    print("filled")
except OSError:
    pass
""",
    "take all memory": """
try:
    taken = bytearray({memory} * 5 // 4)
    print(len(taken))
except MemoryError:
    pass
""",
    "raise its limits": """
import resource
for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE"):
    try:
        resource.setrlimit(getattr(resource, name), (-1, -1))
        print(name)
    except (OSError, ValueError):
        pass
""",
    "gain privileges": """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for what, result in (
    ("setuid", libc.setuid(0)),
    ("unshare", libc.unshare(0x10000000)),
    ("mount", libc.mount(b"a", b"/tmp", b"tmpfs", 0, 0)),
    ("ptrace", libc.ptrace(16, 1, 0, 0)),
    ("chroot", libc.chroot(b"/tmp")),
    ("keyctl", libc.syscall(250, 0, -3, 0)),
):
    if result >= 0:
        print(what)
""",
}
