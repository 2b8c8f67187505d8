"""Reports on a cell whose number is True."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame(table(cell=True, error=None, output="")))
put(frame(table(cell={"tensor": "0"}, error=None, output=""), tensors(**{"0": ("I64", [], 8)})))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
