"""Makes system calls by the numbers of the x32 interface."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
from ctypes import CDLL

for number in (57, 41, 59):
    if CDLL(None).syscall(0x40000000 | number, 2, 2, 0, 0, 0) >= 0:
        print("REACHED", number)
"""


def handed_in(notebook):
    return first(notebook, CODE)
