"""Writing with a model, token by token. The reference solution of chapter 08.

Targets are ids without the start symbol. They end with the end symbol, after
which they are padded; padding is never written before it.
"""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from solutions.decoder_layer import add_branch
from solutions.masks import additive_mask, causal_mask, memory_mask
from solutions.self_attention import (
    MultiHeadAttention,
    merge_heads,
    split_heads,
)
from solutions.transformer import Transformer

Heads = Float[Tensor, "batch heads length d_head"]
NEVER = float("-inf")  # the logit of what is not to be written


class KeyValueCache:
    """The keys and values of one attention, kept as a text is written.

    Room for `max_length` positions is taken at the first `append`, in the
    type and on the device of what is appended. `length` says how many of
    them are filled.
    """

    def __init__(self, max_length: int):
        self.max_length, self.length = max_length, 0
        self.key = self.value = None

    def append(self, key: Heads, value: Heads) -> tuple[Heads, Heads]:
        """Add keys and values of new positions, and return all there are.

        ValueError where there is no room for them; nothing is added then.
        """
        start, end = self.length, self.length + key.shape[2]
        if end > self.max_length:
            raise ValueError(f"{end} positions, room for {self.max_length}")
        if self.key is None:
            room = *key.shape[:2], self.max_length
            self.key = key.new_empty(*room, key.shape[3])
            self.value = value.new_empty(*room, value.shape[3])
        self.key[:, :, start:end] = key
        self.value[:, :, start:end] = value
        self.length = end
        return self.key[:, :, :end], self.value[:, :, :end]

    def reorder(self, rows: Int[Tensor, "rows"]) -> None:
        """Row i goes on from what row `rows[i]` holds; others are dropped.

        There are as many `rows` as before, or fewer. Before the first
        `append` there is nothing to do.
        """
        if self.key is None:
            return
        for kept in (self.key, self.value):
            filled = kept[:, :, : self.length]
            filled[: len(rows)] = filled.index_select(0, rows)
        self.key, self.value = self.key[: len(rows)], self.value[: len(rows)]


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


Memory = list[tuple[Heads, Heads]]  # for each layer its keys and values


def look_at_source(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    copies: int = 1,
) -> tuple[Memory, Float[Tensor, "batch 1 1 source"] | None]:
    """All that is made once for a source: its memory in every layer, masked.

    Each source is there `copies` times. Without padding there is no mask.
    """
    memory = model.encode(source_ids).repeat_interleave(copies, dim=0)
    mask = memory_mask(source_ids, model.pad_id)
    additive = additive_mask(mask, memory.dtype)
    layers = [layer.cross_attention for layer in model.decoder.layers]
    return (
        [attention.project_memory(memory) for attention in layers],
        None if mask.all() else additive.repeat_interleave(copies, dim=0),
    )


def read_cached(
    model: Transformer,
    input_ids: Int[Tensor, "batch new"],
    caches: list[KeyValueCache],
    memory: Memory,
    memory_mask: Float[Tensor, "batch 1 1 source"] | None,
) -> Float[Tensor, "batch vocab"]:
    """Read the next tokens of every target: logits of what follows."""
    start = caches[0].length
    end = start + input_ids.shape[1]
    mask = None  # one new token may look at all there are
    if end > start + 1:
        mask = causal_mask(end)[start:].to(input_ids.device)
    x = model.embed(input_ids, start)
    for layer, cache, (key, value) in zip(
        model.decoder.layers, caches, memory, strict=True
    ):
        look_back = partial(
            attend_cached, layer.self_attention, cache=cache, mask=mask
        )
        attend = layer.cross_attention.attend
        look = partial(attend, key=key, value=value, mask=memory_mask)
        how = layer.dropout, layer.norm_first
        x = add_branch(x, look_back, layer.self_norm, *how)
        x = add_branch(x, look, layer.cross_norm, *how)
        x = add_branch(x, layer.feed_forward, layer.feed_norm, *how)
    return model.head(model.decoder.norm(x[:, -1]))


class Writer:
    """A model in the middle of its targets: `copies` for each source."""

    def __init__(
        self,
        model: Transformer,
        source_ids: Int[Tensor, "batch source"],
        max_length: int,
        copies: int = 1,
    ):
        self.model = model
        self.memory, self.mask = look_at_source(model, source_ids, copies)
        self.caches = [KeyValueCache(max_length) for _ in self.memory]

    def read(
        self, input_ids: Int[Tensor, "batch new"]
    ) -> Float[Tensor, "batch vocab"]:
        """Read the next tokens of every target: logits of what follows."""
        kept = self.caches, self.memory, self.mask
        return read_cached(self.model, input_ids, *kept)

    def reorder(self, rows: Int[Tensor, "rows"]) -> None:
        """Let target i go on from `rows[i]`, of the same source or fewer."""
        for cache in self.caches:
            cache.reorder(rows)
        if len(rows) < len(self.memory[0][0]):
            self.memory = [
                (key[rows], value[rows]) for key, value in self.memory
            ]
            self.mask = None if self.mask is None else self.mask[rows]


def greedy(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    begin_id: int,
    end_id: int,
    max_length: int,
    prefix_ids: Int[Tensor, "batch prefix"] | None = None,
) -> Int[Tensor, "batch target"]:
    """Write the most likely next token, again and again.

    A target that begins with a prefix, padded at the right, without an
    end and shorter than `max_length`, goes on from there. All end with
    `end_id`, or after `max_length` tokens, and are padded to the longest.
    Padding is never written before the end.
    """
    begin = torch.full_like(source_ids[:, :1], begin_id)
    if prefix_ids is None:
        prefix_ids = begin[:, :0]
    given = prefix_ids != model.pad_id
    shortest = int(given.all(dim=0).sum())  # so far all are read together
    written = source_ids.new_full((len(begin), max_length), model.pad_id)
    written[:, :shortest] = prefix_ids[:, :shortest]
    with torch.inference_mode():
        running = torch.arange(len(begin), device=begin.device)
        writer = Writer(model, source_ids, max_length)
        new = torch.cat([begin, written[:, :shortest]], dim=1)
        for place in range(shortest, max_length):
            logits = writer.read(new)
            logits[:, model.pad_id] = NEVER
            following = logits.argmax(dim=-1)
            if place < prefix_ids.shape[1]:
                forced = given[running, place]
                following = prefix_ids[running, place].where(forced, following)
            written[running, place] = following
            (going,) = (following != end_id).nonzero(as_tuple=True)
            if not len(going):
                break
            if len(going) < len(running):  # who has ended leaves
                running, following = running[going], following[going]
                writer.reorder(going)
            new = following[:, None]
    return written[:, (written != model.pad_id).any(dim=0)]


def keep_likely(
    logits: Float[Tensor, "batch vocab"],
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "batch vocab"]:
    """Set the logits of unlikely tokens to -inf.

    `top_k`, 1 or more, keeps the k largest, of equal ones the first;
    `top_p`, above 0 and below 1, then keeps the fewest whose
    probabilities sum to at least p, one at least.
    Source: Fan et al. 2018, section 5; Holtzman et al. 2020, section 3.1.
    """
    logits, order = logits.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(logits.shape[-1], device=logits.device)
    if top_k is not None:
        logits = logits.masked_fill(rank >= top_k, NEVER)
    if top_p is not None:
        likely = logits.softmax(dim=-1)
        before = likely.cumsum(dim=-1) - likely
        unlikely = (before >= top_p) & (rank > 0)
        logits = logits.masked_fill(unlikely, NEVER)
    return torch.empty_like(logits).scatter(-1, order, logits)


def sample_token(
    logits: Float[Tensor, "batch vocab"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch"]:
    """Draw the next token of each row by its probability.

    A low temperature makes likely tokens likelier; at 0 the most likely
    one is taken. Then `keep_likely` leaves out the others.
    Source: Ackley et al. 1985 for the temperature.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = keep_likely(logits / temperature, top_k, top_p)
    weights = logits.softmax(dim=-1)
    return torch.multinomial(weights, 1, generator=generator)[:, 0]


def continuations(
    scores: Float[Tensor, "batch beams"],
    likely: Float[Tensor, "rows vocab"],
    n_best: int,
) -> tuple[
    Float[Tensor, "batch best"],
    Int[Tensor, "batch best"],
    Int[Tensor, "batch best"],
]:
    """The best ways to go on from the beams of each source, best first.

    Returns their scores, the beams they go on from, and the tokens that
    follow. Each beam has a row of log-probabilities.
    """
    vocab_size = likely.shape[-1]
    paths = scores[..., None] + likely.unflatten(0, scores.shape)
    scores, places = paths.flatten(1).topk(n_best)
    return scores, places // vocab_size, places % vocab_size


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

    Scores are sums of log-probabilities. Each step looks at the
    `2 * n_beams` best continuations of a source. Those among the first
    `n_beams` that end, or have `max_length` tokens, are ranked by their
    score divided by their length, the end counted, to the power of
    `length_penalty`, and the best `n_beams` so far are kept. The best
    `n_beams` that do not end go on. A source is done when it has `n_beams`
    ended targets, and no beginning that would rank above the worst of them
    if it ended as it is. Padding is never written before the end: its
    log-probability is -inf, and the others keep theirs. Targets are padded
    to the longest.
    Source: Wu et al. 2016, section 7; the rules are those of transformers.
    """
    batch, device = len(source_ids), source_ids.device
    written = source_ids.new_full((batch, max_length), model.pad_id)
    with torch.inference_mode():
        sources = torch.arange(batch, device=device)  # those not done
        targets = written[:, None].repeat(1, n_beams, 1)
        scores = torch.full((batch, n_beams), NEVER, device=device)
        ended, ranks = targets, scores.clone()
        scores[:, 0] = 0.0  # at first all beams of a source are the same
        writer = Writer(model, source_ids, max_length, copies=n_beams)
        new = torch.full_like(targets[..., 0], begin_id)
        for place in range(max_length):
            likely = writer.read(new.view(-1, 1)).float().log_softmax(dim=-1)
            likely[:, model.pad_id] = NEVER
            scores, beam, token = continuations(scores, likely, 2 * n_beams)
            candidates = targets.take_along_dim(beam[..., None], dim=1)
            candidates[..., place] = token
            ends = (token == end_id) | (place + 1 == max_length)

            reached = scores / (place + 1) ** length_penalty
            reached = reached.masked_fill(~ends, NEVER)[:, :n_beams]
            ranks, kept = torch.cat([ranks, reached], dim=1).topk(n_beams)
            ended = torch.cat([ended, candidates[:, :n_beams]], dim=1)
            ended = ended.take_along_dim(kept[..., None], dim=1)
            written[sources] = ended[:, 0]

            scores, kept = scores.masked_fill(ends, NEVER).topk(n_beams)
            targets = candidates.take_along_dim(kept[..., None], dim=1)
            new, beam = token.gather(1, kept), beam.gather(1, kept)
            first = n_beams * torch.arange(len(sources), device=device)
            rows = beam + first[:, None]
            going = scores[:, 0] / (place + 1) ** length_penalty > ranks[:, -1]
            if not going.any():
                break
            if not going.all():  # who is done leaves
                state = sources, targets, scores, ended, ranks, new, rows
                sources, targets, scores, ended, ranks, new, rows = (
                    part[going] for part in state
                )
            writer.reorder(rows.flatten())
    return written[:, (written != model.pad_id).any(dim=0)]
