"""One layer of a decoder. The reference implementation of chapter 06.

A layer has three branches: self-attention, cross-attention and feed-forward.
Each is added to what goes past it. Masks are those of chapter 03.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from solutions.cross_attention import CrossAttention
from solutions.self_attention import MultiHeadAttention


class LayerNorm(nn.Module):
    """Give every vector mean 0 and variance 1, then its own scale and shift.

    Its parameters are `weight`, at first ones, and `bias`, at first zeros,
    both of shape (d_model,). The variance is the biased one, the mean of the
    squared distances, and `eps` is added to it under the root.
    Source: Ba et al. 2016, equation 4.
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(
        self, x: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch d_model"]:
        """Normalise the last axis."""
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias


class FeedForward(nn.Module):
    """Two linear layers with a ReLU between, the same at every position.

    `up` goes from `d_model` to `d_ff`, `down` back; both have a bias. Dropout
    acts between them, after the ReLU.
    Source: Vaswani et al. 2017, equation 2.
    """

    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0):
        super().__init__()
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch d_model"]:
        """Work on each vector by itself."""
        return self.down(self.dropout(self.up(x).relu()))


Branch = Callable[[Tensor], Tensor]


def add_branch(
    x: Float[Tensor, "batch length d_model"],
    branch: Branch,
    norm: nn.Module,
    dropout: nn.Module,
    norm_first: bool,
) -> Float[Tensor, "batch length d_model"]:
    """Add what a branch gives to what goes past it.

    Either the branch reads what the norm gives, or the sum is normalised.
    Source: He et al. 2016; Vaswani et al. 2017, section 3.1; Xiong et al.
    2020, who put the norm first.
    """
    if norm_first:
        return x + dropout(branch(norm(x)))
    return norm(x + dropout(branch(x)))


class DecoderLayer(nn.Module):
    """Look back, look at the memory, think it over.

    Its branches are `self_attention`, `cross_attention` and `feed_forward`,
    their norms `self_norm`, `cross_norm` and `feed_norm`. Dropout acts on
    what a branch gives, before it is added, and inside the feed-forward one;
    not on the weights of attention.
    Source: Vaswani et al. 2017, section 3.1 and, for dropout, 5.4.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention = CrossAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.self_norm = nn.LayerNorm(d_model)
        self.cross_norm = nn.LayerNorm(d_model)
        self.feed_norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        self_mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Three arrows come in: `x`, and from the memory keys and values."""
        how = self.dropout, self.norm_first
        x = add_branch(
            x,
            lambda x: self.self_attention(x, self_mask),
            self.self_norm,
            *how,
        )
        x = add_branch(
            x,
            lambda x: self.cross_attention(x, memory, memory_mask),
            self.cross_norm,
            *how,
        )
        return add_branch(x, self.feed_forward, self.feed_norm, *how)
