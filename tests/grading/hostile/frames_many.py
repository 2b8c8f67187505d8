"""Sends 200,000 right-looking answers before any question."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
one = frame(outcome(value=True, device="input"))
for _ in range(200):
    put(one * 1000)
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
