"""Hands in 100,000 cells that all matter."""

import copy

from hostile import as_bytes

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    notebook.cells += [
        {"cell_type": "code", "source": f"causal_mask_{n} = 1", "metadata": {}} for n in range(100_000)
    ]
    return as_bytes(notebook)
