"""The whole model and how it learns. The reference solution of chapter 07.

Source and target are written in the same tokens: one table embeds both and
names the next token as well. Masks are those of chapter 03.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from solutions.decoder_layer import DecoderLayer, FeedForward, add_branch
from solutions.embeddings import DecoderInput, shift_right
from solutions.masks import decoder_mask, memory_mask, padding_mask
from solutions.self_attention import MultiHeadAttention
from solutions.tokens import pad_batch


class EncoderLayer(nn.Module):
    """Look at one another, think it over: a decoder layer without memory."""

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
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.self_norm = nn.LayerNorm(d_model)
        self.feed_norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(
        self,
        x: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch source d_model"]:
        """Attend to `x` itself, as far as the mask allows."""
        how = self.dropout, self.norm_first
        look = partial(self.self_attention, mask=mask)
        x = add_branch(x, look, self.self_norm, *how)
        return add_branch(x, self.feed_forward, self.feed_norm, *how)


class Encoder(nn.Module):
    """A stack of `layers`, and a `norm` at its end if norms are first.

    Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020, table 1.
    """

    def __init__(
        self,
        n_layers: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(d_model, n_heads, d_ff, dropout, norm_first)
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch source d_model"]:
        """Make the memory of an embedded source."""
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class Decoder(nn.Module):
    """A stack of `layers`, and a `norm` at its end if norms are first.

    Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020, table 1.
    """

    def __init__(
        self,
        n_layers: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(d_model, n_heads, d_ff, dropout, norm_first)
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        self_mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Every layer reads the same memory."""
        for layer in self.layers:
            x = layer(x, memory, self_mask, memory_mask)
        return self.norm(x)


class Transformer(nn.Module):
    """From a source and the beginning of a target to its next token.

    `embed` (a `DecoderInput`) embeds both texts, and its table is the
    output head as well; `encoder` and `decoder` lie between. `pad_id` keeps
    its name, for those who train the model and translate with it.
    Source: Vaswani et al. 2017, figure 1 and section 3.4; Press and Wolf
    2017 for the shared table.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        max_length: int,
        pad_id: int = 0,
        dropout: float = 0.0,
        norm_first: bool = True,
    ):
        super().__init__()
        self.pad_id = pad_id
        self.embed = DecoderInput(vocab_size, d_model, max_length, dropout)
        size = n_layers, d_model, n_heads, d_ff, dropout, norm_first
        self.encoder = Encoder(*size)
        self.decoder = Decoder(*size)

    def forward(
        self,
        source_ids: Int[Tensor, "batch source"],
        input_ids: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token after each of the input, the shifted target."""
        memory = self.encode(source_ids)
        return self.head(self.decode(input_ids, memory, source_ids))

    def encode(
        self, source_ids: Int[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source d_model"]:
        """Make the memory, once for a whole target."""
        mask = padding_mask(source_ids, self.pad_id)
        return self.encoder(self.embed(source_ids), mask)

    def decode(
        self,
        input_ids: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch source d_model"],
        source_ids: Int[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target d_model"]:
        """The states from which the head names the next tokens."""
        return self.decoder(
            self.embed(input_ids),
            memory,
            decoder_mask(input_ids, self.pad_id),
            memory_mask(source_ids, self.pad_id),
        )

    def head(
        self, states: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch vocab"]:
        """Logits: how well each state agrees with each embedding."""
        return F.linear(states, self.embed.embedding.weight)


def sequence_loss(
    logits: Float[Tensor, "*batch vocab"],
    target_ids: Int[Tensor, "*batch"],
    pad_id: int,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The mean cross-entropy, in nats, over the tokens that are no padding.

    With label smoothing, this share of the wanted probability is spread
    evenly over the whole vocabulary, the wanted token included.
    Source: Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4.
    """
    return F.cross_entropy(
        logits.flatten(0, -2),
        target_ids.flatten(),
        ignore_index=pad_id,
        label_smoothing=label_smoothing,
    )


def warmup_schedule(step: int, d_model: int, warmup: int) -> float:
    """The learning rate of a step, counted from 1: up in a line, then down.

    ValueError for a step before the first.
    Source: Vaswani et al. 2017, equation 3.
    """
    if step < 1:
        raise ValueError(f"steps count from 1, and this is {step}")
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


Example = tuple[list[int], list[int]]  # ids of a source and of its target


def length_batches(
    examples: Sequence[Example],
    n_tokens: int,
    pad_id: int,
    generator: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    """All examples once, in batches of about `n_tokens` and one length.

    Examples of about the same length go together, so that little is padded;
    the batches come in random order.
    Source: Vaswani et al. 2017, section 5.1.
    """
    noise = torch.rand(len(examples), generator=generator).tolist()

    def lengths(i: int) -> tuple[float, float]:
        source, target = examples[i]
        return len(target), len(source) + 2 * noise[i]

    batches, batch, longest = [], [], 0
    for i in sorted(range(len(examples)), key=lengths):
        longest = max(longest, *map(len, examples[i]))
        if batch and (len(batch) + 1) * longest > n_tokens:
            batches.append(batch)
            batch, longest = [], max(map(len, examples[i]))
        batch.append(examples[i])
    batches.append(batch)
    for place in torch.randperm(len(batches), generator=generator).tolist():
        sources, targets = zip(*batches[place], strict=True)
        yield pad_batch(sources, pad_id), pad_batch(targets, pad_id)


def translation_loss(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    target_ids: Int[Tensor, "batch target"],
    begin_id: int,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Teacher forcing: the loss of all next tokens at once.

    The head, as wide as the vocabulary, is spared the padding.
    """
    input_ids = shift_right(target_ids, begin_id)
    states = model.decode(input_ids, model.encode(source_ids), source_ids)
    real = target_ids != model.pad_id
    logits = model.head(states[real])
    return sequence_loss(
        logits, target_ids[real], model.pad_id, label_smoothing
    )


@torch.no_grad()
def translate(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    begin_id: int,
    end_id: int,
    max_length: int,
) -> Int[Tensor, "batch target"]:
    """Write the most likely next token, again and again, all anew each time.

    Returns ids without the start symbol, padded after the end symbol.
    """
    memory = model.encode(source_ids)
    written = torch.full_like(source_ids[:, :1], begin_id)
    running = torch.ones_like(written[:, 0], dtype=torch.bool)
    while running.any() and written.shape[1] <= max_length:
        states = model.decode(written, memory, source_ids)
        following = model.head(states[:, -1]).argmax(dim=-1)
        following = following.where(running, model.pad_id)
        written = torch.cat([written, following[:, None]], dim=1)
        running = running & (following != end_id)
    return written[:, 1:]
