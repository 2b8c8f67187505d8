"""What goes into a decoder. The reference implementation of chapter 02.

Positions count from 0. Tensors are on the device of the tensor they are made
from; `sinusoidal_positions`, made from numbers, is on the default device.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def shift_right(
    target_ids: Int[Tensor, "batch length"], bos_id: int
) -> Int[Tensor, "batch length"]:
    """Begin with the start symbol, and leave out each last token.

    Source: Vaswani et al. 2017, section 3.1.
    """
    begin = torch.full_like(target_ids[:, :1], bos_id)
    return torch.cat([begin, target_ids[:, :-1]], dim=1)


def sinusoidal_positions(
    length: int, d_model: int
) -> Float[Tensor, "length d_model"]:
    """Write each position as sines (even places) and cosines (odd places).

    ValueError where `d_model` is odd.
    Source: Vaswani et al. 2017, section 3.5.
    """
    if d_model % 2:
        raise ValueError(f"places come in pairs, and {d_model} is odd")
    frequency = 10_000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    angle = torch.arange(length)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def rotate(
    x: Float[Tensor, "*batch length d_head"],
    positions: Int[Tensor, "*batch length"],
    base: float = 10_000.0,
) -> Float[Tensor, "*batch length d_head"]:
    """Turn each pair of places by an angle that grows with the position.

    Place i of the first half is paired with place i of the second half.
    `positions` broadcasts to the shape of `x` without its last axis.
    The angles are computed in float32, and the result has the type of `x`.
    ValueError where `d_head` is odd.
    Source: Su et al. 2021, equation 34, with the pairs of Llama.
    """
    d_head = x.shape[-1]
    if d_head % 2:
        raise ValueError(f"places come in pairs, and {d_head} is odd")
    place = torch.arange(0, d_head, 2, device=x.device)
    angle = positions[..., None] * base ** (-place / d_head)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    turned = first * cos - second * sin, second * cos + first * sin
    return torch.cat(turned, dim=-1)


class DecoderInput(nn.Module):
    """Token embeddings times the root of `d_model`, plus sinusoidal positions.

    Its one parameter is `embedding.weight`, of shape (vocab_size, d_model).
    Source: Vaswani et al. 2017, sections 3.4, 3.5 and 5.4.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        max_length: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        table = sinusoidal_positions(max_length, d_model)
        self.register_buffer("positions", table, persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, token_ids: Int[Tensor, "batch length"], start: int = 0
    ) -> Float[Tensor, "batch length d_model"]:
        """Embed tokens of which the first stands at position `start`.

        ValueError where a position is `max_length` or more.
        """
        end = start + token_ids.shape[1]
        if end > len(self.positions):
            raise ValueError(
                f"{end} positions, and there are only {len(self.positions)}"
            )
        scale = self.embedding.embedding_dim**0.5
        x = self.embedding(token_ids) * scale + self.positions[start:end]
        return self.dropout(x)
