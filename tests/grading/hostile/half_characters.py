"""Prints, raises and returns halves of surrogate pairs."""

from hostile import all_answered

BODY = r"""
print("\ud800")
raise ValueError("\udfff and \ud83d")
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
