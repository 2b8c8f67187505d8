"""Returns lists of thousands of tensors, flat and nested, where one tensor is asked for."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("graded", "flagged", "student fault")
ANSWER = """
import torch

MANY = [torch.arange(160.0) for _ in range(1500)]


def attention(query, key, value, mask=None):
    return MANY


def split_heads(x, n_heads):
    return [[[MANY]]]


def merge_heads(x):
    return {"a": [{"b": MANY}]}


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()

    def forward(self, x, mask=None):
        return MANY
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
