"""Duplicates the channel, reads from it and answers twice."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import os, threading

copy = os.dup(3)


def listen():
    while True:
        os.read(copy, 7)


threading.Thread(target=listen, daemon=True).start()
"""


def handed_in(notebook):
    return first(notebook, CODE)
