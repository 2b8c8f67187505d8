"""Waits for a line from the keyboard."""

from hostile import FRAMES, first

CODE = """
import sys

input("your password: ")
sys.stdin.read()
import getpass

getpass.getpass()
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
