"""Answers masked_softmax with the library function that it is about."""

from hostile import answered

STATES = ("flagged",)
TELLS = "scaled_dot_product_attention"
ANSWER = """
import torch


def masked_softmax(scores, mask):
    there = dict(dtype=scores.dtype, device=scores.device)
    one = torch.eye(scores.shape[-1], **there).expand(*scores.shape[:-2], -1, -1)
    mask = mask.expand(scores.shape)
    return torch.nn.functional.scaled_dot_product_attention(scores, one, one, attn_mask=mask, scale=1.0)
"""


def handed_in(notebook):
    return answered(notebook, masked_softmax=ANSWER)
