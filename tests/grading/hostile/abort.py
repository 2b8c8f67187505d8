"""Aborts Python."""

from hostile import first

STATES = ("student fault",)
CODE = """
import os

os.abort()
"""


def handed_in(notebook):
    return first(notebook, CODE)
