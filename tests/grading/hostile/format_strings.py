"""Hands in enormous format strings and numbers."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "x = f'" + "{1}" * 30_000 + "'\ny = " + "9" * 90_000)
