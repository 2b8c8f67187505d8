"""Names parameters that it does not have, and changes them whenever they are looked at."""

from hostile import answered

TOPIC = "self_attention"
ANSWER = """
import torch


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        self.d_model = d_model

    def named_parameters(self, *given, **more):
        for name in ("query", "key", "value", "output"):
            yield f"{name}.weight", torch.randn(self.d_model, self.d_model)
            yield f"{name}.bias", torch.zeros(self.d_model)

    def load_state_dict(self, weights, strict=True):
        self.known = weights

    def to(self, *given):
        return self

    train = to

    def forward(self, x, mask=None):
        return x
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
