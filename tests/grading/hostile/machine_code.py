"""Runs machine code that makes 32-bit system calls (int 0x80), which 64-bit filters forget."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
import ctypes, mmap

page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("b802000000cd80c3"))  # mov eax, 2 (fork of i386); int 0x80; ret
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
done = function()
if done >= 0:
    print("REACHED a process", done)
"""


def handed_in(notebook):
    return first(notebook, CODE)
