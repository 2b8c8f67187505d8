"""Leaves objects behind whose end never comes."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("student fault",)
ANSWER = """
import torch


class Undead:
    def __del__(self):
        while True:
            pass


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()
        Undead()

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
