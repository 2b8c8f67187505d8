"""What the seven masks of chapter 03 must do, and how they go wrong."""

import torch

import solutions.masks
from autograder.exercises.specification import Exercise, behaviour, mistake

NEGATIVE_INFINITY = float("-inf")


def _shapes_of_ids(ask, draw):
    ask.same_kind(torch.tensor([[7, 8, 0], [9, 0, 0]]), 0)
    ask.same_kind(draw.token_ids(draw.integer(2, 4), draw.integer(5, 8), 3), 3)
    ask.same_kind(torch.tensor([[7]]), 0)


def _paddings(ask, draw):
    ask.same(torch.tensor([[7, 8, 0], [9, 0, 0]]), 0, types=False)
    ask.same(torch.tensor([[0, 7, 8], [5, 0, 6]]), 0, types=False)
    ask.same(torch.tensor([[0, 7, 8], [5, 2, 2]]), 2, types=False)
    ask.same(torch.tensor([[0, 0], [4, 5]]), 0, types=False)
    ask.same(torch.tensor([[4, 5, 6]]), 0, types=False)
    ask.same(torch.tensor([[1, -1, -5]]), -1, types=False)
    ask.same(torch.tensor([[2**24, 2**24 + 1, 256, 0]]), 2**24, types=False)
    for pad_id in (0, draw.integer(1, 89)):
        ask.same(draw.token_ids(4, draw.integer(5, 8), pad_id), pad_id, types=False)
    ask.same(draw.token_ids(5, 3, 1).T, 1, types=False)


def _arguments_and_device(ask, draw):
    ids = draw.token_ids(3, draw.integer(5, 8), 2)
    ask.keeps_arguments(ids, 2)
    ask.follows_device(ids, 2)


class CausalMask(Exercise):
    name = "causal_mask"
    solutions = solutions.masks

    @behaviour("is boolean, with queries as rows and keys as columns", points=1)
    def convention(ask, draw):
        ask.same_kind(3)
        ask.same_kind(draw.integer(4, 9))

    @behaviour("lets each token look at itself and the past, never at the future", points=2)
    def past(ask, draw):
        for length in (3, 1, 2, draw.integer(4, 9), 130):
            ask.same(length, types=False)

    @mistake(
        "Your mask is upside down: it is True on the future. torch's own attention module marks what is "
        "forbidden, this course marks what may be looked at.",
        breaks=past,
    )
    def inverted(length):
        return torch.ones(length, length, dtype=torch.bool).triu(diagonal=1)

    @mistake(
        "Your queries cannot see themselves, and the first one sees nothing: the diagonal must be True, "
        "so compare with `>=` (or use `tril()` without an offset).",
        breaks=past,
    )
    def without_diagonal(length):
        return torch.ones(length, length, dtype=torch.bool).tril(diagonal=-1)

    @mistake(
        "Each query also sees the token right after it, which is the very one it has to predict: "
        "the diagonal is one step too far to the right.",
        breaks=past,
    )
    def one_ahead(length):
        return torch.ones(length, length, dtype=torch.bool).tril(diagonal=1)

    @mistake(
        "Rows and columns are exchanged: rows are queries and columns are keys, so the first row "
        "has a single True and the last row is all True.",
        breaks=past,
    )
    def transposed(length):
        return torch.ones(length, length, dtype=torch.bool).triu()

    @mistake(
        "Your mask lets everybody look everywhere, so the future leaks.",
        breaks=past,
    )
    def everything(length):
        return torch.ones(length, length, dtype=torch.bool)

    @mistake(
        "Each token sees itself alone: the past belongs to the mask as well as the diagonal.",
        breaks=past,
    )
    def diagonal_only(length):
        return torch.eye(length, dtype=torch.bool)

    @mistake(
        "You compare the positions with themselves, one by one: the result is a single row, all True. "
        "One of the two must be a column: `position[:, None]`.",
        breaks=convention,
    )
    def without_axis(length):
        position = torch.arange(length)
        return position >= position

    @mistake(
        "The pattern is right, but it is made of the numbers 1 and 0: a mask is boolean in this course. "
        "Pass `dtype=torch.bool`, or compare.",
        breaks=convention,
    )
    def numbers(length):
        return torch.ones(length, length).tril()

    @mistake(
        "This is the additive form, 0 and -inf: it belongs at the edge (`additive_mask` makes it). "
        "A mask is boolean in this course, True = may look.",
        breaks=convention,
    )
    def additive(length):
        return torch.full((length, length), NEGATIVE_INFINITY).triu(diagonal=1)


class PaddingMask(Exercise):
    name = "padding_mask"
    solutions = solutions.masks

    @behaviour("is boolean and of shape (batch, 1, 1, key)", points=1)
    def convention(ask, draw):
        _shapes_of_ids(ask, draw)

    @behaviour("hides the padding as a key, wherever it stands and whatever its id", points=2)
    def padding(ask, draw):
        _paddings(ask, draw)

    @behaviour("is right without changing its argument, and on any device", points=1)
    def neighbourly(ask, draw):
        _arguments_and_device(ask, draw)

    @mistake(
        "Your mask is inverted: it is True on the padding. True means may look.",
        breaks=padding,
    )
    def inverted(token_ids, pad_id):
        return (token_ids == pad_id)[:, None, None, :]

    @mistake(
        "You compare with 0 instead of `pad_id`: in another vocabulary token 0 is a word like any other.",
        breaks=padding,
    )
    def zero_is_padding(token_ids, pad_id):
        return (token_ids != 0)[:, None, None, :]

    @mistake(
        "A mask of shape (batch, key) broadcasts as (query, key): sentence 2's padding would hide keys "
        "from query 2. Insert the axes of heads and queries: `[:, None, None, :]`.",
        breaks=convention,
    )
    def two_axes(token_ids, pad_id):
        return token_ids != pad_id

    @mistake(
        "A mask of shape (batch, 1, key) broadcasts as (heads, query, key): one axis is missing. "
        "Insert those of heads and queries: `[:, None, None, :]`.",
        breaks=convention,
    )
    def three_axes(token_ids, pad_id):
        return (token_ids != pad_id)[:, None, :]

    @mistake(
        "You hide the padding as a query, not as a key: the shape is (batch, 1, key, 1), and real tokens "
        "still look at the padding. The last axis is the keys'.",
        breaks=convention,
    )
    def wrong_axis(token_ids, pad_id):
        return (token_ids != pad_id)[:, None, :, None]

    @mistake(
        "You count the real tokens and open that many positions from the left: padding at the left or "
        "inside then stays visible, and real tokens at the right are lost. Compare each token with `pad_id`.",
        breaks=padding,
    )
    def counted(token_ids, pad_id):
        lengths = (token_ids != pad_id).sum(dim=1, keepdim=True)
        position = torch.arange(token_ids.shape[1], device=token_ids.device)
        return (position < lengths)[:, None, None, :]

    @mistake(
        "Every sentence gets the padding of the first one: the comparison must keep the batch axis.",
        breaks=padding,
    )
    def first_of_batch(token_ids, pad_id):
        return (token_ids[:1] != pad_id)[:, None, None, :].repeat(len(token_ids), 1, 1, 1)

    @mistake(
        "The pattern is right, but it is made of the numbers 1 and 0: a mask is boolean in this course.",
        breaks=convention,
    )
    def numbers(token_ids, pad_id):
        return (token_ids != pad_id)[:, None, None, :].float()

    @mistake(
        "You overwrite the token ids you were given: whoever called you still needs them. Write "
        "`token_ids != pad_id`, which makes a new tensor.",
        breaks=neighbourly,
    )
    def in_place(token_ids, pad_id):
        token_ids[token_ids == pad_id] = 0
        token_ids[token_ids != 0] = 1
        return token_ids.bool()[:, None, None, :]

    @mistake(
        "Your mask is made on the CPU whatever the device of the ids: on a GPU the model stops with "
        "'expected all tensors to be on the same device'. Take the device from `token_ids`.",
        breaks=neighbourly,
    )
    def made_on_cpu(token_ids, pad_id):
        mask = torch.zeros(token_ids.shape, dtype=torch.bool)
        mask[:] = token_ids != pad_id
        return mask[:, None, None, :]


class DecoderMask(Exercise):
    name = "decoder_mask"
    solutions = solutions.masks
    builds_on = ("causal_mask", "padding_mask")

    @behaviour("is boolean and of shape (batch, 1, query, key)", points=1)
    def convention(ask, draw):
        _shapes_of_ids(ask, draw)

    @behaviour("shows each query the real tokens among itself and the past, in every sentence", points=2)
    def real_past(ask, draw):
        _paddings(ask, draw)

    @behaviour("is right without changing its argument, and on any device", points=1)
    def neighbourly(ask, draw):
        _arguments_and_device(ask, draw)

    @mistake(
        "You join the two masks with `|` (or a sum): a key is then visible if it is past or real. "
        "It must be past and real: `&`.",
        breaks=real_past,
    )
    def either(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return causal | (target_ids != pad_id)[:, None, None, :]

    @mistake(
        "The padding is still visible: this is the causal mask alone.",
        breaks=real_past,
    )
    def causal_only(target_ids, pad_id):
        batch, length = target_ids.shape
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return causal.expand(batch, 1, length, length)

    @mistake(
        "The future is still visible: this is the padding mask alone.",
        breaks=real_past,
    )
    def padding_only(target_ids, pad_id):
        batch, length = target_ids.shape
        return (target_ids != pad_id)[:, None, None, :].expand(batch, 1, length, length)

    @mistake(
        "You hide the padding as a query, not as a key: real tokens still look at the padding. "
        "The padding mask has its tokens on the last axis.",
        breaks=real_past,
    )
    def padding_as_query(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return causal & (target_ids != pad_id)[:, None, :, None]

    @mistake(
        "You hide the padding both as a key and as a query: the rows of padding are all False. It is the "
        "keys that must be hidden; a padding query may look where it likes, nobody reads what it finds.",
        breaks=real_past,
    )
    def padding_as_both(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        real = target_ids != pad_id
        return causal & real[:, None, None, :] & real[:, None, :, None]

    @mistake(
        "You open the diagonal again after hiding the padding: a padding token then sees itself, "
        "which the definition does not allow. Rows that see nothing are the softmax's business.",
        breaks=real_past,
    )
    def diagonal_reopened(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=target_ids.device)
        return (causal & (target_ids != pad_id)[:, None, None, :]) | itself

    @mistake(
        "Your queries cannot see themselves: the diagonal of the causal part must be True.",
        breaks=real_past,
    )
    def without_diagonal(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril(-1)
        return causal & (target_ids != pad_id)[:, None, None, :]

    @mistake(
        "Your mask is inverted: it is True where one may not look.",
        breaks=real_past,
    )
    def inverted(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return ~(causal & (target_ids != pad_id)[:, None, None, :])

    @mistake(
        "The causal part looks the wrong way: rows are queries and columns are keys, so it is the "
        "lower triangle that is True.",
        breaks=real_past,
    )
    def transposed(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).triu()
        return causal & (target_ids != pad_id)[:, None, None, :]

    @mistake(
        "Every sentence gets the padding of the first one: the padding mask must keep the batch axis.",
        breaks=real_past,
    )
    def first_of_batch(target_ids, pad_id):
        batch, length = target_ids.shape
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return (causal & (target_ids[0] != pad_id)).expand(batch, 1, length, length)

    @mistake(
        "The axis of the heads is missing: (batch, query, key) broadcasts as (heads, query, key). "
        "The padding mask has four axes, keep them.",
        breaks=convention,
    )
    def three_axes(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=target_ids.device).tril()
        return causal & (target_ids != pad_id)[:, None, :]

    @mistake(
        "The pattern is right, but it is made of the numbers 1 and 0: a product of masks is no mask. Join "
        "booleans with `&`, and leave out `.float()`.",
        breaks=convention,
    )
    def numbers(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, device=target_ids.device).tril()
        return causal * (target_ids != pad_id)[:, None, None, :]

    @mistake(
        "The mask, or its causal part, is on the CPU whatever the device of the ids: on a GPU the model "
        "stops with 'expected all tensors to be on the same device'. Move it: `.to(target_ids.device)`.",
        breaks=neighbourly,
    )
    def made_on_cpu(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        return causal & (target_ids != pad_id)[:, None, None, :]


class MemoryMask(Exercise):
    name = "memory_mask"
    solutions = solutions.masks
    builds_on = ("padding_mask",)

    @behaviour("is boolean and of shape (batch, 1, 1, source)", points=1)
    def convention(ask, draw):
        _shapes_of_ids(ask, draw)

    @behaviour("shows every target position all real tokens of its source", points=1)
    def source(ask, draw):
        _paddings(ask, draw)

    @behaviour("is right without changing its argument, and on any device", points=1)
    def neighbourly(ask, draw):
        _arguments_and_device(ask, draw)

    @mistake(
        "Your mask is causal: but the source is known from its first word to its last before the "
        "target begins, and every target position may look at all of it.",
        breaks=convention,
    )
    def causal(source_ids, pad_id):
        length = source_ids.shape[1]
        past = torch.ones(length, length, dtype=torch.bool, device=source_ids.device).tril()
        return past & (source_ids != pad_id)[:, None, None, :]

    @mistake(
        "Your mask is square, (source, source): queries come from the target, whose length is another "
        "and is not known here. Leave the query axis at 1, it broadcasts.",
        breaks=convention,
    )
    def square(source_ids, pad_id):
        batch, length = source_ids.shape
        return (source_ids != pad_id)[:, None, None, :].expand(batch, 1, length, length)

    @mistake(
        "Your mask is inverted: it is True on the padding. True means may look.",
        breaks=source,
    )
    def inverted(source_ids, pad_id):
        return (source_ids == pad_id)[:, None, None, :]

    @mistake(
        "The padding of the source is still visible: a translation would depend on how long the other "
        "sentences in its batch are. Compare with `!=`; `is not` compares objects.",
        breaks=source,
    )
    def everything(source_ids, pad_id):
        return torch.ones_like(source_ids, dtype=torch.bool)[:, None, None, :]

    @mistake(
        "You put the source on the query axis, (batch, 1, source, 1). In cross-attention the source gives "
        "the keys: the last axis.",
        breaks=convention,
    )
    def wrong_axis(source_ids, pad_id):
        return (source_ids != pad_id)[:, None, :, None]

    @mistake(
        "A mask of shape (batch, source) broadcasts as (query, key): sentence 2's padding would hide "
        "source tokens from query 2. Insert the axes of heads and queries.",
        breaks=convention,
    )
    def two_axes(source_ids, pad_id):
        return source_ids != pad_id

    @mistake(
        "You compare with 0 instead of `pad_id`: the source language has a vocabulary of its own.",
        breaks=source,
    )
    def zero_is_padding(source_ids, pad_id):
        return (source_ids != 0)[:, None, None, :]

    @mistake(
        "Every sentence gets the padding of the first one: the comparison must keep the batch axis.",
        breaks=source,
    )
    def first_of_batch(source_ids, pad_id):
        return (source_ids[:1] != pad_id)[:, None, None, :].repeat(len(source_ids), 1, 1, 1)

    @mistake(
        "The pattern is right, but it is made of the numbers 1 and 0: a mask is boolean in this course.",
        breaks=convention,
    )
    def numbers(source_ids, pad_id):
        return (source_ids != pad_id)[:, None, None, :].long()

    @mistake(
        "Your mask is made on the CPU whatever the device of the ids: on a GPU the model stops with "
        "'expected all tensors to be on the same device'. Take the device from `source_ids`.",
        breaks=neighbourly,
    )
    def made_on_cpu(source_ids, pad_id):
        mask = torch.ones(source_ids.shape, dtype=torch.bool)
        mask[source_ids == pad_id] = False
        return mask[:, None, None, :]


class PrefixMask(Exercise):
    name = "prefix_mask"
    solutions = solutions.masks
    builds_on = ("causal_mask",)

    @behaviour("is boolean and of shape (batch, 1, query, key)", points=1)
    def convention(ask, draw):
        ask.same_kind(torch.tensor([1, 2]), 4)
        ask.same_kind(torch.tensor([1, 4, 2]), draw.integer(5, 8))

    @behaviour("shows the whole prefix to everybody, and the rest causally", points=3)
    def prefix(ask, draw):
        ask.same(torch.tensor([2]), 4, types=False)
        ask.same(torch.tensor([1, 3]), 4, types=False)
        ask.same(torch.tensor([150]), 160, types=False)
        length = draw.integer(6, 9)
        ask.same(torch.tensor([draw.integer(2, length - 2) for _ in range(4)]), length, types=False)

    @behaviour("is causal for an empty prefix, and open where all is prefix", points=1)
    def extremes(ask, draw):
        length = draw.integer(3, 6)
        ask.same(torch.tensor([0]), length, types=False)
        ask.same(torch.tensor([length]), length, types=False)
        ask.same(torch.tensor([1, 0]), 1, types=False)
        ask.same(torch.tensor([0, 2, 0, 1]), 3, types=False)

    @behaviour("is right on any device", points=1)
    def neighbourly(ask, draw):
        lengths = torch.tensor([1, 4, 2])
        ask.keeps_arguments(lengths, 5)
        ask.follows_device(lengths, 5)

    @mistake(
        "Off by one: your prefix is one token longer than told. Positions count from 0, so the prefix "
        "holds the positions < prefix length.",
        breaks=prefix,
    )
    def one_too_long(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position <= prefix_lengths[:, None]
        return (position[:, None] >= position) | in_prefix[:, None, None, :]

    @mistake(
        "You join causal and prefix with `&`: a key would have to be in the past and in the prefix. "
        "Either is enough: `|`.",
        breaks=prefix,
    )
    def both(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position < prefix_lengths[:, None]
        return (position[:, None] >= position) & in_prefix[:, None, None, :]

    @mistake(
        "You open the rows of the prefix instead of its columns: the tokens of the prefix see the whole "
        "sequence, and with it what is still to be generated. It is as keys that they are open.",
        breaks=prefix,
    )
    def rows_for_columns(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position < prefix_lengths[:, None]
        return (position[:, None] >= position) | in_prefix[:, None, :, None]

    @mistake(
        "This is the causal mask alone: the tokens of the prefix must see one another, the later ones too.",
        breaks=prefix,
    )
    def causal_only(prefix_lengths, length):
        causal = torch.ones(length, length, dtype=torch.bool, device=prefix_lengths.device).tril()
        return causal.expand(len(prefix_lengths), 1, length, length)

    @mistake(
        "Only the prefix is visible: what has been generated since must be seen as well, causally.",
        breaks=prefix,
    )
    def prefix_only(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position < prefix_lengths[:, None]
        return in_prefix[:, None, None, :].expand(len(prefix_lengths), 1, length, length)

    @mistake(
        "The prefix sees itself, but what follows no longer sees the prefix: you keep two separate blocks.",
        breaks=prefix,
    )
    def two_blocks(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        inside = (position < prefix_lengths[:, None])[:, None, :]
        same = inside.mT == inside
        return (same & (inside | (position[:, None] >= position)))[:, None]

    @mistake(
        "All sentences get the prefix of the first one: the comparison must keep the batch axis.",
        breaks=prefix,
    )
    def first_of_batch(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        mask = (position[:, None] >= position) | (position < prefix_lengths[0])
        return mask.expand(len(prefix_lengths), 1, length, length)

    @mistake(
        "Your mask is inverted: it is True where one may not look.",
        breaks=prefix,
    )
    def inverted(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position < prefix_lengths[:, None]
        return ~((position[:, None] >= position) | in_prefix[:, None, None, :])

    @mistake(
        "The axis of the heads is missing: (batch, query, key) broadcasts as (heads, query, key).",
        breaks=convention,
    )
    def three_axes(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = position < prefix_lengths[:, None]
        return (position[:, None] >= position) | in_prefix[:, None, :]

    @mistake(
        "The pattern is right, but it is made of numbers: join booleans with `|`, not with `+`, and leave "
        "out `.float()`.",
        breaks=convention,
    )
    def numbers(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        in_prefix = (position < prefix_lengths[:, None])[:, None, None, :]
        return ((position[:, None] >= position).float() + in_prefix.float()).clamp(max=1)

    @mistake(
        "Your mask is made on the CPU whatever the device of `prefix_lengths`, or moved there: pass "
        "`device=prefix_lengths.device` to `torch.arange`, and leave out `.cpu()`.",
        breaks=neighbourly,
    )
    def made_on_cpu(prefix_lengths, length):
        position = torch.arange(length)
        in_prefix = position < prefix_lengths[:, None]
        return (position[:, None] >= position) | in_prefix[:, None, None, :]


class AdditiveMask(Exercise):
    name = "additive_mask"
    solutions = solutions.masks

    @behaviour("has the type asked for and the shape of the mask", points=1)
    def convention(ask, draw):
        ask.same_kind(torch.tensor([[True, False], [True, True]]), torch.float32)
        ask.same_kind(draw.mask(2, 1, 3, 4), torch.float64)
        ask.same_kind(draw.mask(2, 1, 1, 5), torch.bfloat16)

    @behaviour("is 0 where one may look and -inf elsewhere", points=2)
    def values(ask, draw):
        ask.same(torch.tensor([[True, False], [True, True]]), torch.float32, types=False)
        ask.same(draw.mask(2, 1, 3, 4), torch.float64, types=False)
        ask.same(torch.tensor([[True, True], [False, False]]), torch.float32, types=False)
        ask.same(torch.tensor([True, True]), torch.float32, types=False)
        ask.same(torch.tensor(False), torch.float32, types=False)
        ask.same(draw.mask(4, 3).T, torch.float32, types=False)

    @behaviour("works in half precision", points=1)
    def half(ask, draw):
        ask.same(torch.tensor([[True, False], [True, True]]), torch.float16, types=False)
        ask.same(draw.mask(3, 4), torch.bfloat16, types=False)

    @behaviour("is right without changing the mask, and on any device", points=1)
    def neighbourly(ask, draw):
        mask = draw.mask(3, 4)
        ask.keeps_arguments(mask, torch.float32)
        ask.follows_device(mask, torch.float32)

    @mistake(
        "Your mask is inverted: what may be looked at gets -inf. Fill where the mask is False: `~mask`.",
        breaks=values,
    )
    def inverted(mask, dtype):
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, NEGATIVE_INFINITY)

    @mistake(
        "-1e9 is only a large number: it does not exist in half precision, and where all scores are "
        "lower the masked keys win. Fill with `-inf`.",
        breaks=values,
    )
    def finite_fill(mask, dtype):
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -1e9)

    @mistake(
        "The smallest number of the type is still a number: add two such masks and it overflows, and in a "
        "row that sees nothing the softmax is uniform. Fill with `-inf`.",
        breaks=values,
    )
    def smallest_number(mask, dtype):
        smallest = torch.finfo(dtype).min
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, smallest)

    @mistake(
        "0 times infinity is NaN: a product cannot make this mask. Choose instead, with "
        "`masked_fill` or `torch.where`.",
        breaks=values,
    )
    def product(mask, dtype):
        return (~mask).to(dtype) * NEGATIVE_INFINITY

    @mistake(
        "You take the logarithm of the mask plus a small number: what is forbidden is then merely unlikely. "
        "Fill with `-inf`.",
        breaks=values,
    )
    def soft_logarithm(mask, dtype):
        return (mask.to(torch.float32) + 1e-9).log().to(dtype)

    @mistake(
        "What may be looked at gets 1, not 0: added to the scores it should change nothing.",
        breaks=values,
    )
    def one_for_zero(mask, dtype):
        return torch.ones(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, NEGATIVE_INFINITY)

    @mistake(
        "You return float32 whatever type is asked for: added to half-precision scores it makes them "
        "float32 again, or the attention function refuses it. Pass `dtype=dtype`.",
        breaks=convention,
    )
    def always_float32(mask, dtype):
        return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, NEGATIVE_INFINITY)

    @mistake(
        "Your zeros are made on the CPU whatever the device of the mask: pass `device=mask.device`.",
        breaks=neighbourly,
    )
    def made_on_cpu(mask, dtype):
        additive = torch.zeros(mask.shape, dtype=dtype)
        additive[~mask] = NEGATIVE_INFINITY
        return additive

    @mistake(
        "You negate the mask itself with `logical_not_`: the underscore writes into the caller's tensor, "
        "and the next layer finds it inverted. Write `~mask`.",
        breaks=neighbourly,
    )
    def in_place(mask, dtype):
        hidden = mask.logical_not_()
        return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill(
            hidden, NEGATIVE_INFINITY
        )


class MaskedSoftmax(Exercise):
    name = "masked_softmax"
    solutions = solutions.masks
    forbidden = ("scaled_dot_product",)

    @behaviour("gives weights of the shape and type of the scores", points=1)
    def convention(ask, draw):
        ask.same_kind(draw.scores(2, 3), draw.mask(2, 3))
        ask.same_kind(draw.scores(2, 3, 4, 5), draw.mask(2, 1, 1, 5))
        ask.same_kind(draw.scores(2, 1, 3, 4, dtype=torch.float64), draw.mask(3, 4))

    @behaviour("is the softmax over the keys that may be looked at", points=2)
    def weights(ask, draw):
        ask.same(draw.scores(1, 3), torch.tensor([[True, False, True]]), types=False)
        ask.same(draw.scores(2, 3), draw.mask(2, 3), types=False)
        ask.same(draw.scores(2, 3, 4, 5), draw.mask(2, 1, 1, 5), types=False)
        ask.same(draw.scores(2, 3, 4, 4), draw.mask(4, 4), types=False)
        ask.same(draw.scores(2, 3, 4, 4).double(), draw.mask(4, 4), types=False)
        fine = torch.tensor([[65536.0, 0.0, 65536.003]], dtype=torch.float64)  # equal in float32
        ask.same(fine, torch.tensor([[True, False, True]]), types=False)
        ask.same(torch.tensor([[0.0, 1.0, -8.0]]), torch.tensor([[True, False, True]]), types=False)

    @behaviour("gives zeros, never NaN, to a query that may look nowhere", points=1)
    def empty_row(ask, draw):
        ask.same(draw.scores(2, 3), torch.tensor([[True, True, False], [False, False, False]]), types=False)
        mask = draw.mask(2, 1, 4, 5)
        mask[1, 0, 2] = False
        ask.same(draw.scores(2, 3, 4, 5), mask, types=False)

    @behaviour("holds for extreme scores: what is hidden weighs exactly nothing", points=1)
    def extremes(ask, draw):
        mask = torch.tensor([[True, False, True]])
        ask.same(torch.tensor([[500.0, 2.0, 499.0]]), mask, types=False)
        ask.same(torch.tensor([[0.5, 1000.0, 1.0]]), mask, types=False)
        ask.same(torch.tensor([[-4e9, 0.0]]), mask[:, :2], types=False)
        ask.same(torch.tensor([[1.0, 0.0, 2.0], [-400.0, 0.0, -401.0]]), mask, types=False)
        ask.nothing_where_hidden(draw.scores(2, 3), mask)

    @behaviour("works in half precision", points=1)
    def half(ask, draw):
        mask = torch.tensor([[True, False, True], [False, False, False]])
        ask.same(draw.scores(2, 3, dtype=torch.float16), mask)
        ask.same(draw.scores(2, 3, 4, 5, dtype=torch.bfloat16), draw.mask(4, 5))
        ask.same(torch.tensor([[-3e4, 0.0]], dtype=torch.float16), mask[:1, :2])

    @behaviour("passes gradients back, zero where hidden, and no NaN from an empty row", points=1)
    def gradient(ask, draw):
        mask = draw.mask(2, 1, 4, 5)
        ask.same_gradient(draw.scores(2, 3, 4, 5), mask, upstream=draw.scores(2, 3, 4, 5))
        mask[1, 0, 2] = False
        ask.same_gradient(draw.scores(2, 3, 4, 5), mask, upstream=draw.scores(2, 3, 4, 5))
        large = torch.tensor([[0.5, 1000.0, 1.0]])
        ask.same_gradient(large, torch.tensor([[True, False, True]]), upstream=draw.scores(1, 3))

    @behaviour("is right without changing its arguments, and on any device", points=1)
    def neighbourly(ask, draw):
        scores, mask = draw.scores(2, 3, 4, 5), draw.mask(2, 1, 4, 5)
        mask[0, 0, 1] = False
        ask.keeps_arguments(scores, mask)
        ask.follows_device(scores, mask)

    @mistake(
        "Your rows no longer sum to one: this is what happens when the mask is applied after the softmax. "
        "Hidden scores must be -inf before it.",
        breaks=weights,
    )
    def after_softmax(scores, mask):
        return scores.softmax(dim=-1) * mask

    @mistake(
        "A query that may look nowhere gives NaN: the softmax of nothing but -inf is 0 / 0. "
        "Set the hidden weights to 0 afterwards.",
        breaks=empty_row,
    )
    def nan_row(scores, mask):
        return scores.masked_fill(~mask, NEGATIVE_INFINITY).softmax(dim=-1)

    @mistake(
        "-1e9 is only a large number: scores lower than it lose against the masked ones, it does not exist "
        "in half precision, and a row that sees nothing gets weights. Fill with `-inf`.",
        breaks=extremes,
    )
    def finite_fill(scores, mask):
        return scores.masked_fill(~mask, -1e9).softmax(dim=-1)

    @mistake(
        "-1e4 fits into half precision, but it is only a large number: scores lower than it lose against "
        "the masked ones, and a row that sees nothing gets weights. Fill with `-inf`.",
        breaks=extremes,
    )
    def small_finite_fill(scores, mask):
        return scores.masked_fill(~mask, -1e4).softmax(dim=-1)

    @mistake(
        "With the smallest number of the type as a fill, a query that may look nowhere looks everywhere, "
        "equally: all its scores are the same. Its weights must be zero.",
        breaks=empty_row,
    )
    def uniform_row(scores, mask):
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)

    @mistake(
        "You multiply the scores by the mask: a hidden score becomes 0, and exp(0) = 1 is a weight like "
        "any other. It must become -inf.",
        breaks=weights,
    )
    def zero_scores(scores, mask):
        return (scores * mask).softmax(dim=-1)

    @mistake(
        "You divide the scores themselves by their sum: a softmax divides their exponentials, so that every "
        "weight is positive and differences between scores become ratios between weights.",
        breaks=weights,
    )
    def without_exponential(scores, mask):
        visible = scores * mask
        total = visible.sum(dim=-1, keepdim=True)
        return visible / total.masked_fill(total == 0, 1.0)

    @mistake(
        "Your columns sum to one, not your rows: the softmax goes over the keys, the last axis.",
        breaks=weights,
    )
    def over_queries(scores, mask):
        return scores.masked_fill(~mask, NEGATIVE_INFINITY).softmax(dim=-2).nan_to_num(0.0)

    @mistake(
        "Your mask is inverted: you look exactly where one may not. Hide where the mask is False.",
        breaks=weights,
    )
    def inverted(scores, mask):
        return scores.masked_fill(mask, NEGATIVE_INFINITY).softmax(dim=-1).masked_fill(mask, 0.0)

    @mistake(
        "exp overflows: for a score of 500 it is infinite, and infinity by infinity is NaN. Subtract the "
        "largest score of the row first, or let `softmax` do it.",
        breaks=extremes,
    )
    def overflow(scores, mask):
        exponentials = scores.exp() * mask
        return exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)

    @mistake(
        "The largest score of the row is subtracted, by you or by `softmax`, hidden ones included: where "
        "a hidden score is far above the others, all that may be looked at underflows to 0. Mask first, "
        "and let no row divide 0 by 0.",
        breaks=extremes,
    )
    def largest_hidden(scores, mask):
        exponentials = (scores - scores.amax(dim=-1, keepdim=True)).exp() * mask
        return exponentials / exponentials.sum(dim=-1, keepdim=True).clamp(min=1e-30)

    @mistake(
        "You return float32 whatever type the scores have: convert back, or the next product with "
        "half-precision values fails.",
        breaks=half,
    )
    def always_float32(scores, mask):
        weights = scores.float().masked_fill(~mask, NEGATIVE_INFINITY).softmax(dim=-1)
        return weights.masked_fill(~mask, 0.0)

    @mistake(
        "No gradient reaches the scores: `.detach()`, `.data` or `torch.tensor(...)` cuts the graph, "
        "and nothing before this function learns.",
        breaks=gradient,
    )
    def detached(scores, mask):
        weights = scores.detach().masked_fill(~mask, NEGATIVE_INFINITY).softmax(dim=-1)
        return weights.masked_fill(~mask, 0.0)

    @mistake(
        "The weights of an empty row are zero, but its gradient is NaN: you replace the NaN after the "
        "softmax, and on the way back 0 times NaN is NaN. Fill the scores with `masked_fill`, whose gradient "
        "is 0 where it filled, rather than adding -inf to them.",
        breaks=gradient,
    )
    def nan_gradient(scores, mask):
        additive = torch.zeros_like(scores).masked_fill(~mask, NEGATIVE_INFINITY)
        return (scores + additive).softmax(dim=-1).masked_fill(~mask, 0.0)

    @mistake(
        "You write -inf into the caller's scores: `masked_fill_` with an underscore works in place. "
        "Without it, a new tensor is made.",
        breaks=neighbourly,
    )
    def in_place(scores, mask):
        hidden = ~mask
        return scores.masked_fill_(hidden, NEGATIVE_INFINITY).softmax(dim=-1).masked_fill(hidden, 0.0)
