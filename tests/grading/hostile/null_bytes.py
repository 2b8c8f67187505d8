"""Hands in code with null bytes, form feeds, byte order marks and other alphabets."""

from hostile import first

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    return first(
        notebook, "x = 1\x00\x0c\ufeff\n\x0c\x0ccausal\u200b_mask = 3\n\u0441ausal_mask = lambda n: 100"
    )
