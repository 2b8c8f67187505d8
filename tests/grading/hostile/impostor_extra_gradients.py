"""Answers with more gradients and more arguments than were asked for."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
blob = tensors(**{"0": ("F32", [2, 3], 24)})
more = {"tuple": [{"tensor": "0"}] * 500}
impersonate(lambda call: frame(outcome(value={"tensor": "0"}, gradients=more, arguments=more), blob))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
