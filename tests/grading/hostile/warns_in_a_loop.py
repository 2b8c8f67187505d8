"""Warns, prints and logs 100,000 times before it answers."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("graded", "student fault")
ANSWER = """
import torch
import logging
import warnings


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()

    def forward(self, x, mask=None):
        for turn in range(100_000):
            warnings.warn(f"{turn} " * 20)
            logging.error("\\x1b[31m" * 20)
            print("<script>" * 20)
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
