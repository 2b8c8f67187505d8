"""Makes files in memory that belong to nobody."""

from hostile import first

STATES = ("graded", "flagged")
CODE = """
import os, mmap

for make in (
    lambda: os.memfd_create("a"),
    lambda: os.open("/tmp", os.O_TMPFILE | os.O_RDWR),
    lambda: mmap.mmap(-1, 4 * 2**30),
):
    try:
        made = make()
        if isinstance(made, int):
            os.ftruncate(made, 2**34)
            os.write(made, bytes(2**28))
        print("REACHED")
    except (OSError, ValueError):
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
