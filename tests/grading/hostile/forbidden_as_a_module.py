"""Wraps PyTorch's own module, and gives it the weights of right layers."""

from hostile import answered

TOPIC = "self_attention"
POINTS = {"MultiHeadAttention": 2}  # its layers are there, and it refuses what it must
ANSWER = """
import torch


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0):
        super().__init__()
        if d_model % n_heads:
            raise ValueError
        self.n_heads, self.dropout = n_heads, dropout
        for name in ("query", "key", "value", "output"):
            setattr(self, name, torch.nn.Linear(d_model, d_model))

    def forward(self, x, mask=None):
        whole = torch.nn.MultiheadAttention(x.shape[-1], self.n_heads, self.dropout, batch_first=True)
        layers = self.query, self.key, self.value
        del whole.in_proj_weight, whole.in_proj_bias, whole.out_proj
        whole.in_proj_weight = torch.cat([layer.weight for layer in layers])
        whole.in_proj_bias = torch.cat([layer.bias for layer in layers])
        whole.out_proj = self.output
        whole.train(self.training)
        if mask is not None:
            mask = ~mask.expand(x.shape[0], self.n_heads, -1, x.shape[1]).flatten(0, 1)
        return whole(x, x, x, attn_mask=mask, need_weights=False)[0]
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
