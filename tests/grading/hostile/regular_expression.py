"""Holds Python's lock in a regular expression that backtracks for ever."""

from hostile import first

STATES = ("student fault",)
CODE = """
import re

re.match(r"(a+)+$", "a" * 60 + "b")
"""


def handed_in(notebook):
    return first(notebook, CODE)
