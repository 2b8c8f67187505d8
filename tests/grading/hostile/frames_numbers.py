"""Sends integers of a million digits."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame(b'{"list": [' + b"9" * 1_000_000 + b"]}"))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
