"""Answers with errors whose type and text have 2 MiB each."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
answer = frame(outcome(error={"tuple": ["E" * 2_000_000, "m" * 2_000_000]}))
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
