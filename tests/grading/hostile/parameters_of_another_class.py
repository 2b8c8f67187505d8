"""Has parameters whose shape changes, and that are millions of numbers when taken apart."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("graded", "flagged", "student fault")
ANSWER = """
import torch


class Changing(torch.nn.Parameter):
    looks = 0

    @property
    def shape(self):
        Changing.looks += 1
        return torch.Size([Changing.looks % 7] * 2)

    def detach(self):
        return torch.zeros(2**12, 2**10)


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        for name in ("query", "key", "value", "output"):
            setattr(self, name, layer := torch.nn.Linear(d_model, d_model))
            layer.weight = Changing(layer.weight.data)

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
