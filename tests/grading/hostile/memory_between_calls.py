"""Keeps all questions and answers, and returns shared memory that it changes later."""

from hostile import all_answered

STATES = ("flagged",)
BODY = """
import builtins, torch

kept = builtins.__dict__.setdefault("kept", torch.zeros(3, 3, dtype=torch.bool))
kept.logical_not_()
builtins.given_before = given
return kept
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
