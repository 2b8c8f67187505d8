"""Looking at one another. The reference implementation of chapter 04.

Masks are those of chapter 03: boolean, True means "may look", broadcastable
to (batch, heads, query, key). Who may look nowhere gets zeros.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.masks import masked_softmax


def attention(
    query: Float[Tensor, "*batch query d_head"],
    key: Float[Tensor, "*batch key d_head"],
    value: Float[Tensor, "*batch key d_value"],
    mask: Bool[Tensor, "..."] | None = None,
) -> tuple[
    Float[Tensor, "*batch query d_value"], Float[Tensor, "*batch query key"]
]:
    """Average the values by how well queries and keys agree.

    Returns the output and the weights. `mask` broadcasts to the weights.
    Source: Vaswani et al. 2017, equation 1.
    """
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        weights = masked_softmax(scores, mask)
    return weights @ value, weights


def split_heads(
    x: Float[Tensor, "batch length d_model"], n_heads: int
) -> Float[Tensor, "batch heads length d_head"]:
    """Cut each vector into one piece for each head.

    ValueError where `d_model` is no multiple of `n_heads`.
    """
    if x.shape[-1] % n_heads:
        raise ValueError(
            f"{x.shape[-1]} numbers cannot be shared by {n_heads} heads"
        )
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(
    x: Float[Tensor, "batch heads length d_head"],
) -> Float[Tensor, "batch length d_model"]:
    """Put the pieces of all heads together again, head by head."""
    return x.transpose(1, 2).flatten(-2)


class MultiHeadAttention(nn.Module):
    """Every position looks at all others, in several ways at once.

    Its four linear layers are `query`, `key`, `value` and `output`, all from
    `d_model` to `d_model` and with a bias. Dropout acts on the weights.
    The output of a query that may look nowhere is `output.bias`.
    ValueError where `d_model` is no multiple of `n_heads`.
    Source: Vaswani et al. 2017, section 3.2.2.
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

    def forward(
        self,
        x: Float[Tensor, "batch length d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch length d_model"]:
        """Attend to `x` itself, as far as the mask allows."""
        heads = F.scaled_dot_product_attention(
            split_heads(self.query(x), self.n_heads),
            split_heads(self.key(x), self.n_heads),
            split_heads(self.value(x), self.n_heads),
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(merge_heads(heads))
