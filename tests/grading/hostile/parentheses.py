"""Hands in 100,000 parentheses."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "(" * 100_000 + ")" * 100_000)
