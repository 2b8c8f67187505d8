"""Reports on cells that do not exist, or not as a number."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame(table(cell=10**6, error=None, output="")))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
