"""Says that each cell printed 4 MiB."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
impersonate(lambda call: frame(outcome(value=1)), "x" * 4_000_000)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
