"""Answers with a tensor of 60,000 dimensions."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
blob = tensors(**{"0": ("BOOL", [1] * 60_000 + [0], 0)})
impersonate(lambda call: frame(outcome(value={"tensor": "0"}), blob))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
