"""Hands in 100,000 unary operators."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "x = " + "-" * 99_000 + "1")
