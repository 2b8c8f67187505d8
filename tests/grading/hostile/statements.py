"""Hands in a cell of 200,000 statements."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "\n".join(["causal_mask = 1"] * 200_000))
