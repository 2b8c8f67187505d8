"""Answers with types of numbers that the course has no use for."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
turns = iter(range(10**6))
kinds = [("F8_E4M3", 9), ("C64", 72), ("U16", 18), ("U64", 72), ("F8_E5M2", 9)]


def answer(call):
    kind, length = kinds[next(turns) % 5]
    return frame(
        outcome(
            value={"tensor": "0"},
            gradients={"tuple": [{"tensor": "0"}]},
            arguments={"tuple": [{"tensor": "0"}]},
        ),
        tensors(**{"0": (kind, [3, 3], length)}),
    )


impersonate(answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
