"""Prints 10 GB, to all that can be printed to."""

from hostile import first

STATES = ("graded", "student fault")
CODE = """
import sys, os, warnings

for _ in range(1000):
    print("x" * 10**7)
    print("y" * 10**6, file=sys.stderr)
sys.__stdout__.write("x" * 10**7)
for _ in range(10_000):
    os.write(1, bytes(10**5))
    os.write(2, bytes(10**5))
warnings.warn("w" * 10**7)
"""


def handed_in(notebook):
    return first(notebook, CODE)
