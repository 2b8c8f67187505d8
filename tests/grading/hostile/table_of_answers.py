"""Knows the fixed inputs by heart and answers those alone."""

from hostile import answered

POINTS = {"causal_mask": 0}
ANSWER = """
import torch

KNOWN = {1: [[1]], 2: [[1, 0], [1, 1]], 3: [[1, 0, 0], [1, 1, 0], [1, 1, 1]]}


def causal_mask(length):
    if length in KNOWN:
        return torch.tensor(KNOWN[length]).bool()
    return torch.ones(130, 130).tril().bool() if length == 130 else None
"""


def handed_in(notebook):
    import textwrap

    return answered(notebook, causal_mask=textwrap.dedent(ANSWER))
