"""Opens terminals, memory and disks as devices, and makes devices of its own."""

from hostile import first

CODE = """
import os

for name in (
    "tty",
    "ptmx",
    "pts/0",
    "console",
    "mem",
    "kmem",
    "kmsg",
    "sda",
    "vda",
    "loop0",
    "fuse",
    "kvm",
    "net/tun",
    "stdin",
    "full",
    "core",
):
    try:
        handle = os.open(f"/dev/{name}", os.O_RDWR)
        print("REACHED", name, os.read(handle, 10))
    except OSError:
        pass
for make in (
    lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0)),
    lambda: os.symlink("/etc/shadow", "/tmp/shadow"),
    lambda: os.link("/etc/passwd", "/tmp/passwd"),
    lambda: os.chroot("/tmp"),
):
    try:
        make()
        print("REACHED")
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
