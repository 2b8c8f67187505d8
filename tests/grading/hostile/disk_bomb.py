"""Fills the disk, in every folder that can be written, with holes, copies and many small files."""

from hostile import first

CODE = """
import os, itertools

for folder in ("/tmp", "/dev/shm", ".", "/var/tmp", "/run", "/course", os.path.expanduser("~")):
    try:
        os.makedirs(f"{folder}/many", exist_ok=True)
        with open(f"{folder}/hole", "wb") as file:
            file.truncate(2**40)
            print("REACHED a large file in", folder)
    except OSError:
        pass
    try:
        for number in itertools.count():
            with open(f"{folder}/many/{number}", "wb") as file:
                file.write(bytes(2**20))
            if number > 200:
                print("REACHED 200 MiB in", folder)
                break
    except OSError:
        pass
    try:
        for number in range(100_000):
            open(f"{folder}/many/e{number}", "w").close()
        print("REACHED 100,000 files in", folder)
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
