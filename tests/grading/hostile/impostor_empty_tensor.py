"""Answers with a tensor that has 10**12 rows and no columns."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
blob = tensors(**{"0": ("BOOL", [10**12, 0], 0)})
impersonate(lambda call: frame(outcome(value={"tensor": "0"}), blob))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
