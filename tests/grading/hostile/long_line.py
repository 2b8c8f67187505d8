"""Hands in a line of 10 MB."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "a = " + "1 + " * 2_500_000 + "1")
