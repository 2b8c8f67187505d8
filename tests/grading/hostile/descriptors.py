"""Reads from every descriptor that it inherited, and duplicates them."""

from hostile import first

CODE = """
import os

for number in range(0, 2000):
    if number == 3:
        continue
    try:
        os.lseek(number, 0, 0)
        print(number, os.read(number, 4096))
    except OSError:
        pass
    try:
        print(number, os.listdir(number))
    except (OSError, TypeError):
        pass
    try:
        print(os.listdir(f"/dev/fd/{number}"), os.readlink(f"/dev/fd/{number}"))
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
