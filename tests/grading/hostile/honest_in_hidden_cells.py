"""Puts right answers into cells that come later, and wrong ones into the exercises."""

from nbformat.v4 import new_code_cell

from hostile import answered, right

POINTS = {"causal_mask": 3}


def handed_in(notebook):
    notebook = answered(notebook, causal_mask="def causal_mask(length):\n    return None")
    notebook.cells.append(new_code_cell(right("causal_mask")["causal_mask"]))
    return notebook
