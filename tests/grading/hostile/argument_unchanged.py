"""Returns its argument as it came."""

from hostile import all_answered

POINTS = {"masked_softmax": 1}
BODY = """
return given[0]
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
