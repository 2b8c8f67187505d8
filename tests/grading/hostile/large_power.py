"""Holds Python's lock in a power that has no end."""

from hostile import first

STATES = ("student fault", "graded")
CODE = """
10**10**8
"""


def handed_in(notebook):
    return first(notebook, CODE)
