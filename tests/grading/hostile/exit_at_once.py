"""Ends Python with success in every answer."""

from hostile import all_answered

STATES = ("student fault", "flagged")
BODY = """
import os

os._exit(0)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
