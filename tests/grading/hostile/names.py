"""Hands in a cell that uses 14,000 different names."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "\n".join(f"a{number}" for number in range(14_000)))
