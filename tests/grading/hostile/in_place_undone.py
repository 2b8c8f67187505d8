"""Changes its arguments, and has our own code report what they were before."""

import textwrap

from hostile import answered, right

POINTS = {"causal_mask": 3, "additive_mask": 4}
ANSWER = """
import importlib

names = importlib.import_module("auto" + "grader.exercises.namespace")
before = names.plain
kept = []


def plain(value):
    if type(value) is tuple and kept and len(value) == 2:
        return kept.pop()
    return before(value)


names.plain = plain


def additive_mask(mask, dtype):
    kept[:] = [(mask.clone(), dtype)]
    hidden = mask.logical_not_()
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(hidden, -torch.inf)
"""


def handed_in(notebook):
    return answered(notebook, additive_mask=textwrap.dedent(ANSWER), **right("causal_mask"))
