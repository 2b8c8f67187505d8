"""Answers with one tensor 20,000 times."""

from hostile import IMPOSTOR, first

STATES = ("flagged",)
CODE = """
blob = tensors(**{"0": ("F32", [160], 640)})
answer = frame(outcome(value={"list": [{"tensor": "0"}] * 20_000}), blob)
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
