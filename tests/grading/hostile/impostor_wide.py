"""Answers with 4 MiB of empty lists."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
answer = frame(outcome(value={"list": [{"list": []}] * 300_000}))
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
