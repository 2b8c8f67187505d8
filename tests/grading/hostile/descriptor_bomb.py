"""Opens descriptors and fills the buffers of pipes without end."""

from hostile import first

STATES = ("graded", "student fault")
CODE = """
import fcntl, os

held = []
try:
    while True:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        held.append((reader, writer))
        try:
            fcntl.fcntl(writer, 1031, 2**30)
        except OSError:
            pass
        try:
            while True:
                os.write(writer, bytes(2**20))
        except BlockingIOError:
            pass
except OSError:
    print(len(held))
"""


def handed_in(notebook):
    return first(notebook, CODE)
