"""Sends JSON that is nested 100,000 deep."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame(b"[" * 100_000))
put(frame(b'{"list":[' * 100_000))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
