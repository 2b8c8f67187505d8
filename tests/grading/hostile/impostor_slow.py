"""Answers one byte at a time, each just in time."""

from hostile import IMPOSTOR, first

STATES = ("student fault", "flagged")
CODE = """
import time


def answer(call):
    for byte in frame(outcome(value=1)):
        put(bytes([byte]))
        time.sleep(0.9)
    return b""


impersonate(answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
