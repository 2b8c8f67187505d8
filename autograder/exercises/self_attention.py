"""What attention, its heads and the module of chapter 04 must do, and how they go wrong."""

import torch
from torch import nn
from torch.nn import functional as F

import solutions.self_attention
from autograder.exercises.asking import Wrong
from autograder.exercises.comparing import show_call
from autograder.exercises.namespace import Step
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.masks import masked_softmax
from solutions.self_attention import MultiHeadAttention

NEGATIVE_INFINITY = float("-inf")
WHOLE = ("scaled_dot_product", "multi_head_attention", "native_multi_head", "flash_att", "efficient_att")


def _vectors(draw, *leading, query=3, key=4, d_head=5, d_value=6, dtype=torch.float32):
    """A query, a key and a value of these sizes, all of them different."""
    return (
        draw.scores(*leading, query, d_head, dtype=dtype),
        draw.scores(*leading, key, d_head, dtype=dtype),
        draw.scores(*leading, key, d_value, dtype=dtype),
    )


def _with_an_empty_row(mask):
    mask = mask.clone()
    mask[(0,) * (mask.dim() - 2) + (1,)] = False
    return mask


class Attention(Exercise):
    name = "attention"
    solutions = solutions.self_attention
    forbidden = WHOLE

    @behaviour("averages the values, weighted by the softmax of the scaled scores", points=3)
    def average(ask, draw):
        ask.same(*_vectors(draw, query=1, key=2, d_head=4, d_value=2))
        ask.same(*_vectors(draw, query=2, key=3, d_head=9, d_value=4))
        ask.same(*_vectors(draw, query=4, key=3, d_head=16, d_value=2))

    @behaviour("takes any number of axes in front, other lengths and other sizes of the values", points=2)
    def shapes(ask, draw):
        ask.same(*_vectors(draw, 2, query=1, key=2, d_head=3, d_value=2))
        ask.same(*_vectors(draw, 3, query=3, key=4, d_head=4, d_value=2))
        ask.same(*_vectors(draw, 2, 3, query=4, key=draw.integer(5, 7), d_head=8, d_value=3))
        ask.same(*_vectors(draw, 2, 1, 3, query=2, key=4))
        ask.same(*_vectors(draw, 1, 1, query=1, key=1, d_head=1, d_value=1))
        ask.same(*_vectors(draw, 4, 4, query=4, key=4, d_head=4, d_value=4))

    @behaviour("looks only where the mask lets it", points=2)
    def masked(ask, draw):
        ask.same(*_vectors(draw, query=1, key=2, d_head=2, d_value=2), torch.tensor([[True, False]]))
        ask.same(*_vectors(draw, query=3, key=4), draw.mask(3, 4))
        ask.same(*_vectors(draw, 2, query=3, key=4), draw.mask(2, 1, 4))
        for shape in ((3, 4), (2, 1, 1, 4), (2, 1, 3, 4), (2, 2, 3, 4)):
            ask.same(*_vectors(draw, 2, 2), mask=draw.mask(*shape))
        ask.same(*_vectors(draw, 3, 3), draw.mask(3, 1, 3, 4))

    @behaviour("gives zeros, never NaN, to a query that may look nowhere", points=1)
    def empty_row(ask, draw):
        empty = torch.tensor([[True, False], [False, False]])
        ask.same(*_vectors(draw, query=2, key=2, d_head=2, d_value=2), empty)
        ask.same(*_vectors(draw, 2, 3), _with_an_empty_row(draw.mask(2, 1, 3, 4)))
        ask.same(*_vectors(draw, 2, 3), torch.zeros(2, 1, 1, 4, dtype=torch.bool))

    @behaviour("holds for large scores", points=1)
    def large(ask, draw):
        query, key, value = _vectors(draw, query=1, key=2, d_head=4, d_value=2)
        ask.same(20 * query.sign(), 20 * key.sign(), value)
        far = torch.tensor([[90.0, 0.0], [-90.0, 0.0]])
        both = torch.tensor([[True, True], [True, False]])
        ask.same(far, far, torch.tensor([[1.0, 2.0], [3.0, -4.0]]), both)
        ask.same(100 * far, 100 * far, torch.tensor([[1.0], [3.0]]), ~both.flip(0) | both)

    @behaviour("works in half precision, in the type of its arguments", points=1)
    def half(ask, draw):
        small = [tensor / 2 for tensor in _vectors(draw, query=2, key=3, d_head=4, d_value=2)]
        ask.same(*[tensor.half() for tensor in small])
        ask.same(*[tensor.half() for tensor in small], torch.tensor([[True, False, True], [False] * 3]))
        small = [tensor / 2 for tensor in _vectors(draw, 2, 2, d_head=4)]
        ask.same(*[tensor.bfloat16() for tensor in small], draw.mask(2, 1, 3, 4))

    @behaviour("passes gradients back, and no NaN from an empty row", points=1)
    def gradient(ask, draw):
        upstream = (draw.scores(2, 2), draw.scores(2, 3))
        ask.same_gradient(*_vectors(draw, query=2, key=3, d_head=4, d_value=2), upstream=upstream)
        upstream = (draw.scores(2, 3, 3, 6), draw.scores(2, 3, 3, 4))
        ask.same_gradient(*_vectors(draw, 2, 3), draw.mask(2, 1, 3, 4), upstream=upstream)
        empty = _with_an_empty_row(draw.mask(3, 4))
        ask.same_gradient(*_vectors(draw, 2, 3), empty, upstream=upstream)

    @behaviour("is right without changing its arguments, and on any device", points=1)
    def neighbourly(ask, draw):
        vectors = _vectors(draw, 2, 3)
        ask.keeps_arguments(*vectors)
        ask.keeps_arguments(*vectors, _with_an_empty_row(draw.mask(2, 1, 3, 4)))
        ask.follows_device(*vectors)
        ask.follows_device(*vectors, draw.mask(3, 4))

    @mistake(
        "The scores are not scaled: products of longer vectors are larger, and the softmax saturates. "
        "Divide by the square root of the size of a query, `query.shape[-1] ** 0.5`.",
        breaks=average,
    )
    def no_scale(query, key, value, mask=None):
        scores = query @ key.mT
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You divide by d_head itself, or by its root twice: the spread of the products grows with the root, "
        "so this makes the weights too even. Divide by `query.shape[-1] ** 0.5`, once.",
        breaks=average,
    )
    def scale_without_root(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1]
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You multiply by the square root of d_head instead of dividing by it: the scores grow where they "
        "should shrink.",
        breaks=average,
    )
    def scale_upside_down(query, key, value, mask=None):
        scores = query @ key.mT * query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You scale by the number of keys: it is the size of a query vector that counts, the last axis, not "
        "how many there are.",
        breaks=average,
    )
    def scale_by_length(query, key, value, mask=None):
        scores = query @ key.mT / key.shape[-2] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You scale by the size of the values: scores are products of queries and keys, so it is their size "
        "that counts. The two may differ.",
        breaks=average,
    )
    def scale_by_values(query, key, value, mask=None):
        scores = query @ key.mT / value.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You scale after the softmax: the weights of a row no longer sum to one. Divide the scores, before "
        "it.",
        breaks=average,
    )
    def scale_after_softmax(query, key, value, mask=None):
        scores = query @ key.mT
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        weights = weights / query.shape[-1] ** 0.5
        return weights @ value, weights

    @mistake(
        "Your columns sum to one, not your rows: the softmax goes over the keys, the last axis.",
        breaks=average,
    )
    def over_queries(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, NEGATIVE_INFINITY)
        weights = scores.softmax(dim=-2)
        weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
        return weights @ value, weights

    @mistake(
        "Your softmax goes over axis 1, whatever that is: the keys with two axes, the queries with three, "
        "the heads with four. Count from the end: `dim=-1`.",
        breaks=shapes,
    )
    def over_axis_one(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, NEGATIVE_INFINITY)
        weights = scores.softmax(dim=1)
        weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
        return weights @ value, weights

    @mistake(
        "You exchange the first two axes of the keys, which is right only where there are no others. "
        "Exchange the last two: `key.mT`, or `key.transpose(-2, -1)`.",
        breaks=shapes,
    )
    def first_axes_exchanged(query, key, value, mask=None):
        scores = query @ key.transpose(0, 1) / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You exchange axes 1 and 2 of the keys, counted from the front: that is right for three axes and "
        "for no other number. Exchange the last two: `key.mT`, or `key.transpose(-2, -1)`.",
        breaks=shapes,
    )
    def middle_axes_exchanged(query, key, value, mask=None):
        keys = key.transpose(1, 2) if key.dim() > 2 else key.T
        scores = query @ keys / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You reshape the keys where they should be transposed: the shape fits, but the numbers stay in "
        "their order. Exchange the last two axes: `key.mT`, or `key.transpose(-2, -1)`.",
        breaks=average,
    )
    def keys_reshaped(query, key, value, mask=None):
        keys = key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])
        scores = query @ keys / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "Without a mask you look at the past alone: no mask means that every query may look at every key.",
        breaks=average,
    )
    def causal_by_itself(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is None:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        weights = masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "You return the scores where the weights belong: the weights come after the softmax, and each row "
        "of them sums to one.",
        breaks=average,
    )
    def scores_for_weights(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, scores

    @mistake(
        "You return the output alone: what is asked for is a pair, the output and the weights.",
        breaks=average,
    )
    def output_alone(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value

    @mistake(
        "You average with the scores, not with the weights: the last product is `weights @ value`.",
        breaks=average,
    )
    def averaged_by_scores(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return scores @ value, weights

    @mistake(
        "The pair is turned round: first the output, then the weights.",
        breaks=average,
    )
    def turned_round(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights, weights @ value

    @mistake(
        "You average the keys: keys decide how much is looked at, values are what is seen. The last product "
        "is with `value`.",
        breaks=average,
    )
    def keys_for_values(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ key, weights

    @mistake(
        "There is no softmax: the scores themselves weigh the values. Weights are positive, and a row of "
        "them sums to one.",
        breaks=average,
    )
    def no_softmax(query, key, value, mask=None):
        weights = query @ key.mT / query.shape[-1] ** 0.5
        weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
        return weights @ value, weights

    @mistake(
        "You take no notice of the mask: hidden keys are looked at like any other.",
        breaks=masked,
    )
    def mask_ignored(query, key, value, mask=None):
        weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "Your mask is inverted: you look exactly where one may not. True means may look, so hide where it "
        "is False, `~mask`.",
        breaks=masked,
    )
    def inverted(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, ~mask)
        return weights @ value, weights

    @mistake(
        "The mask comes after the softmax: the remaining weights of a row no longer sum to one. Hide the "
        "scores, before it, as `masked_softmax` does.",
        breaks=masked,
    )
    def after_softmax(query, key, value, mask=None):
        weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        weights = weights if mask is None else weights * mask
        return weights @ value, weights

    @mistake(
        "Hidden scores become 0, as they do when scores are multiplied by the mask, and exp(0) = 1 is a "
        "weight like any other. They must become -inf.",
        breaks=masked,
    )
    def zero_scores(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = (scores if mask is None else scores * mask).softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "You add the mask to the scores: True counts as 1 and False as 0, so hidden keys only lose a "
        "little. Fill with -inf where the mask is False.",
        breaks=masked,
    )
    def added(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = (scores if mask is None else scores + mask).softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "You hide the values, not the scores: hidden keys still take their share of the weights. Masking "
        "comes before the softmax.",
        breaks=masked,
    )
    def values_hidden(query, key, value, mask=None):
        weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        seen = weights if mask is None else weights * mask
        return seen @ value, weights

    @mistake(
        "A query that may look nowhere gives NaN: the softmax of nothing but -inf is 0 / 0, and so is a "
        "row of zeros divided by its sum. Chapter 03's `masked_softmax` gives it zeros.",
        breaks=empty_row,
    )
    def nan_row(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, NEGATIVE_INFINITY)
        weights = scores.softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "A query that may look nowhere looks everywhere, equally: -1e9 is only a large number, and when all "
        "scores of a row are the same, it hides nothing. Fill with -inf, and give such a row zeros.",
        breaks=empty_row,
    )
    def finite_fill(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        weights = scores.softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "A query that may look nowhere looks everywhere, equally: the smallest number of the type is the "
        "same in the whole row. Give such a row zeros, as `masked_softmax` does.",
        breaks=empty_row,
    )
    def smallest_fill(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        return weights @ value, weights

    @mistake(
        "exp overflows: for a score of 100 it is infinite, and infinity by infinity is NaN. Subtract the "
        "largest score of the row first, or let `softmax` do it.",
        breaks=large,
    )
    def overflow(query, key, value, mask=None):
        exponentials = (query @ key.mT / query.shape[-1] ** 0.5).exp()
        if mask is not None:
            exponentials = exponentials * mask
        weights = exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)
        return weights @ value, weights

    @mistake(
        "You return float32 whatever type the queries have: convert back, or the next layer, in half "
        "precision, fails.",
        breaks=half,
    )
    def always_float32(query, key, value, mask=None):
        scores = query.float() @ key.float().mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value.float(), weights

    @mistake(
        "The output has the type of the arguments, the weights do not: convert both back from float32.",
        breaks=half,
    )
    def weights_in_float32(query, key, value, mask=None):
        scores = query.float() @ key.float().mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return (weights @ value.float()).to(value.dtype), weights

    @mistake(
        "-1e9 does not exist in float16, whose largest number is 65,504: `masked_fill` raises an error. "
        "Fill with `-inf`, which every type has.",
        breaks=half,
    )
    def too_large_for_half(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e9)
        weights = scores.softmax(dim=-1)
        weights = weights if mask is None else weights * mask
        return weights @ value, weights

    @mistake(
        "No gradient reaches queries and keys: `.detach()`, `.data` or `torch.no_grad()` cuts the graph, "
        "and they never learn where to look.",
        breaks=gradient,
    )
    def detached(query, key, value, mask=None):
        scores = (query @ key.mT / query.shape[-1] ** 0.5).detach()
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights

    @mistake(
        "The weights of an empty row are zero, but its gradient is NaN: you add -inf and replace the NaN "
        "afterwards, and on the way back 0 times NaN is NaN. Fill with `masked_fill`, whose gradient is 0 "
        "where it filled, or call `masked_softmax`.",
        breaks=gradient,
    )
    def nan_gradient(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores + torch.zeros_like(scores).masked_fill(~mask, NEGATIVE_INFINITY)
        weights = scores.softmax(dim=-1)
        weights = weights if mask is None else weights.masked_fill(~mask, 0.0)
        return weights @ value, weights

    @mistake(
        "You divide the caller's queries in place: `/=` and functions with an underscore at the end change "
        "the tensor they are given. Make a new one.",
        breaks=neighbourly,
    )
    def in_place(query, key, value, mask=None):
        query /= query.shape[-1] ** 0.5
        scores = query @ key.mT
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return weights @ value, weights


class SplitHeads(Exercise):
    name = "split_heads"
    solutions = solutions.self_attention

    @behaviour("has the shape (batch, heads, length, d_head)", points=1)
    def shape(ask, draw):
        ask.same_kind(draw.scores(1, 3, 4), 2)
        ask.same_kind(draw.scores(2, 5, 12), 3)

    @behaviour("gives each head its piece of each token's vector, and mixes no tokens", points=2)
    def pieces(ask, draw):
        ask.same(torch.tensor([[[0.0, 1, 2, 3], [10, 11, 12, 13]]]), 2)
        ask.same(draw.scores(2, 5, 12), 3)
        ask.same(draw.scores(3, 3, 9), n_heads=3)
        ask.same(draw.scores(1, 1, 6), 6)
        ask.same(draw.scores(2, 4, 8), 1)
        ask.same(draw.scores(2, draw.integer(5, 9), 8, dtype=torch.float16), 4)
        ask.same(draw.scores(5, 2, 12).transpose(0, 1), 3)

    @behaviour("refuses a d_model that is no multiple of n_heads", points=1)
    def refuses(ask, draw):
        ask.refuses("ValueError", draw.scores(1, 2, 4), 3)
        ask.refuses("ValueError", draw.scores(2, 4, 6), 4)
        ask.refuses("ValueError", draw.scores(2, 3, 4), 8)
        ask.takes("ValueError", draw.scores(2, 3, 6), 3)

    @behaviour("passes gradients back, changes nothing, and works on any device", points=1)
    def neighbourly(ask, draw):
        ask.same_gradient(draw.scores(2, 5, 12), 3, upstream=draw.scores(2, 3, 5, 4))
        ask.keeps_arguments(draw.scores(2, 5, 12), 3)
        ask.follows_device(draw.scores(2, 5, 12), 3)

    @mistake(
        "You reshape straight to (batch, heads, length, d_head): the shape is right, but the numbers stay "
        "in their order, so the first head gets the whole vectors of the first tokens. Cut the last axis "
        "into (heads, d_head), then exchange the axes of length and heads.",
        breaks=pieces,
    )
    def without_transposing(x, n_heads):
        batch, length, d_model = x.shape
        if d_model % n_heads:
            raise ValueError
        return x.reshape(batch, n_heads, length, d_model // n_heads)

    @mistake(
        "The axes are (batch, length, heads, d_head): the heads must come before the length, so that the "
        "last two axes are those of one attention. Exchange axes 1 and 2.",
        breaks=shape,
    )
    def length_first(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.unflatten(-1, (n_heads, x.shape[-1] // n_heads))

    @mistake(
        "You deal the numbers out like cards: head 0 gets every n-th number of the vector. Each head gets a "
        "piece of neighbouring numbers: cut the last axis into (heads, d_head), in this order.",
        breaks=pieces,
    )
    def dealt_out(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.unflatten(-1, (x.shape[-1] // n_heads, n_heads)).permute(0, 3, 1, 2)

    @mistake(
        "The heads stand before the batch: the shape is (batch, heads, length, d_head).",
        breaks=shape,
    )
    def heads_first(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.unflatten(-1, (n_heads, x.shape[-1] // n_heads)).permute(2, 0, 1, 3)

    @mistake(
        "You join batch and heads in one axis: chapter 03's masks need four axes, (batch, heads, length, "
        "d_head).",
        breaks=shape,
    )
    def batch_and_heads_joined(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        heads = x.unflatten(-1, (n_heads, x.shape[-1] // n_heads)).transpose(1, 2)
        return heads.flatten(0, 1)

    @mistake(
        "The last two axes are exchanged: a token's piece is a row, (batch, heads, length, d_head).",
        breaks=shape,
    )
    def pieces_as_columns(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.unflatten(-1, (n_heads, x.shape[-1] // n_heads)).permute(0, 2, 3, 1)

    @mistake(
        "Every head gets the first piece of the vector, and the rest is lost: head h begins at h times "
        "d_head.",
        breaks=pieces,
    )
    def first_piece_for_all(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        piece = x[..., : x.shape[-1] // n_heads]
        return torch.stack([piece] * n_heads, dim=1)

    @mistake(
        "The heads are in reverse: head 0 gets the first piece of the vector.",
        breaks=pieces,
    )
    def reversed_heads(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.unflatten(-1, (n_heads, x.shape[-1] // n_heads)).transpose(1, 2).flip(1)

    @mistake(
        "You silently drop the numbers that no head gets: where d_model is no multiple of n_heads, raise a "
        "ValueError.",
        breaks=refuses,
    )
    def rest_dropped(x, n_heads):
        batch, length, d_model = x.shape
        d_head = d_model // n_heads
        pieces = x[..., : n_heads * d_head].reshape(batch, length, n_heads, d_head)
        return pieces.transpose(1, 2)

    @mistake(
        "Where d_model is no multiple of n_heads you leave it to PyTorch to complain, with a RuntimeError "
        "about shapes: check it first, and raise a ValueError that says so.",
        breaks=refuses,
    )
    def left_to_torch(x, n_heads):
        batch, length, d_model = x.shape
        return x.reshape(batch, length, n_heads, d_model // n_heads).transpose(1, 2)

    @mistake(
        "Where d_model is no multiple of n_heads, `unflatten` raises a RuntimeError about sizes: check it "
        "first, and raise a ValueError that says so.",
        breaks=refuses,
    )
    def left_to_unflatten(x, n_heads):
        return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    @mistake(
        "`assert` raises an AssertionError, and nothing at all where Python runs with -O: for a wrong "
        "argument, raise a ValueError.",
        breaks=refuses,
    )
    def with_assert(x, n_heads):
        assert x.shape[-1] % n_heads == 0
        return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    @mistake(
        "No gradient reaches x: `.detach()`, `.data` or `torch.tensor(...)` cuts the graph, and nothing "
        "before the heads learns.",
        breaks=neighbourly,
    )
    def detached(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError
        return x.detach().unflatten(-1, (n_heads, -1)).transpose(1, 2)


class MergeHeads(Exercise):
    name = "merge_heads"
    solutions = solutions.self_attention

    @behaviour("has the shape (batch, length, d_model)", points=1)
    def shape(ask, draw):
        ask.same_kind(draw.scores(1, 2, 3, 2))
        ask.same_kind(draw.scores(2, 3, 5, 4))

    @behaviour("puts each token's pieces together again, head by head", points=2)
    def pieces(ask, draw):
        ask.same(torch.tensor([[[[0.0, 1], [10, 11]], [[2, 3], [12, 13]]]]))
        ask.same(draw.scores(2, 3, 5, 4))
        ask.same(draw.scores(3, 3, 3, 3))
        ask.same(draw.scores(2, 1, 4, 3))
        ask.same(draw.scores(1, 6, 1, 1))
        ask.same(draw.scores(2, 4, draw.integer(5, 9), 2, dtype=torch.float16))
        ask.same(draw.scores(2, 5, 3, 4).transpose(1, 2))

    @behaviour("passes gradients back, changes nothing, and works on any device", points=1)
    def neighbourly(ask, draw):
        ask.same_gradient(draw.scores(2, 3, 5, 4), upstream=draw.scores(2, 5, 12))
        ask.keeps_arguments(draw.scores(2, 3, 5, 4))
        ask.follows_device(draw.scores(2, 3, 5, 4))

    @mistake(
        "You reshape straight to (batch, length, d_model): the shape is right, but the numbers stay in "
        "their order, head by head, so that the first token gets pieces of other tokens. Exchange the axes "
        "of heads and length first.",
        breaks=pieces,
    )
    def without_transposing(x):
        batch, heads, length, d_head = x.shape
        return x.reshape(batch, length, heads * d_head)

    @mistake(
        "`view` refuses: after exchanging two axes the numbers no longer lie in order. Use `reshape` or "
        "`flatten`, which copy where they must, or call `contiguous()` before it.",
        breaks=shape,
    )
    def view_after_transposing(x):
        batch, heads, length, d_head = x.shape
        return x.contiguous().transpose(1, 2).view(batch, length, heads * d_head)

    @mistake(
        "You add the heads up: each has something of its own to say. Their pieces stand one after the other.",
        breaks=shape,
    )
    def summed(x):
        return x.sum(dim=1)

    @mistake(
        "You average the heads: each has something of its own to say. Their pieces stand one after the "
        "other.",
        breaks=shape,
    )
    def averaged(x):
        return x.mean(dim=1)

    @mistake(
        "You shuffle the heads into one another, number by number: the pieces stay whole. The last axis is "
        "(heads, d_head), in this order.",
        breaks=pieces,
    )
    def shuffled(x):
        return x.permute(0, 2, 3, 1).flatten(-2)

    @mistake(
        "You join heads and length, one head under the other: that makes a longer text. The axes to be "
        "joined are those of heads and d_head.",
        breaks=shape,
    )
    def stacked(x):
        return x.flatten(1, 2)

    @mistake(
        "The pieces are in reverse: head 0 comes first.",
        breaks=pieces,
    )
    def reversed_heads(x):
        return x.flip(1).transpose(1, 2).flatten(-2)

    @mistake(
        "The axes of batch and length are exchanged: the shape is (batch, length, d_model).",
        breaks=shape,
    )
    def length_first(x):
        return x.permute(2, 0, 1, 3).flatten(-2)

    @mistake(
        "No gradient reaches the heads: `.detach()`, `.data` or `torch.tensor(...)` cuts the graph, and "
        "nothing before this function learns.",
        breaks=neighbourly,
    )
    def detached(x):
        return x.detach().transpose(1, 2).flatten(-2)


def _steps(*questions, training=False):
    """Questions to one module in turn: an input, or an input and a mask."""
    return [Step(arguments=question, training=training) for question in questions]


def _half_of_the_weights_dropped(ask, draw):
    """What can be told although chance decides which weights are dropped.

    First each token sees itself, and the two numbers of its value cancel: dropped together, they still do.
    Then each token of two equal sentences looks at all others equally, in two heads with equal values.
    """
    built = ask.build(draw, 2, 1, dropout=0.5)
    nothing = {name: torch.zeros_like(weight) for name, weight in built.weights.items()}
    built.weights = nothing | {"value.bias": torch.tensor([1.0, -1.0]), "output.weight": torch.ones(2, 2)}
    alone = torch.eye(24, dtype=torch.bool)
    built.same(torch.zeros(1, 24, 2), alone, training=True)
    built = ask.build(draw, 2, 2, dropout=0.5)
    built.weights = nothing | {"value.weight": torch.ones(2, 2), "output.weight": torch.eye(2)}
    x = draw.scores(1, 24, 2).abs().expand(2, 24, 2)
    dropped_by_chance(built, (x, alone), (x,))


def dropped_by_chance(built, alone, together):
    """With `dropout=0.5` a weight is dropped or doubled, each by itself; Wrong where one is not.

    In the question `alone` each position looks at one other, in `together` at many. Nothing but chance
    makes a difference between the two sentences, the positions, and the two heads, which are the numbers
    of a position.
    """
    call, found, whole = built.in_training(*alone)
    built.ask.compare(call, _shape(found), _shape(whole))
    share = found / whole
    if not (torch.minimum(share.abs(), (share - 2).abs()) < 1e-3).all():
        raise Wrong("with dropout=0.5 a weight becomes 0 or twice what it was, nothing else", show_call(call))
    if share.max() < 1 or share.min() > 1:
        raise Wrong("with dropout=0.5 about half of the weights are dropped", show_call(call))
    call, found, _ = built.in_training(*together)
    if (found == 0).float().mean() > 0.2:
        message = "it drops all or nothing of what a position looks at: each weight is dropped by itself"
        raise Wrong(message, show_call(call))
    for axis, what in enumerate(("sentences", "positions that look", "heads")):
        if torch.isclose(found, found.narrow(axis, 0, 1), atol=1e-5).all():
            message = f"it drops the same for all {what}: each weight is dropped by itself"
            raise Wrong(message, show_call(call))


def _shape(value):
    return list(value.shape) if isinstance(value, torch.Tensor) else value


class ManyHeads(Exercise):
    name = "MultiHeadAttention"
    solutions = solutions.self_attention
    builds_on = ("attention", "split_heads", "merge_heads")
    forbidden = ("multi_head_attention", "native_multi_head")

    @behaviour("has four linear layers from d_model to d_model: query, key, value and output", points=1)
    def parameters(ask, draw):
        ask.build(draw, 4, 2).same_parameters()
        ask.build(draw, 12, 3, 0.1).same_parameters()

    @behaviour("attends in several heads at once, each on its piece of the vectors", points=3)
    def heads(ask, draw):
        ask.build(draw, 6, 2).same(draw.scores(1, 3, 6))
        built = ask.build(draw, 12, 3)
        built.same(draw.scores(2, 5, 12))
        x = (draw.scores(1, 5, 12), draw.scores(3, 3, 12), draw.scores(1, 1, 12))
        built.same_steps(*_steps((x[0], None), (x[1],), (x[2],)), *_steps((x[0],), training=True))
        ask.build(draw, 16, 1, 0.0).same(draw.scores(2, 4, 16))
        ask.build(draw, 8, n_heads=8).same(draw.scores(2, draw.integer(3, 6), 8))

    @behaviour("obeys every mask of chapter 03", points=3)
    def masks(ask, draw):
        ask.build(draw, 6, 2).same(draw.scores(1, 2, 6), torch.tensor([[True, False], [True, True]]))
        built = ask.build(draw, 12, 3)
        x = draw.scores(2, 5, 12)
        built.same(x, mask=draw.mask(2, 1, 5, 5))
        same_sizes = draw.scores(3, 3, 12)
        built.same_steps(
            *_steps((x, draw.mask(5, 5)), (x, draw.mask(2, 1, 1, 5))),
            *_steps((x, draw.mask(2, 3, 5, 5)), (x, draw.mask(1, 3, 1, 5))),
            *_steps((same_sizes, draw.mask(3, 1, 1, 3)), (same_sizes, draw.mask(3, 1, 3, 3))),
        )

    @behaviour("adds nothing for a query that may look nowhere, and is never NaN", points=1)
    def empty_row(ask, draw):
        empty = torch.tensor([[True, False], [False, False]])
        ask.build(draw, 6, 2).same(draw.scores(1, 2, 6), empty)
        built = ask.build(draw, 12, 3)
        built.same(draw.scores(2, 5, 12), _with_an_empty_row(draw.mask(2, 1, 5, 5)))
        upstream = draw.scores(2, 5, 12)
        built.same_gradient(
            draw.scores(2, 5, 12), _with_an_empty_row(draw.mask(2, 3, 5, 5)), upstream=upstream
        )

    @behaviour("works in half precision", points=1)
    def half(ask, draw):
        built = ask.build(draw, 4, 2, dtype=torch.bfloat16)
        x = (draw.scores(1, 2, 4) / 2).bfloat16()
        built.same_steps(*_steps((x,), (x, torch.tensor([[True, False], [False, False]]))))
        built = ask.build(draw, 12, 3, dtype=torch.float16)
        built.same((draw.scores(2, 5, 12) / 2).half(), draw.mask(2, 1, 5, 5))

    @behaviour("drops weights in training, and only then", points=2)
    def dropout(ask, draw):
        built = ask.build(draw, 4, 2, dropout=1.0)
        built.same(draw.scores(1, 3, 4), training=True)
        x, mask = draw.scores(2, 3, 4), draw.mask(2, 1, 3, 3)
        built.same_steps(*_steps((x, mask), training=True), *_steps((x, mask), (x,)))
        _half_of_the_weights_dropped(ask, draw)

    @behaviour("passes gradients to its input and to all of its layers", points=1)
    def gradient(ask, draw):
        upstream = draw.scores(1, 3, 4)
        ask.build(draw, 4, 2).same_gradient(draw.scores(1, 3, 4), upstream=upstream)
        built = ask.build(draw, 12, 3)
        built.same_gradient(draw.scores(2, 5, 12), draw.mask(2, 1, 5, 5), upstream=draw.scores(2, 5, 12))

    @behaviour("refuses a d_model that is no multiple of n_heads", points=1)
    def refuses(ask, draw):
        ask.refuses("ValueError", 4, 3)
        ask.refuses("ValueError", 12, 8, 0.1)
        ask.refuses("ValueError", 4, n_heads=8)
        ask.takes("ValueError", 6, 3)

    @behaviour("is right without changing its arguments, and on any device", points=1)
    def neighbourly(ask, draw):
        built = ask.build(draw, 12, 3)
        built.keeps_arguments(draw.scores(2, 5, 12), _with_an_empty_row(draw.mask(2, 1, 5, 5)))
        built.follows_device(draw.scores(2, 5, 12))
        built.follows_device(draw.scores(2, 5, 12), draw.mask(2, 1, 5, 5))

    @mistake(
        "Your heads mix the tokens: the numbers were reshaped straight to (batch, heads, length, d_head). "
        "Cut the last axis into (heads, d_head), then exchange the axes of length and heads.",
        breaks=heads,
    )
    class SplitWithoutTransposing(MultiHeadAttention):
        def forward(self, x, mask=None):
            batch, length, d_model = x.shape
            shape = (batch, self.n_heads, length, d_model // self.n_heads)
            heads = F.scaled_dot_product_attention(
                self.query(x).reshape(shape),
                self.key(x).reshape(shape),
                self.value(x).reshape(shape),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Your heads are put together without exchanging the axes of heads and length first: the output of a "
        "token holds pieces of other tokens, even of later ones that the mask forbids.",
        breaks=heads,
    )
    class MergedWithoutTransposing(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.reshape(x.shape))

    @mistake(
        "You reshape to heads and back, both times without exchanging axes: the shapes are right, the "
        "tokens end at their own places, and yet each head holds only some of them and sees nothing of the "
        "others.",
        breaks=heads,
    )
    class NeverTransposed(MultiHeadAttention):
        def forward(self, x, mask=None):
            batch, length, d_model = x.shape
            shape = (batch, self.n_heads, length, d_model // self.n_heads)
            heads = F.scaled_dot_product_attention(
                self.query(x).reshape(shape),
                self.key(x).reshape(shape),
                self.value(x).reshape(shape),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.reshape(x.shape))

    @mistake(
        "Each token's heads attend to one another instead of the tokens: the axes are (batch, length, "
        "heads, d_head), and attention acts on the last two. Exchange length and heads first.",
        breaks=heads,
    )
    class AcrossHeads(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1))
            key = self.key(x).unflatten(-1, (self.n_heads, -1))
            value = self.value(x).unflatten(-1, (self.n_heads, -1))
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = scores.softmax(dim=-1).nan_to_num(0.0)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).flatten(-2))

    @mistake(
        "The numbers are dealt out like cards: head 0 gets every n-th number of a vector. Each head gets a "
        "piece of neighbouring numbers: cut the last axis into (heads, d_head), in this order.",
        breaks=heads,
    )
    class DealtOut(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2),
                self.key(x).unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2),
                self.value(x).unflatten(-1, (-1, self.n_heads)).permute(0, 3, 1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.permute(0, 2, 3, 1).flatten(-2))

    @mistake(
        "Without a mask you look at the past alone: no mask means that every token may look at every other.",
        breaks=heads,
    )
    class CausalByItself(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                is_causal=mask is None,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "There is one head, whatever n_heads says: queries, keys and values must be cut into n_heads pieces "
        "before they attend.",
        breaks=heads,
    )
    class OneHead(MultiHeadAttention):
        def forward(self, x, mask=None):
            if mask is not None and mask.dim() == 4:
                mask = mask[:, 0]
            attended = F.scaled_dot_product_attention(
                self.query(x),
                self.key(x),
                self.value(x),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(attended)

    @mistake(
        "You divide by the root of d_model: inside a head the vectors have d_head numbers, and it is their "
        "size that counts.",
        breaks=heads,
    )
    class ScaledByModel(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
                scale=x.shape[-1] ** -0.5,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "The scores are not scaled: divide them by the square root of d_head, the size of a query inside a "
        "head.",
        breaks=heads,
    )
    class NotScaled(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
                scale=1.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "You divide by d_head itself, or by its root twice: `F.scaled_dot_product_attention` and "
        "`attention` divide by the root of d_head themselves.",
        breaks=heads,
    )
    class ScaledTwice(MultiHeadAttention):
        def forward(self, x, mask=None):
            d_head = x.shape[-1] // self.n_heads
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) / d_head**0.5,
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "The heads go out as they are: the layer `output` must still mix them.",
        breaks=heads,
    )
    class NoOutputLayer(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return heads.transpose(1, 2).flatten(-2)

    @mistake(
        "Queries and keys change places: the scores come out transposed, and each token looks where others "
        "would have looked at it. Queries are made by `query`, keys by `key`.",
        breaks=heads,
    )
    class QueriesForKeys(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Keys serve as values: the layer `value` makes what is averaged, the layer `key` what is compared.",
        breaks=heads,
    )
    class KeysForValues(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "You add x to the output. That is the residual connection, and it belongs to the layer around this "
        "module, which comes in chapter 06.",
        breaks=heads,
    )
    class WithResidual(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return x + self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Your softmax goes over the heads, not over the keys: after splitting, axis 1 is that of the heads. "
        "Count from the end: `dim=-1`.",
        breaks=heads,
    )
    class OverHeads(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = scores.softmax(dim=1).nan_to_num(0.0)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "Your columns sum to one, not your rows: the softmax goes over the keys, the last axis, not over "
        "the queries.",
        breaks=heads,
    )
    class OverQueries(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = scores.softmax(dim=-2).nan_to_num(0.0)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "You take no notice of the mask: hidden keys are looked at like any other.",
        breaks=masks,
    )
    class MaskIgnored(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Your mask is inverted, as in `nn.MultiheadAttention`, which marks what is forbidden. In this "
        "course, and in `F.scaled_dot_product_attention`, True means may look.",
        breaks=masks,
    )
    class Inverted(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=None if mask is None else ~mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "You hand the mask over as numbers: a mask of 1 and 0 is added to the scores, so that hidden keys "
        "only lose a little. Hand it over as it is, boolean.",
        breaks=masks,
    )
    class MaskAdded(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=None if mask is None else mask.to(x.dtype),
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Whatever mask you are given, you use the causal one: `is_causal=True` takes no notice of padding. "
        "Hand over the mask itself.",
        breaks=masks,
    )
    class AlwaysCausal(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                is_causal=mask is not None,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "The mask comes after the softmax: the remaining weights of a row no longer sum to one. Hide the "
        "scores, before it.",
        breaks=masks,
    )
    class MaskAfterSoftmax(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
            if mask is not None:
                weights = weights * mask
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "You insert an axis into every mask: one of shape (batch, 1, 1, key) has its axis of heads already. "
        "Masks broadcast to (batch, heads, query, key) as they are.",
        breaks=masks,
    )
    class AxisInserted(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask.unsqueeze(1), -torch.inf)
            weights = scores.softmax(dim=-1).nan_to_num(0.0)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "The mask of the first sentence is used for the whole batch: each sentence has its own padding.",
        breaks=masks,
    )
    class FirstSentencesMask(MultiHeadAttention):
        def forward(self, x, mask=None):
            if mask is not None and mask.dim() == 4:
                mask = mask[:1]
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "A query that may look nowhere gives NaN: the softmax of nothing but -inf is 0 / 0. "
        "`masked_softmax`, `attention` and `F.scaled_dot_product_attention` give it zeros.",
        breaks=empty_row,
    )
    class NanRow(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "A query that may look nowhere looks everywhere, equally: -1e9, or the smallest number of the type, "
        "is only a number, and when all scores of a row are the same, it hides nothing. Fill with -inf, and "
        "give such a row zeros.",
        breaks=empty_row,
    )
    class FiniteFill(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -1e9)
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "An empty row's output is right, but its gradient is NaN: you replace the NaN after the softmax, "
        "and on the way back 0 times NaN is NaN. Fill the scores rather than adding -inf to them.",
        breaks=empty_row,
    )
    class NanGradient(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            if mask is not None:
                scores = scores + torch.zeros_like(scores).masked_fill(~mask, -torch.inf)
            weights = scores.softmax(dim=-1).nan_to_num(0.0)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "You convert to float32 on the way and not back: in half precision the layer `output` then gets a "
        "type that its weights do not have.",
        breaks=half,
    )
    class AlwaysFloat32(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).float().unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).float().unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).float().unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Dropout goes on after training: `F.scaled_dot_product_attention` and `F.dropout` do not know of "
        "`eval()`. Hand over 0 where `self.training` is False, or use the module `nn.Dropout`.",
        breaks=dropout,
    )
    class AlwaysDrops(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "With `dropout=1.0` nothing is dropped in training: it is not used, or taken for the share that is "
        "kept, or at work in `eval()` alone.",
        breaks=dropout,
    )
    class NeverDrops(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "Dropout acts on the output, its bias included: here it belongs on the weights, before they average "
        "the values.",
        breaks=dropout,
    )
    class DropsOutput(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
            )
            output = self.output(heads.transpose(1, 2).flatten(-2))
            return F.dropout(output, self.dropout, self.training)

    @mistake(
        "Dropout acts on the scores: a dropped score is 0, and exp(0) = 1 is a weight like any other. Drop "
        "the weights, after the softmax.",
        breaks=dropout,
    )
    class DropsScores(MultiHeadAttention):
        def forward(self, x, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            key = self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            value = self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            scores = F.dropout(scores, self.dropout, self.training)
            weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
            return self.output((weights @ value).transpose(1, 2).flatten(-2))

    @mistake(
        "Dropout acts on the input: here it belongs on the weights, before they average the values.",
        breaks=dropout,
    )
    class DropsInput(MultiHeadAttention):
        def forward(self, x, mask=None):
            x = F.dropout(x, self.dropout, self.training)
            heads = F.scaled_dot_product_attention(
                self.query(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "No gradient reaches the layers `query` and `key`: something cuts the graph on the way to the "
        "weights, and they never learn where to look.",
        breaks=gradient,
    )
    class WeightsDetached(MultiHeadAttention):
        def forward(self, x, mask=None):
            heads = F.scaled_dot_product_attention(
                self.query(x).detach().unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.key(x).detach().unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                self.value(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2),
                attn_mask=mask,
                dropout_p=self.dropout if self.training else 0.0,
            )
            return self.output(heads.transpose(1, 2).flatten(-2))

    @mistake(
        "A d_model that is no multiple of n_heads is taken without a word, and fails later with a sentence "
        "about shapes: check it in `__init__`, and raise a ValueError.",
        breaks=refuses,
    )
    class TakesAnySize(MultiHeadAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)

    @mistake(
        "`assert` raises an AssertionError, and nothing at all where Python runs with -O: for a wrong "
        "argument, raise a ValueError.",
        breaks=refuses,
    )
    class WithAssert(MultiHeadAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            assert d_model % n_heads == 0
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)

    @mistake(
        "Your layers have no bias: the four linear layers are `nn.Linear(d_model, d_model)`, bias included.",
        breaks=parameters,
    )
    class NoBias(MultiHeadAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            if d_model % n_heads:
                raise ValueError
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model, bias=False)
            self.key = nn.Linear(d_model, d_model, bias=False)
            self.value = nn.Linear(d_model, d_model, bias=False)
            self.output = nn.Linear(d_model, d_model, bias=False)

    @mistake(
        "Your layers go from d_model to d_head, enough for one head: each goes from d_model to d_model, so "
        "that there is a piece for every head.",
        breaks=parameters,
    )
    class OneHeadsLayers(MultiHeadAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            if d_model % n_heads:
                raise ValueError
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model // n_heads)
            self.key = nn.Linear(d_model, d_model // n_heads)
            self.value = nn.Linear(d_model, d_model // n_heads)
            self.output = nn.Linear(d_model, d_model)
