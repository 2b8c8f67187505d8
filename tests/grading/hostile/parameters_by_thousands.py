"""Has 20,000 parameters."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("flagged", "student fault")
ANSWER = """
import torch


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, *given):
        super().__init__()
        self.all = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(1)) for _ in range(20_000))

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
