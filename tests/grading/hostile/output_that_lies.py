"""Returns a wrong length from its own write, prints objects whose text never ends."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import sys


class Endless:
    def __str__(self):
        return "e" * 10**8

    __repr__ = __str__


print(Endless(), Endless(), flush=True)
sys.stdout.write = lambda text: -1
sys.stdout.getvalue = lambda: Endless()
"""


def handed_in(notebook):
    return first(notebook, CODE)
