"""Turns our modes off for as long as it calls the forbidden function."""

from hostile import answered

ANSWER = """
import torch
from torch.utils._python_dispatch import _disable_current_modes


def masked_softmax(scores, mask):
    there = dict(dtype=scores.dtype, device=scores.device)
    one = torch.eye(scores.shape[-1], **there).expand(*scores.shape[:-2], -1, -1)
    mask = mask.expand(scores.shape)
    function = getattr(torch.nn.functional, "scaled_dot_" + "product_attention")
    with _disable_current_modes(), getattr(torch, "_" + "C").DisableTorchFunction():
        return function(scores, one, one, attn_mask=mask, scale=1.0)
"""


def handed_in(notebook):
    return answered(notebook, masked_softmax=ANSWER)
