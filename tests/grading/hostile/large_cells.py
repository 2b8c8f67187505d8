"""Hands in 6 MB of cells that all matter."""

import copy

from hostile import as_bytes

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    source = "causal_mask.x = 1\n" + "# a comment that is long\n" * 4000
    notebook.cells += [{"cell_type": "code", "source": source, "metadata": {}} for _ in range(60)]
    return as_bytes(notebook)
