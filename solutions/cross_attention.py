"""Looking at another text. The reference implementation of chapter 05.

Queries come from the decoder's states, keys and values from the memory, which
is what the encoder made of the source. Masks are those of chapter 03.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.self_attention import (
    MultiHeadAttention,
    attention,
    merge_heads,
    split_heads,
)

Heads = Float[Tensor, "batch heads source d_head"]


class CrossAttention(nn.Module):
    """Every target position looks at the source, in several ways at once.

    Its four linear layers are `query`, `key`, `value` and `output`, all from
    `d_model` to `d_model` and with a bias. Dropout acts on the weights.
    The output of a query that may look nowhere is `output.bias`.
    ValueError where `d_model` is no multiple of `n_heads`.
    Source: Vaswani et al. 2017, section 3.2.3.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(
                f"{d_model} numbers cannot be shared by {n_heads} heads"
            )
        self.n_heads, self.dropout = n_heads, dropout
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def project_memory(
        self, memory: Float[Tensor, "batch source d_model"]
    ) -> tuple[Heads, Heads]:
        """Make the keys and values of all heads, once for all steps."""
        return (
            split_heads(self.key(memory), self.n_heads),
            split_heads(self.value(memory), self.n_heads),
        )

    def attend(
        self,
        x: Float[Tensor, "batch target d_model"],
        key: Heads,
        value: Heads,
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Attend to a memory whose keys and values are made already."""
        heads = F.scaled_dot_product_attention(
            split_heads(self.query(x), self.n_heads),
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(merge_heads(heads))

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Attend to the memory, as far as the mask allows."""
        return self.attend(x, *self.project_memory(memory), mask)


def attention_weights(
    module: MultiHeadAttention | CrossAttention,
    x: Float[Tensor, "batch query d_model"],
    memory: Float[Tensor, "batch key d_model"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "batch heads query key"]:
    """The weights with which `x` looks at `memory`; fast paths hide them."""
    query = split_heads(module.query(x), module.n_heads)
    key = split_heads(module.key(memory), module.n_heads)
    return attention(query, key, key, mask)[1]


def alignment(
    weights: Float[Tensor, "batch heads target source"],
) -> Float[Tensor, "batch target source"]:
    """Average the heads: how much each target token looks at each source.

    Source: Garg et al. 2019, who average the heads of one layer.
    """
    return weights.mean(dim=1)


def word_alignment(
    weights: Float[Tensor, "target source"],
    target_words: Sequence[int],
    source_words: Sequence[int],
) -> Float[Tensor, "target_word source_word"]:
    """Go from tokens to words: sum over keys, average over queries.

    `target_words[i]` is the number of the word that target token i belongs
    to, counted from 0 without gaps. The result has the type and the device
    of the weights.
    Source: Clark et al. 2019, section 4.1.
    """
    target = F.one_hot(torch.tensor(target_words, device=weights.device))
    source = F.one_hot(torch.tensor(source_words, device=weights.device))
    target, source = target.to(weights.dtype), source.to(weights.dtype)
    return (target / target.sum(dim=0)).T @ weights @ source
