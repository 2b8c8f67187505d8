"""Scans its whole memory through ctypes for secrets that were there before the fork."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
import ctypes, os

libc = ctypes.CDLL(None)
step, needle, found = 4096, b"TOP-" + b"SECRET", 0
for start in (id(object) & ~0xFFFFFF, id([]) & ~0xFFFFFF, id(libc) & ~0xFFFFFF):
    reader, writer = os.pipe()
    for page in range(start - (32 << 20), start + (32 << 20), step):
        if libc.write(writer, ctypes.c_void_p(page), step) == step:
            content = os.read(reader, step)
            if needle in content:
                print(content)
    os.close(reader), os.close(writer)
try:
    print(open("/proc/self/mem", "rb").read(10))
except OSError:
    pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
