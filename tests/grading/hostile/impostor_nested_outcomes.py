"""Answers with outcomes inside outcomes."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
inner = outcome()
for _ in range(150):
    inner = outcome(steps={"tuple": [inner]})
impersonate(lambda call: frame(inner))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
