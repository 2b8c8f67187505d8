"""Answers each question with 60 MiB."""

from hostile import IMPOSTOR, first

STATES = ("flagged", "student fault")
CODE = """
blob = tensors(**{"0": ("U8", [60 * 2**20], 60 * 2**20)})
impersonate(lambda call: frame(outcome(value={"tensor": "0"}), blob))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
