"""Counts to 10**12 in C."""

from hostile import first

STATES = ("student fault",)
CODE = """
sum(range(10**12))
"""


def handed_in(notebook):
    return first(notebook, CODE)
