"""Works on the CPU alone, and raises where it is asked about devices."""

import textwrap

from hostile import answered, right

POINTS = {"causal_mask": 3, "padding_mask": 3}
ANSWER = """
import torch


def padding_mask(token_ids, pad_id):
    if str(token_ids.device) != "cpu":
        raise ValueError("not now")
    hidden = torch.zeros(token_ids.shape, dtype=torch.bool)
    return (hidden | (token_ids != pad_id))[:, None, None, :]
"""


def handed_in(notebook):
    return answered(notebook, padding_mask=textwrap.dedent(ANSWER), **right("causal_mask"))
