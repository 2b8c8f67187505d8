"""Replaces what back-propagates, what calls a module and what seeds it."""

from hostile import answered

TOPIC = "self_attention"
POINTS = {"MultiHeadAttention": 2}  # its layers are there, and it refuses what it must
STATES = ("graded", "flagged", "student fault")
ANSWER = """
import torch

torch.autograd.grad = lambda *given, **more: tuple(torch.zeros(2**10, 8) for _ in range(9))
torch.nn.Module.__call__ = lambda self, *given, **more: given[0]
torch.manual_seed = lambda seed: None


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads:
            raise ValueError
        for name in ("query", "key", "value", "output"):
            setattr(self, name, torch.nn.Linear(d_model, d_model))

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
