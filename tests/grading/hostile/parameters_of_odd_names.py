"""Has parameters whose names are long, move the cursor, or would act in a page."""

from hostile import answered

TOPIC = "self_attention"
ANSWER = """
import torch


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        odd = "<script>alert(1)</script>\\x1b[31m\\u202e\\n=cmd()`[a](javascript:b)"
        for name in (odd, "\\ud800\\0", odd * 20_000):
            self.register_parameter(name, torch.nn.Parameter(torch.zeros(1)))
        for name in ("query", "key", "value", "output"):
            setattr(self, name, torch.nn.Linear(d_model, d_model))

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
