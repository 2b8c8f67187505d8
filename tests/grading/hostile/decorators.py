"""Hands in 50,000 decorators of nothing."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "@\n" * 50_000)
