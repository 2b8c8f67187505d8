"""Hands in functions in functions, as deep as Python allows and deeper."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(notebook, "\n".join(" " * depth + f"def f{depth}():" for depth in range(300)) + " pass")
