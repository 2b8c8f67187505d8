"""Announces a long frame, sends a byte of it, and waits."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
import time

put(struct.pack("!II", 4 * 2**20, 64 * 2**20) + b"{")
time.sleep(100)
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
