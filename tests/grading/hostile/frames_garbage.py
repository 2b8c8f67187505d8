"""Writes noise on the grader's channel."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
import os

put = lambda data: os.write(3, data)
put(os.urandom(100000))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
