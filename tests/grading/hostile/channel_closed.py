"""Closes the grader's channel and goes on working."""

from hostile import first

STATES = ("student fault",)
CODE = """
import os

os.close(3)
while True:
    pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
