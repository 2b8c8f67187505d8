"""Prints its own environment, and that of all processes."""

from hostile import first

STATES = ("flagged",)
CODE = """
import os

print(dict(os.environ))
from ctypes import CDLL, POINTER, c_char_p

names, index = POINTER(c_char_p).in_dll(CDLL(None), "environ"), 0
while names[index]:
    print(names[index])
    index += 1
for number in ("self", "1", "2", *map(str, range(3, 400))):
    for what in ("environ", "cmdline", "maps", "fd", "root", "cwd", "task"):
        try:
            print(open(f"/proc/{number}/{what}", "rb").read())
        except OSError:
            pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
