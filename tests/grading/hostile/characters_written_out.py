"""Hands in a reference to a character with 10,000 digits."""

from hostile import first

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    return first(notebook, "if &#" + "9" * 10_000 + ";:")
