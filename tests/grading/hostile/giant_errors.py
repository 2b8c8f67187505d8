"""Raises errors with giant texts, types and causes."""

from hostile import all_answered

STATES = ("graded", "flagged", "student fault")
BODY = """
import builtins

builtins.turn = getattr(builtins, "turn", 0) + 1

class Mean(Exception):
    def __str__(self):
        while builtins.turn % 3 == 0:
            raise self
        return "m" * 10**8 if builtins.turn % 3 else 5

Mean.__name__ = "N" * 10**7
error = Mean("m" * 10**7)
for _ in range(1000):
    error.__context__, error = error, Mean()
raise error
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
