"""Raises SystemExit, GeneratorExit and KeyboardInterrupt by turns."""

from hostile import all_answered

STATES = ("graded", "flagged", "student fault")
BODY = """
import builtins, sys

builtins.turn = getattr(builtins, "turn", 0) + 1
raise (SystemExit(0), GeneratorExit(), KeyboardInterrupt(), StopIteration(), BaseException())[
    builtins.turn % 5
]
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
