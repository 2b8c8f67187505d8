"""Has TorchScript call the forbidden function."""

from hostile import answered

ANSWER = r"""
import torch

name = "scaled_dot_" + "product_attention"
unit = torch.jit.CompilationUnit(
    "def called(scores: Tensor, one: Tensor, mask: Tensor):\n"
    f"    return torch.ops.aten.{name}(scores, one, one, mask, 0.0, False, scale=1.0)\n"
)


def masked_softmax(scores, mask):
    there = dict(dtype=scores.dtype, device=scores.device)
    one = torch.eye(scores.shape[-1], **there).expand(*scores.shape[:-2], -1, -1)
    mask = mask.expand(scores.shape)
    return unit.called(scores, one, mask)
"""


def handed_in(notebook):
    return answered(notebook, masked_softmax=ANSWER)
