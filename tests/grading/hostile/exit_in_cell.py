"""Ends Python with success in a cell, from a thread, later."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import os, threading

threading.Timer(0.05, lambda: getattr(os, "_ex" + "it")(0)).start()
"""


def handed_in(notebook):
    return first(notebook, CODE)
