"""Writing with a model, token by token. The reference solution of chapter 08.

Targets are ids without the start symbol, padded after their end symbol.
"""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from solutions.masks import causal_mask, memory_mask
from solutions.self_attention import (
    MultiHeadAttention,
    merge_heads,
    split_heads,
)
from solutions.transformer import Transformer

Heads = Float[Tensor, "batch heads length d_head"]


class KeyValueCache:
    """The keys and values of one attention, which grow as a text is written.

    Room for `max_length` positions is taken at the first `append`, in the
    type and on the device of what is appended. `length` says how many of
    them are filled.
    """

    def __init__(self, max_length: int):
        self.max_length, self.length = max_length, 0
        self.key = self.value = None

    def append(self, key: Heads, value: Heads) -> tuple[Heads, Heads]:
        """Add the keys and values of new positions, and return all there are.

        ValueError where there is no room for them.
        """
        if self.key is None:
            room = *key.shape[:2], self.max_length
            self.key = key.new_empty(*room, key.shape[-1])
            self.value = value.new_empty(*room, value.shape[-1])
        start, self.length = self.length, self.length + key.shape[2]
        if self.length > self.max_length:
            raise ValueError(
                f"{self.length} positions, and room for {self.max_length}"
            )
        self.key[:, :, start : self.length] = key
        self.value[:, :, start : self.length] = value
        return self.key[:, :, : self.length], self.value[:, :, : self.length]

    def reorder(self, rows: Int[Tensor, "batch"]) -> None:
        """Let each row go on from what row `rows[i]` holds."""
        if self.key is None:
            return
        places = torch.arange(len(rows), device=rows.device)
        changed = places[rows != places]
        for kept in (self.key, self.value):
            filled = kept[:, :, : self.length]
            filled[changed] = filled[rows[changed]]


def attend_cached(
    attention: MultiHeadAttention,
    x: Float[Tensor, "batch new d_model"],
    cache: KeyValueCache,
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "batch new d_model"]:
    """Self-attention of new positions, which see those in the cache too.

    The mask is for all: (..., new, old + new).
    """
    key, value = cache.append(
        split_heads(attention.key(x), attention.n_heads),
        split_heads(attention.value(x), attention.n_heads),
    )
    query = split_heads(attention.query(x), attention.n_heads)
    heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attention.output(merge_heads(heads))


class Writer:
    """A model in the middle of its targets: `copies` for each source.

    The memory's keys and values are made once, and what was read is kept in
    a cache for each layer.
    """

    def __init__(
        self,
        model: Transformer,
        source_ids: Int[Tensor, "batch source"],
        max_length: int,
        copies: int = 1,
    ):
        memory = model.encode(source_ids).repeat_interleave(copies, dim=0)
        source_ids = source_ids.repeat_interleave(copies, dim=0)
        layers = model.decoder.layers
        self.model, self.layers = model, layers
        self.mask = memory_mask(source_ids, model.pad_id)
        self.memory = [
            layer.cross_attention.project_memory(memory) for layer in layers
        ]
        self.caches = [KeyValueCache(max_length) for _ in layers]

    def read(
        self, input_ids: Int[Tensor, "batch new"]
    ) -> Float[Tensor, "batch vocab"]:
        """Read the next tokens of every target: logits of what follows."""
        start = self.caches[0].length
        x = self.model.embed(input_ids, start)
        end = start + input_ids.shape[1]
        mask = (
            causal_mask(end)[start:].to(x.device) if end > start + 1 else None
        )
        for layer, cache, (key, value) in zip(
            self.layers, self.caches, self.memory, strict=True
        ):
            x = layer.connect(
                x,
                partial(
                    attend_cached, layer.self_attention, cache=cache, mask=mask
                ),
                partial(
                    layer.cross_attention.attend,
                    key=key,
                    value=value,
                    mask=self.mask,
                ),
            )
        return self.model.head(self.model.decoder.norm(x[:, -1]))

    def reorder(self, rows: Int[Tensor, "batch"]) -> None:
        """Let each row go on from what row `rows[i]` has read.

        Rows may change places only with those of the same source.
        """
        for cache in self.caches:
            cache.reorder(rows)


@torch.no_grad()
def greedy(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    begin_id: int,
    end_id: int,
    max_length: int,
    prefix_ids: Int[Tensor, "batch prefix"] | None = None,
) -> Int[Tensor, "batch target"]:
    """Write the most likely next token, again and again.

    A target that begins with a prefix, padded at the right, goes on from
    there. All end with `end_id`, or after `max_length` tokens.
    """
    begin = torch.full_like(source_ids[:, :1], begin_id)
    if prefix_ids is None:
        prefix_ids = begin[:, :0]
    given = prefix_ids != model.pad_id
    shortest = int(given.sum(dim=1).min()) if given.numel() else 0
    written = prefix_ids[:, :shortest]
    writer = Writer(model, source_ids, max_length + 1)
    logits = writer.read(torch.cat([begin, written], dim=1))
    running = (written != end_id).all(dim=1)
    while running.any() and written.shape[1] < max_length:
        following = logits.argmax(dim=-1).where(running, model.pad_id)
        place = written.shape[1]
        if place < prefix_ids.shape[1]:
            forced = given[:, place]
            following = prefix_ids[:, place].where(forced, following)
        written = torch.cat([written, following[:, None]], dim=1)
        running = running & (following != end_id)
        logits = writer.read(following[:, None])
    return written


def keep_likely(
    logits: Float[Tensor, "batch vocab"],
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "batch vocab"]:
    """Set the logits of unlikely tokens to -inf.

    `top_k` keeps the k largest; `top_p` then keeps the fewest whose
    probabilities sum to at least p, one at least.
    Source: Fan et al. 2018, section 5; Holtzman et al. 2020, section 3.1.
    """
    logits, order = logits.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(logits.shape[-1], device=logits.device)
    if top_k is not None:
        logits = logits.masked_fill(rank >= top_k, float("-inf"))
    if top_p is not None:
        likely = logits.softmax(dim=-1)
        before = likely.cumsum(dim=-1) - likely
        unlikely = (before >= top_p) & (rank > 0)
        logits = logits.masked_fill(unlikely, float("-inf"))
    return torch.empty_like(logits).scatter(-1, order, logits)


def sample_token(
    logits: Float[Tensor, "batch vocab"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch"]:
    """Draw the next token of each row by its probability.

    A low temperature makes likely tokens likelier; at 0 the most likely one
    is taken. Then `keep_likely` leaves out the others.
    Source: Ackley et al. 1985 for the temperature.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = keep_likely(logits / temperature, top_k, top_p)
    weights = logits.softmax(dim=-1)
    return torch.multinomial(weights, 1, generator=generator)[:, 0]


@torch.no_grad()
def beam_search(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    begin_id: int,
    end_id: int,
    max_length: int,
    n_beams: int = 4,
    length_penalty: float = 1.0,
) -> Int[Tensor, "batch target"]:
    """Keep the best beginnings, and return the best target that has ended.

    Scores are sums of log-probabilities. An ended target, or one cut off at
    `max_length`, is ranked by its score divided by its length to the power
    of `length_penalty`. A source is done when it has `n_beams` ended targets
    and no beginning that ranks higher as it is.
    Source: Wu et al. 2016, section 7; the rules are those of transformers.
    """
    batch = len(source_ids)
    writer = Writer(model, source_ids, max_length, copies=n_beams)
    first_row = n_beams * torch.arange(batch, device=source_ids.device)
    scores = torch.full((batch, n_beams), float("-inf"))
    scores = scores.to(source_ids.device)
    scores[:, 0] = 0.0  # at first all beams of a source are the same
    written = source_ids.new_full((batch, n_beams, max_length), model.pad_id)
    ended = written.clone()
    ended_scores = torch.full_like(scores, float("-inf"))
    done = torch.zeros_like(first_row, dtype=torch.bool)
    following = torch.full_like(scores, begin_id, dtype=torch.long)
    for place in range(max_length):
        logits = writer.read(following.flatten()[:, None])
        likely = logits.float().log_softmax(dim=-1).unflatten(0, (batch, -1))
        vocab_size = likely.shape[-1]
        paths = (scores[..., None] + likely).flatten(1)
        scores, best = paths.topk(2 * n_beams)  # (batch, 2 * beams)
        beam, token = best // vocab_size, best % vocab_size
        candidates = written.gather(
            1, beam[..., None].expand(-1, -1, max_length)
        )
        candidates[:, :, place] = token
        ends = (token == end_id) | (place + 1 == max_length)

        ranks = scores / (place + 1) ** length_penalty
        ranks = ranks.masked_fill(~ends | done[:, None], float("-inf"))
        ranks[:, n_beams:] = float("-inf")
        ended_scores, kept = torch.cat([ended_scores, ranks], dim=1).topk(
            n_beams
        )
        ended = torch.cat([ended, candidates], dim=1).gather(
            1, kept[..., None].expand(-1, -1, max_length)
        )

        scores = scores.masked_fill(ends, float("-inf"))
        scores, kept = scores.topk(n_beams)
        beam, following = beam.gather(1, kept), token.gather(1, kept)
        written = candidates.gather(
            1, kept[..., None].expand(-1, -1, max_length)
        )
        best_running = scores[:, 0] / (place + 1) ** length_penalty
        done = done | (best_running <= ended_scores[:, -1])
        if done.all():
            break
        writer.reorder((first_row[:, None] + beam).flatten())
    return ended[:, 0, : place + 1]
