"""Makes the grader's channel its standard output."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = r"""
import os, sys

for number in (0, 1, 2):
    os.dup2(3, number)
os.write(1, b"100\n" * 1000)
sys.stdout = sys.__stdout__ = open(1, "w")
print("points: 100")
"""


def handed_in(notebook):
    return first(notebook, CODE)
