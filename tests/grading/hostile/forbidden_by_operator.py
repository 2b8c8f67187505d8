"""Calls an operator that the forbidden function is made of, and that has another name."""

from hostile import answered

ANSWER = """
import torch


def masked_softmax(scores, mask):
    there = dict(dtype=scores.dtype, device=scores.device)
    one = torch.eye(scores.shape[-1], **there).expand(*scores.shape[:-2], -1, -1)
    mask = mask.expand(scores.shape)
    flat = lambda tensor: tensor.reshape(1, -1, *tensor.shape[-2:])
    operator = getattr(torch.ops.aten, "_scaled_dot_product_" + "flash_attention_for_cpu")
    hidden = torch.zeros(scores.shape, **there).masked_fill(~mask, -torch.inf)
    return operator(flat(scores), flat(one), flat(one), attn_mask=flat(hidden), scale=1.0)[0].reshape(
        scores.shape
    )
"""


def handed_in(notebook):
    return answered(notebook, masked_softmax=ANSWER)
