"""Loops for ever in one answer, after a right one."""

from hostile import answered, right

POINTS = {"causal_mask": 3}
STATES = ("student fault",)
TELLS = "padding_mask"


def handed_in(notebook):
    return answered(
        notebook,
        padding_mask="def padding_mask(*given):\n    while True:\n        pass",
        **right("causal_mask"),
    )
