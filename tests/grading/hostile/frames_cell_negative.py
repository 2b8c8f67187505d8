"""Reports on the cell before the first."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame(table(cell=-40, error=None, output="")))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
