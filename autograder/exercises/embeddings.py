"""What goes into a decoder, chapter 02: what its four answers must do, and how they go wrong."""

import torch
from torch import nn

import solutions.embeddings
from autograder.exercises.asking import Wrong
from autograder.exercises.comparing import difference, show_call
from autograder.exercises.namespace import Step
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.embeddings import DecoderInput as Right
from solutions.embeddings import sinusoidal_positions

ALMOST_ONE = 1 - 1e-9  # as a rate of dropout: nothing is kept, and nothing divided by zero


class ShiftRight(Exercise):
    name = "shift_right"
    solutions = solutions.embeddings

    @behaviour("has the shape and the type of the target", points=1)
    def convention(ask, draw):
        ask.same_kind(torch.tensor([[7, 8, 9], [4, 5, 6]]), 1)
        ask.same_kind(draw.token_ids(draw.integer(2, 4), draw.integer(5, 8), 0).int(), 2)
        ask.same_kind(torch.tensor([[7], [8]]), 1)

    @behaviour("begins each sentence with the start symbol and moves the rest one place right", points=2)
    def shifted(ask, draw):
        ask.same(torch.tensor([[7, 8, 9]]), 1, types=False)
        ask.same(torch.tensor([[7, 8, 9], [4, 5, 0]]), 2, types=False)
        ask.same(torch.tensor([[7], [8], [9]]), 3, types=False)
        ask.same(torch.tensor([[5, 5, 0, 0], [0, 0, 5, 6]]), 0, types=False)
        ask.same(torch.tensor([[300, 2**24 + 1, 7, 5]]), 50_257, types=False)
        ask.same(draw.token_ids(4, draw.integer(5, 8), 0), draw.integer(92, 99), types=False)
        ask.same(draw.token_ids(draw.integer(5, 8), 3, 1).T, draw.integer(92, 99), types=False)

    @behaviour("is right without changing its argument, and on any device", points=1)
    def neighbourly(ask, draw):
        ids = draw.token_ids(3, draw.integer(5, 8), 0)
        ask.keeps_arguments(ids, 1)
        ask.keeps_arguments(ids[:, :1], 1)
        ask.follows_device(ids, 1)

    @mistake(
        "You return the target as it is. The decoder then reads the very token it has to write, and learns "
        "to copy: put `bos_id` in front and leave out the last token.",
        breaks=shifted,
    )
    def unshifted(target_ids, bos_id):
        return target_ids.clone()

    @mistake(
        "You write the start symbol over the first token and leave the rest where it is: the first token is "
        "lost, and all others still stand at the place where they are to be predicted.",
        breaks=shifted,
    )
    def overwritten(target_ids, bos_id):
        shifted = target_ids.clone()
        shifted[:, 0] = bos_id
        return shifted

    @mistake(
        "You shift to the left: the decoder would read the future. The start symbol comes first, and each "
        "token moves one place to the right.",
        breaks=shifted,
    )
    def to_the_left(target_ids, bos_id):
        begin = torch.full_like(target_ids[:, :1], bos_id)
        return torch.cat([target_ids[:, 1:], begin], dim=1)

    @mistake(
        "The last token comes back at the front: `roll` moves in a circle. The first place belongs to "
        "`bos_id`.",
        breaks=shifted,
    )
    def rolled(target_ids, bos_id):
        return target_ids.roll(1, dims=1)

    @mistake(
        "You shift the batch, not the sentences: the last sentence is lost and the others move down. "
        "Dimension 0 is the batch, dimension 1 the length.",
        breaks=shifted,
    )
    def along_the_batch(target_ids, bos_id):
        begin = torch.full_like(target_ids[:1], bos_id)
        return torch.cat([begin, target_ids[:-1]], dim=0)

    @mistake(
        "You begin every sentence with the same fixed number: in another vocabulary the start symbol has "
        "another id. Use `bos_id`.",
        breaks=shifted,
    )
    def fixed_begin(target_ids, bos_id):
        begin = torch.ones_like(target_ids[:, :1])
        return torch.cat([begin, target_ids[:, :-1]], dim=1)

    @mistake(
        "You begin every sentence with 0: that is padding in most vocabularies, and any token in others. "
        "Use `bos_id`.",
        breaks=shifted,
    )
    def zero_begin(target_ids, bos_id):
        return torch.nn.functional.pad(target_ids[:, :-1], (1, 0))

    @mistake(
        "Only the first sentence of the batch begins with the start symbol: `[0, 0]` is one number, `[:, "
        "0]` the first place of every sentence.",
        breaks=shifted,
    )
    def first_sentence_only(target_ids, bos_id):
        shifted = target_ids.roll(1, dims=1)
        shifted[0, 0] = bos_id
        return shifted

    @mistake(
        "You put the start symbol in front and keep the last token: the input is one longer than what is to "
        "be predicted, and the two no longer fit. Leave out the last token.",
        breaks=convention,
    )
    def one_longer(target_ids, bos_id):
        begin = torch.full_like(target_ids[:, :1], bos_id)
        return torch.cat([begin, target_ids], dim=1)

    @mistake(
        "You leave out the last token and put nothing in front: what is missing is the start symbol, from "
        "which the first token is predicted.",
        breaks=convention,
    )
    def without_begin(target_ids, bos_id):
        return target_ids[:, :-1]

    @mistake(
        "Your result is int64 whatever type the ids have: `torch.full` and `torch.tensor` choose it, "
        "`torch.full_like` takes the type of what it is given.",
        breaks=convention,
    )
    def always_int64(target_ids, bos_id):
        begin = torch.full((len(target_ids), 1), bos_id, device=target_ids.device)
        return torch.cat([begin, target_ids[:, :-1]], dim=1)

    @mistake(
        "You shift the caller's own tensor: the target has still to be compared with what the decoder "
        "predicts. Make a new tensor.",
        breaks=neighbourly,
    )
    def in_place(target_ids, bos_id):
        target_ids[:, 1:] = target_ids[:, :-1].clone()
        target_ids[:, 0] = bos_id
        return target_ids

    @mistake(
        "The start symbols are made on the CPU whatever the device of the ids: on a GPU the model stops "
        "with 'expected all tensors to be on the same device'. `torch.full_like` follows the tensor it is "
        "given.",
        breaks=neighbourly,
    )
    def made_on_cpu(target_ids, bos_id):
        begin = torch.full((len(target_ids), 1), bos_id, dtype=target_ids.dtype)
        return torch.cat([begin, target_ids[:, :-1]], dim=1)

    @mistake(
        "You shift twice: the decoder would have to write a token without having read the one before it.",
        breaks=shifted,
    )
    def twice(target_ids, bos_id):
        begin = torch.full_like(target_ids[:, :2], bos_id)
        return torch.cat([begin, target_ids[:, :-2]], dim=1)

    @mistake(
        "Your loop copies what it has just written, and every place becomes `bos_id`: read from the target, "
        "write to a copy.",
        breaks=shifted,
    )
    def copied_along(target_ids, bos_id):
        return torch.full_like(target_ids, bos_id)

    @mistake(
        "You leave padding where it is: it is moved like any token, and the loss looks away from it.",
        breaks=shifted,
    )
    def padding_stays(target_ids, bos_id):
        begin = torch.full_like(target_ids[:, :1], bos_id)
        shifted = torch.cat([begin, target_ids[:, :-1]], dim=1)
        return torch.where(target_ids == 0, target_ids, shifted)

    @mistake(
        "Your ids become floating numbers: `torch.ones`, `torch.zeros` and a `bos_id` with a point make "
        "them. `torch.full_like` takes the type of what it is given.",
        breaks=convention,
    )
    def floats(target_ids, bos_id):
        begin = torch.full((len(target_ids), 1), float(bos_id), device=target_ids.device)
        return torch.cat([begin, target_ids[:, :-1]], dim=1)


def _interleaved(even, odd):
    return torch.stack([even, odd], dim=-1).flatten(-2)


def _frequency(d_model):
    return 10_000.0 ** (-torch.arange(0, d_model, 2) / d_model)


class SinusoidalPositions(Exercise):
    name = "sinusoidal_positions"
    solutions = solutions.embeddings

    @behaviour("is float32, with a row for each position and a column for each place", points=1)
    def convention(ask, draw):
        ask.same_kind(3, 4)
        ask.same_kind(draw.integer(5, 9), 2 * draw.integer(5, 9))
        ask.same_kind(1, 2)

    @behaviour("holds sines at the even places and cosines at the odd ones, from position 0", points=3)
    def waves(ask, draw):
        ask.same(3, 4, types=False)
        ask.same(1, 6, types=False)
        ask.same(4, 2, types=False)
        ask.same(draw.integer(5, 9), 2 * draw.integer(5, 9), types=False)
        ask.same(60, 64, types=False)
        ask.same(5001, 2, types=False)

    @behaviour("refuses an odd `d_model`, whose last place has no partner", points=1)
    def pairs(ask, draw):
        ask.refuses("ValueError", 3, 5)
        ask.refuses("ValueError", 2, 1)
        ask.same_kind(2, 6)

    @mistake(
        "You write all sines first and then all cosines. Some libraries do, and models trained with one "
        "order cannot read the other: here each sine has its cosine right beside it, at the next place.",
        breaks=waves,
    )
    def in_halves(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None] * _frequency(d_model)
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    @mistake(
        "Sine and cosine are exchanged: place 0 is a sine, so the first row begins with 0, 1, 0, 1.",
        breaks=waves,
    )
    def exchanged(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None] * _frequency(d_model)
        return _interleaved(angle.cos(), angle.sin())

    @mistake(
        "Each place has a frequency of its own, so a sine and the cosine beside it turn at different speeds "
        "and no longer make a clock. The two places of a pair share one frequency: 10000^(-2i/d) for places "
        "2i and 2i + 1.",
        breaks=waves,
    )
    def own_frequency(length, d_model):
        _refuse_odd(d_model)
        frequency = 10_000.0 ** (-torch.arange(d_model) / d_model)
        angle = torch.arange(length)[:, None] * frequency
        return _interleaved(angle[:, 0::2].sin(), angle[:, 1::2].cos())

    @mistake(
        "Your frequencies fall only half as fast as they should: you number the pairs 0, 1, 2, ... and "
        "divide by `d_model`. The exponent is 2i / d_model for pair i.",
        breaks=waves,
    )
    def half_the_exponent(length, d_model):
        _refuse_odd(d_model)
        frequency = 10_000.0 ** (-torch.arange(d_model // 2) / d_model)
        angle = torch.arange(length)[:, None] * frequency
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "Your frequencies fall twice as fast as they should: `torch.arange(0, d_model, 2)` is already 2i, "
        "and you multiply it by 2 once more.",
        breaks=waves,
    )
    def twice_the_exponent(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None] * _frequency(d_model) ** 2
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "You leave out the first frequency, 1: your pairs begin at 10000^(-2/d). The first pair turns by "
        "one radian a step.",
        breaks=waves,
    )
    def first_left_out(length, d_model):
        _refuse_odd(d_model)
        frequency = 10_000.0 ** (-torch.arange(2, d_model + 2, 2) / d_model)
        angle = torch.arange(length)[:, None] * frequency
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "You multiply positions by 10000^(2i/d) instead of dividing: every clock after the first races, and "
        "neighbours have nothing to do with each other.",
        breaks=waves,
    )
    def multiplied(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None] * 10_000.0 ** (torch.arange(0, d_model, 2) / d_model)
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "All your pairs turn at the same speed: a division of whole numbers, `//`, makes every exponent 0. "
        "Write `/`.",
        breaks=waves,
    )
    def one_frequency(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None].expand(length, d_model // 2)
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "You count positions from 1: the first position is 0, and its row is 0, 1, 0, 1.",
        breaks=waves,
    )
    def counted_from_one(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(1, length + 1)[:, None] * _frequency(d_model)
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "Your slowest pair has the frequency 1/10000 itself: you spread the exponents from 0 to 1 with both "
        "ends. The exponent is 2i / d_model, and i ends one before d_model / 2.",
        breaks=waves,
    )
    def both_ends(length, d_model):
        _refuse_odd(d_model)
        frequency = 10_000.0 ** -torch.linspace(0, 1, d_model // 2)
        angle = torch.arange(length)[:, None] * frequency
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "You use sines alone: at the odd places stands the cosine of the same angle. A sine without its "
        "cosine does not say where its clock's hand is.",
        breaks=waves,
    )
    def without_cosines(length, d_model):
        _refuse_odd(d_model)
        angle = torch.arange(length)[:, None] * _frequency(d_model)
        return _interleaved(angle.sin(), angle.sin())

    @mistake(
        "Rows and columns are exchanged: there is a row for each position, so that the table can be added "
        "to vectors of shape (length, d_model).",
        breaks=convention,
    )
    def transposed(length, d_model):
        return sinusoidal_positions(length, d_model).T

    @mistake(
        "You return a batch of one table: the shape is (length, d_model), and broadcasting does the rest.",
        breaks=convention,
    )
    def with_a_batch(length, d_model):
        return sinusoidal_positions(length, d_model)[None]

    @mistake(
        "Your table is float64, as NumPy makes it or as a double-precision angle leaves it: added to "
        "embeddings, it makes the whole model twice as wide. Convert it to float32 at the end.",
        breaks=convention,
    )
    def in_double(length, d_model):
        _refuse_odd(d_model)
        frequency = 10_000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
        angle = torch.arange(length)[:, None] * frequency
        return _interleaved(angle.sin(), angle.cos())

    @mistake(
        "An odd `d_model` slips through: its last place has no partner. Raise a ValueError before anything "
        "else.",
        breaks=pairs,
    )
    def odd_accepted(length, d_model):
        angle = torch.arange(length)[:, None] * _frequency(d_model)
        return _interleaved(angle.sin(), angle.cos())[:, :d_model]

    @mistake(
        "An odd `d_model` ends in an AssertionError: an assertion guards against one's own slips, and "
        "`python -O` leaves it out. What a caller may do wrong is a ValueError.",
        breaks=pairs,
    )
    def asserted(length, d_model):
        assert d_model % 2 == 0
        return sinusoidal_positions(length, d_model)


def _refuse_odd(d_model):
    if d_model % 2:
        raise ValueError("odd")


def _angle(x, positions, base):
    """The angles of a right answer."""
    _refuse_odd(x.shape[-1])
    place = torch.arange(0, x.shape[-1], 2, device=x.device)
    return positions[..., None] * base ** (-place / x.shape[-1])


def _turned(first, second, cos, sin):
    cos, sin = cos.to(first.dtype), sin.to(first.dtype)
    return first * cos - second * sin, second * cos + first * sin


class Rotate(Exercise):
    name = "rotate"
    solutions = solutions.embeddings

    @behaviour("has the shape and the type of `x`", points=1)
    def convention(ask, draw):
        ask.same_kind(draw.scores(2, 4), torch.arange(2))
        ask.same_kind(draw.scores(2, 3, 5, 6), torch.arange(5))
        ask.same_kind(draw.scores(3, 4, dtype=torch.float64), torch.arange(3))

    @behaviour("turns place i of the first half with place i of the second, each pair by its angle", points=2)
    def turned(ask, draw):
        ask.same(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([1]), types=False)
        ask.same(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1]), types=False)
        ask.same(draw.scores(3, 8), torch.arange(3), types=False)
        ask.same(draw.scores(3, 3, 4), torch.arange(3), types=False)
        ask.same(draw.scores(2, 3, 5, 10), torch.arange(5), types=False)
        ask.same(draw.scores(2, 5, 3, 8).transpose(1, 2), torch.arange(5), types=False)

    @behaviour("turns by the positions it is given, whatever their order and their shape", points=2)
    def given_positions(ask, draw):
        ask.same(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([5]), types=False)
        ask.same(draw.scores(3, 4), torch.tensor([7, 0, draw.integer(20, 50)]), types=False)
        ask.same(draw.scores(2, 3, 4), torch.tensor([[0, 1, 2], [0, 0, 1]]), types=False)
        ask.same(draw.scores(2, 3, 3, 4), torch.tensor([[[0, 1, 2]], [[4, 5, 6]]]), types=False)
        ask.same(draw.scores(2, 4, 1, 6), torch.tensor([draw.integer(20, 50)]), types=False)
        ask.same(draw.scores(2, 2), torch.tensor([4999, 100_003]), types=False)

    @behaviour("takes its slowest and fastest speeds from `base`", points=1)
    def other_base(ask, draw):
        ask.same(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([1]), 100.0, types=False)
        ask.same(draw.scores(2, 5, 8), torch.arange(5), base=500_000.0, types=False)

    @behaviour("works in half precision, at high positions too", points=1)
    def half(ask, draw):
        ask.same(torch.tensor([[1.0, 0.5]], dtype=torch.bfloat16), torch.tensor([257]))
        high = torch.tensor([3, 259, 1025, draw.integer(2000, 4000)])
        for dtype in (torch.bfloat16, torch.float16):
            ask.same((draw.scores(2, 3, 4, 8) / 2).to(dtype), high)

    @behaviour("passes gradients back, is right without changing its arguments, and on any device", points=1)
    def neighbourly(ask, draw):
        x, positions = draw.scores(2, 3, 5, 6), torch.arange(5) + draw.integer(1, 9)
        ask.keeps_arguments(x, positions)
        ask.same_gradient(x, positions, upstream=draw.scores(2, 3, 5, 6))
        ask.follows_device(x, positions)

    @behaviour("refuses an odd number of places", points=1)
    def pairs(ask, draw):
        ask.refuses("ValueError", draw.scores(2, 3), torch.arange(2))
        ask.refuses("ValueError", draw.scores(2, 1), torch.arange(2))
        ask.same_kind(draw.scores(2, 4), torch.arange(2))

    @mistake(
        "You pair neighbours: place 0 with 1, 2 with 3. The paper does, and so do some models, but here "
        "place i of the first half is paired with place i of the second, as in Llama. Scores still depend "
        "on distances, so nothing looks wrong until weights trained with one pairing meet the other.",
        breaks=turned,
    )
    def neighbours(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return _interleaved(*_turned(x[..., 0::2], x[..., 1::2], angle.cos(), angle.sin()))

    @mistake(
        "Your pairs are right, but you leave them interleaved: the first numbers of all pairs belong in the "
        "first half of the result, the second ones in the second half.",
        breaks=turned,
    )
    def left_interleaved(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return _interleaved(*_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()))

    @mistake(
        "You leave the two halves in an axis of their own. Join them on the last axis, `torch.cat(..., "
        "dim=-1)`, so that the result has the shape of `x`.",
        breaks=convention,
    )
    def halves_apart(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return torch.stack(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-2)

    @mistake(
        "You turn the other way: the sine's signs are exchanged. The first half becomes first · cos − "
        "second · sin, the second half second · cos + first · sin.",
        breaks=turned,
    )
    def other_way(x, positions, base=10_000.0):
        angle = -_angle(x, positions, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Both of your sines have a minus sign: that is no rotation, and lengths change. In the second half "
        "the sine is added.",
        breaks=turned,
    )
    def two_minus_signs(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos - first * sin], dim=-1)

    @mistake(
        "Both of your sines have a plus sign: that is no rotation, and lengths change. In the first half "
        "the sine is subtracted (`rotate_half` puts the minus before the second half).",
        breaks=turned,
    )
    def two_plus_signs(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos + second * sin, second * cos + first * sin], dim=-1)

    @mistake(
        "The second half is turned with the first half's new values: you overwrote them too early. Compute "
        "both halves from the old values.",
        breaks=turned,
    )
    def one_after_the_other(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        first = first * cos - second * sin
        return torch.cat([first, second * cos + first * sin], dim=-1)

    @mistake(
        "You add sines and cosines to `x`: that is what `DecoderInput` does. Here the vector is turned, and "
        "keeps its length.",
        breaks=turned,
    )
    def added(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return x + torch.cat([angle.sin(), angle.cos()], dim=-1).to(x.dtype)

    @mistake(
        "Your frequencies fall only half as fast as they should: you number the pairs 0, 1, 2, ... and "
        "divide by `d_head`. The exponent is 2i / d_head for pair i.",
        breaks=turned,
    )
    def half_the_exponent(x, positions, base=10_000.0):
        angle = _angle(x, positions, base**0.5)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "All your pairs turn at the same speed: the frequency of pair i is base^(-2i / d_head).",
        breaks=turned,
    )
    def one_frequency(x, positions, base=10_000.0):
        angle = _angle(x, positions, 1.0)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Your first position is 0, whatever `positions` says: with a cache the newest token alone is turned, "
        "and its position is not 0.",
        breaks=given_positions,
    )
    def counted(x, positions, base=10_000.0):
        angle = _angle(x, torch.arange(x.shape[-2], device=x.device), base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Every sentence gets the positions of the first one: with padding at the left they differ. Keep the "
        "batch axis of `positions`.",
        breaks=given_positions,
    )
    def first_of_batch(x, positions, base=10_000.0):
        while positions.dim() > 1:
            positions = positions[0]
        angle = _angle(x, positions, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "You use the positions to count only, from the first one on: they may jump, repeat or come in any "
        "order. Each position gives its own angle.",
        breaks=given_positions,
    )
    def from_the_first(x, positions, base=10_000.0):
        count = torch.arange(x.shape[-2], device=x.device)
        angle = _angle(x, positions[..., :1] + count, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "`base` is ignored: you write 10000 whatever you are given. Llama 3 turns with 500000.",
        breaks=other_base,
    )
    def fixed_base(x, positions, base=10_000.0):
        angle = _angle(x, positions, 10_000.0)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "You compute the angles in the type of `x`. In bfloat16 position 257 is 256, and neighbours stand "
        "at the same place: compute them in float32, and convert cosine and sine.",
        breaks=half,
    )
    def angles_in_half(x, positions, base=10_000.0):
        angle = _angle(x, positions.to(x.dtype), base).to(x.dtype)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Half precision comes out as float32: convert cosine and sine, or the result, to the type of `x`.",
        breaks=half,
    )
    def always_float32(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        return torch.cat(_turned(*exact.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "You turn the caller's own tensor: the first half of `x` is overwritten. Make a new one with "
        "`torch.cat`.",
        breaks=neighbourly,
    )
    def in_place(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        first, second = x.chunk(2, dim=-1)
        turned = _turned(first.clone(), second.clone(), angle.cos(), angle.sin())
        first.copy_(turned[0])
        second.copy_(turned[1])
        return x

    @mistake(
        "No gradient reaches `x`: `.detach()`, `.data` or `torch.tensor(...)` cuts the graph, and the "
        "layers that made queries and keys learn nothing.",
        breaks=neighbourly,
    )
    def detached(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return torch.cat(_turned(*x.detach().chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "The frequencies are made on the CPU whatever the device of `x`: on a GPU the model stops with "
        "'expected all tensors to be on the same device'. Pass `device=x.device`.",
        breaks=neighbourly,
    )
    def made_on_cpu(x, positions, base=10_000.0):
        _refuse_odd(x.shape[-1])
        frequency = base ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
        angle = positions[..., None] * frequency
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "An odd number of places slips through, or ends in another error: its last place has no partner. "
        "Raise a ValueError before anything else.",
        breaks=pairs,
    )
    def odd_accepted(x, positions, base=10_000.0):
        place = torch.arange(0, x.shape[-1], 2, device=x.device)
        angle = positions[..., None] * base ** (-place / x.shape[-1])
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Sine and cosine are exchanged: at position 0 nothing is turned, so it is the cosine that each "
        "number keeps of itself.",
        breaks=turned,
    )
    def exchanged(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.sin(), angle.cos()), dim=-1)

    @mistake(
        "You take neighbours for pairs, and put them back as halves: places change, even at position 0. Take "
        "the halves of `x` with `chunk`.",
        breaks=turned,
    )
    def neighbours_to_halves(x, positions, base=10_000.0):
        angle = _angle(x, positions, base)
        return torch.cat(_turned(x[..., 0::2], x[..., 1::2], angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "Your pairs are halves and your angles are in the order of neighbours: the two numbers of a pair get "
        "different angles. Repeat the angles as a whole, `torch.cat([angle, angle], dim=-1)`.",
        breaks=turned,
    )
    def angles_of_neighbours(x, positions, base=10_000.0):
        angle = _angle(x, positions, base).repeat_interleave(2, dim=-1)
        first, second = x.chunk(2, dim=-1)
        other = torch.cat([-second, first], dim=-1)
        return x * angle.cos().to(x.dtype) + other * angle.sin().to(x.dtype)

    @mistake(
        "You count positions from 1: position 0 turns nothing.",
        breaks=turned,
    )
    def counted_from_one(x, positions, base=10_000.0):
        angle = _angle(x, positions + 1, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "You multiply positions by base^(2i / d_head) instead of dividing: every hand after the first races. "
        "The exponent has a minus sign.",
        breaks=turned,
    )
    def multiplied(x, positions, base=10_000.0):
        angle = _angle(x, positions, 1 / base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)

    @mistake(
        "An odd number of places ends in an AssertionError: an assertion guards against one's own slips, and "
        "`python -O` leaves it out. What a caller may do wrong is a ValueError.",
        breaks=pairs,
    )
    def asserted(x, positions, base=10_000.0):
        assert x.shape[-1] % 2 == 0
        angle = _angle(x, positions, base)
        return torch.cat(_turned(*x.chunk(2, dim=-1), angle.cos(), angle.sin()), dim=-1)


def _drops_half(built, token_ids):
    """In training half of the numbers are zero, wherever they stand, and the others are doubled."""
    call, value, whole = built.in_training(token_ids)
    if not isinstance(value, torch.Tensor) or value.shape != whole.shape:
        raise Wrong("in training its answer has another shape", show_call(call))
    kept = value != 0
    if not 0.3 < kept.float().mean() < 0.7:
        raise Wrong("with dropout=0.5 half of the numbers should be zero in training", show_call(call))
    if not (kept.any(dim=-1) & ~kept.all(dim=-1)).any():
        raise Wrong("it drops whole tokens: each number has its own chance", show_call(call))
    if difference(value[kept], 2 * whole[kept]):
        raise Wrong("what dropout=0.5 keeps of the sum should be doubled in training", show_call(call))


class DecoderInput(Exercise):
    name = "DecoderInput"
    solutions = solutions.embeddings
    builds_on = ("sinusoidal_positions",)

    @behaviour("has one parameter, `embedding.weight`, a row for each token", points=1)
    def parameters(ask, draw):
        ask.build(draw, 5, 4, 6).same_parameters()
        ask.build(draw, draw.integer(7, 12), 6, draw.integer(13, 20), dropout=0.1).same_parameters()

    @behaviour("adds the positions to the token embeddings times the root of `d_model`", points=3)
    def embedded(ask, draw):
        ask.build(draw, 5, 4, 6).same(torch.tensor([[3, 0, 4]]))
        ask.build(draw, 5, 6, 4).same(torch.tensor([[0, 1], [1, 1], [4, 2]]))
        ask.build(draw, 92, 16, 20).same(draw.token_ids(3, draw.integer(5, 8), 0))
        ask.build(draw, 92, 8, 20).same(draw.token_ids(4, 4, 0))
        ask.build(draw, 92, 10, 20).same(draw.token_ids(draw.integer(5, 8), 3, 0).T)

    @behaviour("counts positions from `start`", points=1)
    def started(ask, draw):
        built = ask.build(draw, 5, 4, 6)
        two = Step("__call__", (torch.tensor([[3]]),), {"start": 2}, training=False)
        four = Step("__call__", (torch.tensor([[3]]),), {"start": 4})
        built.same_steps(two, four)
        built.same(torch.tensor([[3, 3], [1, 0]]), start=4)
        step = draw.integer(3, 9)
        ids = draw.token_ids(3, 4, 0)
        built = ask.build(draw, 92, 8, 20)
        built.same(ids, start=step)
        whole = Step("__call__", (ids,), training=False)
        last = Step("__call__", (ids[:, -1:],), {"start": 3})
        built.same_steps(whole, last, whole)

    @behaviour("takes every position below `max_length` and refuses others with a ValueError", points=1)
    def bounded(ask, draw):
        built = ask.build(draw, 5, 4, 3)
        built.refuses("ValueError", torch.tensor([[1, 2, 3, 4]]))
        built.refuses("ValueError", torch.tensor([[1, 2]]), start=2)
        built.refuses("ValueError", torch.tensor([[1]]), start=3)
        built.same(torch.tensor([[1, 2, 3], [4, 3, 2]]))
        built.same(torch.tensor([[4], [1]]), start=2)

    @behaviour("drops out of the sum, and only in training", points=1)
    def dropped(ask, draw):
        ids = torch.tensor([[3, 0, 4], [1, 2, 2]])
        everything = ask.build(draw, 5, 4, 6, dropout=ALMOST_ONE)
        everything.same(ids[:1], training=True)
        everything.same(ids)
        ask.build(draw, 5, 4, 6).same(ids, training=True)
        _drops_half(ask.build(draw, 92, 16, 20, dropout=0.5), draw.token_ids(4, 8, 0))

    @behaviour("gives each looked-up row its gradient, as often as it was looked up", points=1)
    def gradient(ask, draw):
        ids = torch.tensor([[3, 0, 3], [1, 2, 0]])
        ask.build(draw, 5, 4, 6).same_gradient(ids, upstream=draw.scores(2, 3, 4))

    @behaviour("goes with the model to another type and another device", points=1)
    def moved(ask, draw):
        ids = torch.tensor([[3, 0, 4], [1, 2, 2]])
        ask.build(draw, 5, 4, 6, dtype=torch.bfloat16).same(ids)
        built = ask.build(draw, 5, 4, 6)
        built.keeps_arguments(ids)
        built.follows_device(ids)

    @mistake(
        "The embeddings are not scaled: beside positions of size 0.7 they are too small to be heard. "
        "Multiply them by the root of `d_model`.",
        breaks=embedded,
    )
    class without_scale(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            x = self.embedding(token_ids) + self.positions[start:end]
            return self.dropout(x)

    @mistake(
        "You scale the sum: the positions grow with the embeddings, and nothing is gained. The scale "
        "belongs to the embeddings alone.",
        breaks=embedded,
    )
    class scaled_sum(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            x = self.embedding(token_ids) + self.positions[start:end]
            return self.dropout(x * self.embedding.embedding_dim**0.5)

    @mistake(
        "You divide by the root of `d_model`, as scores are divided in attention. Embeddings are multiplied "
        "by it: they begin small.",
        breaks=embedded,
    )
    class divided(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) / scale + self.positions[start:end])

    @mistake(
        "You multiply by `d_model` itself. It is its root that brings the embeddings to the size of the "
        "positions.",
        breaks=embedded,
    )
    class without_root(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim
            return self.dropout(self.embedding(token_ids) * scale + self.positions[start:end])

    @mistake(
        "The positions are missing: without them the decoder's input is a bag of words.",
        breaks=embedded,
    )
    class without_positions(Right):
        def forward(self, token_ids, start=0):
            if start + token_ids.shape[1] > len(self.positions):
                raise ValueError("too long")
            return self.dropout(self.embedding(token_ids) * self.embedding.embedding_dim**0.5)

    @mistake(
        "You number the sentences of the batch, not the tokens: all tokens of a sentence get the same "
        "position. The batch comes first here, and the length is `token_ids.shape[1]`.",
        breaks=embedded,
    )
    class along_the_batch(Right):
        def forward(self, token_ids, start=0):
            if start + token_ids.shape[1] > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            numbers = torch.arange(len(token_ids), device=token_ids.device) % len(self.positions)
            x = self.embedding(token_ids) * scale + self.positions[numbers][:, None]
            return self.dropout(x)

    @mistake(
        "You add the last rows of the table where the first are meant: the first token of a sentence stands "
        "at position 0, however long the table is.",
        breaks=embedded,
    )
    class last_rows(Right):
        def forward(self, token_ids, start=0):
            length = token_ids.shape[1]
            if start + length > len(self.positions):
                raise ValueError("too long")
            first = len(self.positions) - length
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[first : first + length])

    @mistake(
        "`start` is ignored: when the decoder writes token by token, every new token would stand at "
        "position 0.",
        breaks=started,
    )
    class from_zero(Right):
        def forward(self, token_ids, start=0):
            length = token_ids.shape[1]
            if start + length > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[:length])

    @mistake(
        "Positions beyond `max_length` end in an error about shapes that nobody understands, or are cut "
        "off in silence. Compare `start` and the length together first, and raise a ValueError that says "
        "how many there are.",
        breaks=bounded,
    )
    class unbounded(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[start:end])

    @mistake(
        "Positions beyond `max_length` end in an IndexError of the table, which on a GPU stops the whole "
        "program at another place. Compare first, and raise a ValueError that says how many there are.",
        breaks=bounded,
    )
    class index_error(Right):
        def forward(self, token_ids, start=0):
            positions = torch.arange(start, start + token_ids.shape[1], device=token_ids.device)
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[positions])

    @mistake(
        "You compare the length with `max_length` and forget `start`: a short piece may still reach beyond "
        "the end.",
        breaks=bounded,
    )
    class bounded_without_start(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if token_ids.shape[1] > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[start:end])

    @mistake(
        "You refuse the last position: `max_length` tokens fit, so it is `>` and not `>=`.",
        breaks=bounded,
    )
    class last_refused(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end >= len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[start:end])

    @mistake(
        "Positions beyond the end begin again from 0: two tokens of one sentence then stand at the same "
        "position, and nobody is told. Raise a ValueError.",
        breaks=bounded,
    )
    class around(Right):
        def forward(self, token_ids, start=0):
            length = token_ids.shape[1]
            positions = torch.arange(start, start + length, device=token_ids.device) % len(self.positions)
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.positions[positions])

    @mistake(
        "Nothing is dropped where all should be: `dropout` is not used, or taken for the share that is "
        "kept. It is the share that is dropped; put it on the sum, `self.dropout(x)`.",
        breaks=dropped,
    )
    class without_dropout(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.embedding(token_ids) * scale + self.positions[start:end]

    @mistake(
        "You drop out of the embeddings before the positions are added: the paper drops out of the sum.",
        breaks=dropped,
    )
    class dropout_before_positions(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale) + self.positions[start:end]

    @mistake(
        "You drop out in evaluation too: `F.dropout` does not know the module's mode unless you pass "
        "`training=self.training`. `nn.Dropout` does.",
        breaks=dropped,
    )
    class dropout_always(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            x = self.embedding(token_ids) * scale + self.positions[start:end]
            return nn.functional.dropout(x, self.dropout.p)

    @mistake(
        "Token 0 never learns: `padding_idx=0` cuts its gradient. In another vocabulary it is a word like "
        "any other, and padding is the mask's business.",
        breaks=gradient,
    )
    class padding_at_zero(Right):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            nn.Module.__init__(self)
            self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=0)
            table = sinusoidal_positions(max_length, d_model)
            self.register_buffer("positions", table, persistent=False)
            self.dropout = nn.Dropout(dropout)

    @mistake(
        "No gradient reaches the embedding: `.detach()`, `.data` or `torch.no_grad()` cuts the graph, and "
        "the vectors stay as random as they began.",
        breaks=gradient,
    )
    class detached(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids).detach() * scale + self.positions[start:end])

    @mistake(
        "Your positions are a parameter, so they are trained: sinusoidal positions are fixed. Keep them "
        "with `register_buffer`; the one parameter is `embedding.weight`.",
        breaks=parameters,
    )
    class positions_as_parameter(Right):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            nn.Module.__init__(self)
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.positions = nn.Parameter(sinusoidal_positions(max_length, d_model))
            self.dropout = nn.Dropout(dropout)

    @mistake(
        "Your positions are learned embeddings, with a parameter of their own: GPT-2 does that. Here they "
        "are sinusoidal, and the one parameter is `embedding.weight`.",
        breaks=parameters,
    )
    class learned_positions(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.position = nn.Embedding(max_length, d_model)
            self.dropout = nn.Dropout(dropout)

        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > self.position.num_embeddings:
                raise ValueError("too long")
            positions = torch.arange(start, end, device=token_ids.device)
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.position(positions))

    @mistake(
        "The embedding has another name: its weights are found as `embedding.weight`, so the attribute is "
        "called `embedding`.",
        breaks=parameters,
    )
    class another_name(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embed = nn.Embedding(vocab_size, d_model)
            self.register_buffer("positions", sinusoidal_positions(max_length, d_model))
            self.dropout = nn.Dropout(dropout)

        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            x = self.embed(token_ids) * self.embed.embedding_dim**0.5
            return self.dropout(x + self.positions[start:end])

    @mistake(
        "The positions stay behind when the model moves: a plain attribute is not moved by `.to(...)`. Use "
        "`register_buffer`, so that they follow to the GPU and to half precision.",
        breaks=moved,
    )
    class plain_attribute(Right):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            nn.Module.__init__(self)
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.positions = sinusoidal_positions(max_length, d_model)
            self.dropout = nn.Dropout(dropout)

    @mistake(
        "In half precision your result is float32: the positions are computed anew each time, or kept in a "
        "plain attribute, and nobody converts them. Give them the type of the embeddings, or keep them with "
        "`register_buffer`.",
        breaks=moved,
    )
    class computed_in_float32(Right):
        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            d_model = self.embedding.embedding_dim
            positions = sinusoidal_positions(end, d_model)[start:].to(token_ids.device)
            return self.dropout(self.embedding(token_ids) * d_model**0.5 + positions)

    @mistake(
        "You count the tokens of all calls instead of using `start`: the module remembers, and the next "
        "sentence begins where the last one ended.",
        breaks=started,
    )
    class counts_calls(Right):
        seen = 0

        def forward(self, token_ids, start=0):
            start = self.seen
            self.seen += token_ids.shape[1]
            return super().forward(token_ids, start)

    @mistake(
        "You keep the positions of an earlier call: they are right only while `start` stays the same. Take "
        "the rows of the table anew each time.",
        breaks=started,
    )
    class kept_positions(Right):
        kept = None

        def forward(self, token_ids, start=0):
            end = start + token_ids.shape[1]
            if end > len(self.positions):
                raise ValueError("too long")
            if self.kept is None or len(self.kept) != token_ids.shape[1]:
                self.kept = self.positions[start:end]
            scale = self.embedding.embedding_dim**0.5
            return self.dropout(self.embedding(token_ids) * scale + self.kept)

    @mistake(
        "Positions beyond the end are all taken for the last one, and nobody is told: raise a ValueError.",
        breaks=bounded,
    )
    class clamped(Right):
        def forward(self, token_ids, start=0):
            positions = torch.arange(start, start + token_ids.shape[1], device=token_ids.device)
            scale = self.embedding.embedding_dim**0.5
            rows = self.positions[positions.clamp(max=len(self.positions) - 1)]
            return self.dropout(self.embedding(token_ids) * scale + rows)
