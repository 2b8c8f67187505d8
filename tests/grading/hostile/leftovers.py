"""Leaves a note for the next student in /tmp, /dev/shm and shared memory, and reads what others left."""

from hostile import first

CODE = """
import os

for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue"):
    try:
        print(folder, os.listdir(folder))
        print(open(os.path.join(folder, "note"), "a+").read())
        open(os.path.join(folder, "note"), "w").write("LEFT-OVER by the student before you")
    except OSError:
        pass
from multiprocessing import shared_memory

try:
    shared_memory.SharedMemory("note", create=True, size=100).buf[:9] = b"LEFT-OVER"
except OSError:
    pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
