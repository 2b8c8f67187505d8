"""Reads what other students left in /tmp, /dev/shm and shared memory."""

from hostile import first

CODE = """
import os

for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue"):
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        try:
            print(open(os.path.join(folder, name)).read())
        except Exception:
            pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
