"""Registers what is to be done at the end, and ends."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import atexit, sys, os

atexit.register(lambda: os.write(3, b"100"))
sys.exit(0)
raise SystemExit
"""


def handed_in(notebook):
    return first(notebook, CODE)
