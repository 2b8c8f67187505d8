"""Answers with a dictionary whose keys all have the same hash."""

from hostile import IMPOSTOR, first

STATES = ("flagged", "student fault")
CODE = """
keys = {"dict": [[number * (2**61 - 1) + 7, None] for number in range(1, 60_000)]}
answer = frame(outcome(value=keys))
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
