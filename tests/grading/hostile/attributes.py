"""Hands in a chain of 49,000 attributes."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "x = a" + ".b" * 49_000)
