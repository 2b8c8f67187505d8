"""Hands in a sum of 49,000 terms."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "x = 1" + "+1" * 49_000)
