"""Notices which step it is in, and gives other answers at the second."""

from hostile import answered

TOPIC = "self_attention"
ANSWER = """
import torch


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()
        self.kept = []

    def __getattr__(self, name):
        return super().__getattr__(name) if name.startswith("_") else lambda *given, **more: self.kept

    def __call__(self, *given, **more):
        self.kept += [self.kept, given, more]
        return self.kept[-2] if len(self.kept) > 3 else self.__class__

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
