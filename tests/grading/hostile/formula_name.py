"""Is handed in by somebody whose name is a formula."""

import copy

NAME = "=HYPERLINK(1) @SUM"


def handed_in(notebook):
    return copy.deepcopy(notebook)
