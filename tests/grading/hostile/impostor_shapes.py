"""Answers with headers whose shapes are negative, huge or do not fit their bytes."""

from hostile import IMPOSTOR, first

STATES = ("flagged", "student fault")
CODE = """
turns = iter(range(10**6))
shapes = [[-1, -1], [2**62, 2**62, 0], [2**63], [3, 3, 3], [1.5], "3", [2**64, 0], [True]]
impersonate(
    lambda call: frame(outcome(value={"tensor": "0"}), tensors(**{"0": ("BOOL", shapes[next(turns) % 8], 9)}))
)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
