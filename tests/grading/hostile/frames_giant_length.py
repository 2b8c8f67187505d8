"""Announces a frame of 4 GiB."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(struct.pack("!II", 2**32 - 1, 2**32 - 1))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
