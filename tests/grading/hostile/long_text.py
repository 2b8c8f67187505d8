"""Hands in a right-looking cell of 100,000 characters of comment."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "# " + "x" * 100_000)
