"""Puts the questions into the errors that feedback shows."""

from hostile import all_answered

STATES = ("flagged",)
BODY = """
import builtins

builtins.asked = getattr(builtins, "asked", []) + [given]
raise ValueError(repr(builtins.asked))
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
