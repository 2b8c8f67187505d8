"""Hands in constants that take long to compile."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "x = " + "+".join(["2**64**3**2", "((1,)*255)*255", "'a'*4096*4096", "9**9**9"]))
