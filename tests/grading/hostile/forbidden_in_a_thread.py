"""Calls the forbidden function in a thread, where our modes do not reach."""

from hostile import answered

ANSWER = """
import torch
import threading


def masked_softmax(scores, mask):
    there = dict(dtype=scores.dtype, device=scores.device)
    one = torch.eye(scores.shape[-1], **there).expand(*scores.shape[:-2], -1, -1)
    mask = mask.expand(scores.shape)
    function, found = getattr(torch.nn.functional, "scaled_dot_" + "product_attention"), []
    thread = threading.Thread(
        target=lambda: found.append(function(scores, one, one, attn_mask=mask, scale=1.0))
    )
    thread.start()
    thread.join()
    return found[0]
"""


def handed_in(notebook):
    return answered(notebook, masked_softmax=ANSWER)
