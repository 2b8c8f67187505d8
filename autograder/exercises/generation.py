"""What the cache, greedy writing, sampling and beam search of chapter 08 must do, and how they go wrong.

Which token is most likely must not hang on how somebody rounds. The models are drawn from seeds that were
tried out: their targets stay the same when all weights change by a thousandth, and each known mistake shows
in those that stand beside its name. tests/autograder/test_generation_cases.py tries them again.
"""

from functools import cache

import torch

import solutions.generation
from autograder.exercises.asking import Wrong
from autograder.exercises.comparing import difference, show, show_call
from autograder.exercises.namespace import Made, Step
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.generation import KeyValueCache, keep_likely
from solutions.transformer import Transformer

NEVER = float("-inf")
BEGIN, END, VOCAB = 1, 2, 12
LONGEST = 8  # tokens that a model can read: as many as a question lets it write


@cache
def model_of(seed: int, n_layers: int = 1, pad_id: int = 0, below: float = 0.0) -> Made:
    """A small model whose targets vary; END, and for a `pad_id` that is not 0 the padding, are likely.

    With `below`, all logits are smaller by so much.
    """
    generator = torch.Generator().manual_seed(seed)
    arguments = VOCAB, 8, 2, 16, n_layers, LONGEST, pad_id
    weights = {}
    for name, parameter in Transformer(*arguments).named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 2:
            weights[name] = drawn / parameter.shape[1] ** 0.5 * (1 if "embed" in name else 1.8)
        else:
            weights[name] = 1 + drawn / 4 if "norm.weight" in name else drawn / 3
    weights["embed.embedding.weight"][pad_id or END] *= 1.3
    if below:  # the first place adds the same to all logits
        weights["embed.embedding.weight"][:, 0] = 1.0
        weights["decoder.norm.weight"][0], weights["decoder.norm.bias"][0] = 0.0, -below
    return Made("solutions.transformer", "Transformer", arguments, {}, weights)


def sources_of(seed: int, batch: int, longest: int = 5, pad_id: int = 0) -> torch.Tensor:
    """Sources of unequal length, the first of them whole."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(6, VOCAB, (batch, longest), generator=generator)
    for row in range(1, batch):
        ids[row, longest - row % longest :] = pad_id
    return ids


def _at(draw, seeds: tuple[int, ...]) -> int:
    return seeds[draw.integer(0, len(seeds) - 1)]


def _written(model, source_ids, begin_id, end_id, max_length, prefix_ids=None, wrong=""):
    """Greedy writing without a cache, with one thing wrong."""
    pad_id = 0 if wrong == "pad is 0" else model.pad_id
    begin = torch.full_like(source_ids[:, :1], begin_id)
    prefix = begin[:, :0] if prefix_ids is None or wrong == "prefix ignored" else prefix_ids
    given = prefix != model.pad_id
    shortest = int(given.all(dim=0).sum())
    if wrong == "shortest prefix":
        prefix, given = prefix[:, :shortest], given[:, :shortest]
    if wrong == "prefix padding":
        given = torch.ones_like(given)
    if wrong == "begin counted":
        max_length -= 1
    if wrong == "one too many":
        max_length += 1
    if wrong == "prefix not counted":
        max_length += prefix.shape[1]
    seen = source_ids.ne(model.pad_id)[:, None, None]
    if wrong == "source padding":
        seen = torch.ones_like(seen)
    memory = model.encoder(model.embed(source_ids), seen)
    written, running = begin, torch.ones_like(begin[:, 0], dtype=torch.bool)
    read = written
    for place in range(max_length):
        length = read.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        if wrong == "prefill without mask":
            mask[: shortest + 1, : shortest + 1] = True
        x = model.embed(read)
        if wrong == "positions late" and length > 1:
            x = torch.cat([x[:, :1], model.embed(read[:, 1:], 2)], dim=1)
        if wrong == "positions zero":
            x = model.embed(read.reshape(-1, 1)).view(x.shape)
        if wrong == "prefix without begin" and length > 1:
            x, mask = model.embed(read[:, 1:]), mask[1:, 1:]
        logits = model.head(model.decoder(x, memory, mask, seen))
        logits = logits[:, 0 if wrong == "first position" else -1]
        logits = -logits if wrong == "least" else logits
        if wrong != "padding written":
            logits[:, pad_id] = 0.0 if wrong == "padding at zero" else NEVER
        following = logits.argmax(dim=-1)
        if wrong != "no padding":
            following = following.where(running, pad_id)
        own = following
        if place < prefix.shape[1]:
            following = prefix[:, place].where(given[:, place], following)
        written = torch.cat([written, following[:, None]], dim=1)
        read = torch.cat([read, own[:, None]], dim=1) if wrong == "prefix not read" else written
        if wrong != "no end":
            running = running & (following != end_id)
        if not running.any() or (wrong == "first end" and not running.all()):
            break
    if wrong == "begin kept":
        return written
    written = written[:, 1:]
    if wrong == "end left out":
        return written.masked_fill(written == end_id, model.pad_id)
    if wrong == "fixed width":
        return torch.nn.functional.pad(written, (0, max_length - written.shape[1]), value=model.pad_id)
    return written


def _searched(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0, wrong=""):
    """Beam search without a cache, source by source, with one thing wrong."""
    rows = []
    pad_id = 0 if wrong == "pad is 0" else model.pad_id
    n_beams = 1 if wrong == "one beam" else n_beams
    for source in source_ids:
        beams, ended = [(0.0, [], [])], []
        for place in range(max_length):
            memory_of = source.expand(len(beams), -1)
            read = [[begin_id, *seen] for _, _, seen in beams]
            logits = model(memory_of, torch.tensor(read))[:, -1]
            if wrong == "padding renormalised":
                logits[:, pad_id] = NEVER
            likely = logits.log_softmax(dim=-1)
            if wrong == "softmax over beams":
                likely = logits.flatten().log_softmax(dim=-1).view_as(logits)
            if wrong == "logits":
                likely = logits.clone()
            if wrong == "probabilities":
                likely = logits.softmax(dim=-1)
            if wrong != "padding written":
                likely[:, pad_id] = NEVER
            paths = torch.tensor([score for score, _, _ in beams])[:, None] + likely
            if wrong == "last token alone":
                paths = likely
            wide = n_beams if wrong == "few candidates" else 2 * n_beams
            best = paths.flatten().topk(min(wide, paths.numel()))
            going = []
            for rank, (score, at) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
                beam, token = divmod(at, likely.shape[-1])
                if wrong == "places mixed up":
                    token, beam = divmod(at, len(beams))
                tokens = [*beams[beam][1], token]
                seen = [*beams[beam][2], token]
                if wrong == "cache not reordered":
                    seen = [*beams[min(len(going), len(beams) - 1)][2], token]
                if wrong == "tokens not reordered":
                    tokens = [*beams[min(len(going), len(beams) - 1)][1], token]
                length = place + 1
                if wrong == "length without end" and token == end_id:
                    length = max(place, 1)
                if wrong == "length with begin":
                    length = place + 2
                power = 0.0 if wrong == "no penalty" else length_penalty
                power = 1.0 if wrong == "always one" else power
                reached = score / length**power
                if wrong == "formula of Wu":
                    reached = score / ((5 + length) / 6) ** power
                ends = token == end_id and wrong != "no end"
                counts = ends or (place + 1 == max_length and wrong != "cut off lost")
                if counts and (rank < n_beams or wrong == "all candidates"):
                    ended.append((reached, tokens))
                if not ends or wrong == "ended goes on":
                    going.append((score, tokens, seen))
            ended = sorted(ended, key=lambda one: -one[0])[:n_beams]
            beams = going[:n_beams]
            if not beams or (wrong == "first end" and ended):
                break
            full = len(ended) >= n_beams
            hope = beams[0][0] / (place + 1) ** (0.0 if wrong == "no penalty" else length_penalty)
            if wrong == "stops when full" and full:
                break
            if wrong == "stops at best" and ended and hope <= ended[0][0]:
                break
            if wrong not in ("never stops", "stops when full") and full and hope <= ended[-1][0]:
                break
        if wrong == "running returned":
            ended = [(beams[0][0], beams[0][1])] if beams else ended
        if wrong == "worst returned":
            ended = ended[::-1]
        rows.append((ended or [(0.0, beams[0][1])])[0][1])
    if wrong == "end left out":
        rows = [[token for token in row if token != end_id] for row in rows]
    if wrong == "begin kept":
        rows = [[begin_id, *row] for row in rows]
    longest = max_length if wrong == "fixed width" else max(map(len, rows))
    return torch.tensor([row + [pad_id] * (longest - len(row)) for row in rows])


def _grown(ask, max_length, *asked):
    """The answers of a cache to these questions equal the reference's, and it is as long as it should be."""
    steps = []
    for name, *arguments in asked:
        steps += [Step(name, tuple(arguments), may_fail=True), Step(".length")]
    call = ask.call(max_length, steps=tuple(steps))
    found, expected = ask.outcomes(call)
    for step, answer, wanted in zip(steps, found.steps, expected.steps, strict=False):
        if wanted.error:
            ask.compare_error(call, answer, wanted.error[0])
            continue
        ask.no_error(call, answer)
        if step.method != "reorder":
            ask.compare(call, answer.value, wanted.value)
    if len(found.steps) < len(steps):
        raise Wrong("it gives no answer", show_call(call))


def _heads(draw, batch, n_heads, length, d_head, dtype=torch.float32):
    """Keys and values of new positions."""
    return draw.scores(batch, n_heads, length, d_head, dtype=dtype), draw.scores(
        batch, n_heads, length, d_head, dtype=dtype
    )


class Cache(Exercise):
    name = "KeyValueCache"
    solutions = solutions.generation

    @behaviour("returns all keys and all values so far, the new ones last", points=3)
    def grows(ask, draw):
        _grown(ask, 3, ("append", *_heads(draw, 1, 1, 2, 2)))
        _grown(ask, 3, *[("append", *_heads(draw, 1, 1, 1, 2)) for _ in range(3)])
        _grown(ask, 9, *[("append", *_heads(draw, 3, 2, 1, 4)) for _ in range(draw.integer(3, 5))])

    @behaviour("takes several positions at once, before and between", points=2)
    def prefill(ask, draw):
        _grown(ask, 4, ("append", *_heads(draw, 1, 1, 2, 2)), ("append", *_heads(draw, 1, 1, 1, 2)))
        lengths = (4, 1, 3, 2)
        _grown(ask, 12, *[("append", *_heads(draw, 2, 3, length, 4)) for length in lengths])
        _grown(ask, 5, ("append", *_heads(draw, 2, 2, 5, 5)))

    @behaviour("lets rows go on from what others hold", points=2)
    def reorders(ask, draw):
        for rows in ([1, 2, 0], [2, 2, 1]):
            first, second = _heads(draw, 3, 1, 1, 2), _heads(draw, 3, 1, 1, 2)
            _grown(ask, 4, ("append", *first), ("reorder", torch.tensor(rows)), ("append", *second))
        order = torch.tensor([2, 0, 1, 1])
        filled = _heads(draw, 4, 2, 3, 4)
        more = [("append", *_heads(draw, 4, 2, 1, 4)) for _ in range(3)]
        again = ("reorder", order), ("reorder", order)  # the second goes on from the first
        _grown(ask, 8, ("append", *filled), more[0], *again, more[1], again[0], more[2])
        _grown(ask, 8, ("reorder", order), ("append", *filled))

    @behaviour("drops rows that have ended", points=1)
    def drops(ask, draw):
        _grown(
            ask,
            4,
            ("append", *_heads(draw, 3, 1, 2, 2)),
            ("reorder", torch.tensor([0, 2])),
            ("append", *_heads(draw, 2, 1, 1, 2)),
            ("reorder", torch.tensor([1])),
            ("append", *_heads(draw, 1, 1, 1, 2)),
        )

    @behaviour("refuses what it has no room for, and adds nothing of it", points=1)
    def refuses(ask, draw):
        _grown(ask, 1, ("append", *_heads(draw, 1, 1, 2, 2)))
        lengths = (2, 2, 1, 1)  # the second is one too many, and so is the last
        _grown(ask, 3, *[("append", *_heads(draw, 2, 2, length, 2)) for length in lengths])

    @behaviour("keeps type and arguments, and is on any device", points=1)
    def neighbourly(ask, draw):
        half = _heads(draw, 2, 2, 2, 4, torch.float16), _heads(draw, 2, 2, 1, 4, torch.float16)
        _grown(ask, 4, *[("append", *new) for new in half])
        new, later = _heads(draw, 2, 1, 1, 2), _heads(draw, 2, 1, 1, 2)
        steps = [Step("append", new, watched=True), Step("append", later, watched=True)]
        call = ask.call(4, steps=tuple(steps))
        found, expected = ask.outcomes(call)
        for step, answer, wanted in zip(steps, found.steps, expected.steps, strict=False):
            ask.no_error(call, answer)
            ask.compare(call, answer.value, wanted.value)
            ask.compare_arguments(call, answer, step.arguments)
        there = ask.call(4, steps=(Step("append", _heads(draw, 2, 2, 3, 4)),), elsewhere=True)
        ask.compare_devices(there)

    @mistake(
        "You return the new keys and values alone: the newest token would see itself and nothing of the "
        "past. Return all that are filled.",
        breaks=grows,
    )
    class NewAlone(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value, self.length = keys, values, keys.shape[2]
            return key, value

    @mistake(
        "You return the whole room, the part that is not filled as well: what lies there is looked at like "
        "any other key. Cut it at `length`.",
        breaks=grows,
    )
    class WholeRoom(KeyValueCache):
        def append(self, key, value):
            if self.key is None:
                room = *key.shape[:2], self.max_length
                self.key = key.new_zeros(*room, key.shape[3])
                self.value = value.new_zeros(*room, value.shape[3])
            start, end = self.length, self.length + key.shape[2]
            if end > self.max_length:
                raise ValueError
            self.key[:, :, start:end] = key
            self.value[:, :, start:end] = value
            self.length = end
            return self.key, self.value

    @mistake(
        "The new positions come first: they belong behind those that are there, in the order of the text.",
        breaks=grows,
    )
    class NewFirst(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            if self.key is not None:
                key, value = torch.cat([key, self.key], dim=2), torch.cat([value, self.value], dim=2)
            self.key, self.value, self.length = key, value, key.shape[2]
            return key, value

    @mistake(
        "`length` grows by one, however many positions are new: after a prefill of several tokens the next "
        "one overwrites what was read. Add `key.shape[2]`.",
        breaks=prefill,
    )
    class GrowsByOne(KeyValueCache):
        def append(self, key, value):
            if self.key is None:
                room = *key.shape[:2], self.max_length
                self.key = key.new_zeros(*room, key.shape[3])
                self.value = value.new_zeros(*room, value.shape[3])
            start, end = self.length, self.length + key.shape[2]
            if end > self.max_length:
                raise ValueError
            self.key[:, :, start:end] = key
            self.value[:, :, start:end] = value
            self.length = self.length + 1
            return self.key[:, :, :end], self.value[:, :, :end]

    @mistake(
        "`length` stays 0: each append overwrites the one before. Raise it by the number of new positions.",
        breaks=grows,
    )
    class NeverLonger(KeyValueCache):
        def append(self, key, value):
            if key.shape[2] > self.max_length:
                raise ValueError
            self.key, self.value = key.clone(), value.clone()
            return self.key, self.value

    @mistake(
        "The positions are written one place too far: place 0 stays empty, and what lies there is looked at.",
        breaks=grows,
    )
    class OneTooFar(KeyValueCache):
        def append(self, key, value):
            end = self.length + key.shape[2]
            if end > self.max_length:
                raise ValueError
            if self.key is None:
                room = *key.shape[:2], self.max_length + 1
                self.key = key.new_zeros(*room, key.shape[3])
                self.value = value.new_zeros(*room, value.shape[3])
            self.key[:, :, self.length + 1 : end + 1] = key
            self.value[:, :, self.length + 1 : end + 1] = value
            self.length = end
            return self.key[:, :, :end], self.value[:, :, :end]

    @mistake(
        "Keys and values are joined along the batch: the axes are (batch, heads, length, d_head), and what "
        "grows is the length, axis 2.",
        breaks=grows,
    )
    class GrowsTheBatch(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            self.length += key.shape[2]
            if self.key is not None:
                key, value = torch.cat([self.key, key]), torch.cat([self.value, value])
            self.key, self.value = key, value
            return key, value

    @mistake(
        "Keys and values are joined along the heads: the axes are (batch, heads, length, d_head), and what "
        "grows is the length, axis 2.",
        breaks=grows,
    )
    class GrowsTheHeads(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            self.length += key.shape[2]
            if self.key is not None:
                key, value = torch.cat([self.key, key], dim=1), torch.cat([self.value, value], dim=1)
            self.key, self.value = key, value
            return key, value

    @mistake(
        "Keys and values change places: return the keys first.",
        breaks=grows,
    )
    class ValuesFirst(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value, self.length = keys, values, keys.shape[2]
            return values, keys

    @mistake(
        "The keys are kept where the values belong as well: each has its own room.",
        breaks=grows,
    )
    class KeysTwice(KeyValueCache):
        def append(self, key, value):
            value = key
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value, self.length = keys, values, keys.shape[2]
            return keys, values

    @mistake(
        "`reorder` does nothing: after it every row goes on with its own past, though its text is now that "
        "of another row.",
        breaks=reorders,
    )
    class NeverReorders(KeyValueCache):
        def reorder(self, rows):
            if self.key is not None and len(rows) < len(self.key):
                self.key, self.value = self.key[rows], self.value[rows]

    @mistake(
        "Only the keys are reordered: the values are still those of the other text.",
        breaks=reorders,
    )
    class ReordersKeysAlone(KeyValueCache):
        def reorder(self, rows):
            if self.key is not None:
                self.key, self.value = self.key[rows], self.value[: len(rows)]

    @mistake(
        "`reorder` is the wrong way round: row i shall get what row `rows[i]` holds, `key[rows]`, and not "
        "the other way, `key[rows] = key`.",
        breaks=reorders,
    )
    class ReordersBackwards(KeyValueCache):
        def reorder(self, rows):
            if self.key is not None and len(rows) == len(self.key):
                key, value = self.key.clone(), self.value.clone()
                for place, row in enumerate(rows.tolist()):
                    key[row], value[row] = self.key[place], self.value[place]
                self.key, self.value = key, value
            elif self.key is not None:
                self.key, self.value = self.key[rows], self.value[rows]

    @mistake(
        "You reorder row by row in the place where the rows lie: a row that was overwritten is copied on. "
        "Take all rows at once, `key[rows]`.",
        breaks=reorders,
    )
    class ReordersInPlace(KeyValueCache):
        def reorder(self, rows):
            if self.key is None:
                return
            for place, row in enumerate(rows.tolist()):
                self.key[place], self.value[place] = self.key[row], self.value[row]
            self.key, self.value = self.key[: len(rows)], self.value[: len(rows)]

    @mistake(
        "`reorder` fails before the first `append`: there is nothing to reorder then, and nothing to do.",
        breaks=reorders,
    )
    class ReordersNothing(KeyValueCache):
        def reorder(self, rows):
            self.key, self.value = self.key[rows], self.value[rows]

    @mistake(
        "The cache keeps its number of rows: where `rows` are fewer, the others are dropped.",
        breaks=drops,
    )
    class KeepsAllRows(KeyValueCache):
        def reorder(self, rows):
            if self.key is None:
                return
            self.key[: len(rows)], self.value[: len(rows)] = self.key[rows], self.value[rows]

    @mistake(
        "There is no end to it, or one too late: when `length` and the new positions come to more than "
        "`max_length`, it is a ValueError.",
        breaks=refuses,
    )
    class WithoutEnd(KeyValueCache):
        def append(self, key, value):
            self.length += key.shape[2]
            if self.key is not None:
                key, value = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value = key, value
            return key, value

    @mistake(
        "Where there is no room it is left to PyTorch to complain of sizes, with a RuntimeError: look "
        "first, and raise a ValueError.",
        breaks=refuses,
    )
    class LeftToTorch(KeyValueCache):
        def append(self, key, value):
            if self.key is None:
                room = *key.shape[:2], self.max_length
                self.key = key.new_zeros(*room, key.shape[3])
                self.value = value.new_zeros(*room, value.shape[3])
            start, end = self.length, self.length + key.shape[2]
            self.key[:, :, start:end] = key
            self.value[:, :, start:end] = value
            self.length = end
            return self.key[:, :, :end], self.value[:, :, :end]

    @mistake(
        "What has no room is added before the ValueError is raised, or counted in `length`: who catches it "
        "goes on with a cache that is too long. Look first, then add.",
        breaks=refuses,
    )
    class AddsBeforeItRefuses(KeyValueCache):
        def append(self, key, value):
            self.length += key.shape[2]
            if self.key is not None:
                key, value = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value = key, value
            if self.length > self.max_length:
                raise ValueError
            return key, value

    @mistake(
        "Of several positions those that still have room are added before the ValueError is raised: where "
        "there is no room for all of them, nothing is added. Look first, then add.",
        breaks=refuses,
    )
    class AddsWhatFits(KeyValueCache):
        def append(self, key, value):
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value = keys[:, :, : self.max_length], values[:, :, : self.max_length]
            self.length = self.key.shape[2]
            if keys.shape[2] > self.max_length:
                raise ValueError
            return keys, values

    @mistake(
        "A second `reorder` makes you forget the first: each goes on from what the one before has left. "
        "Reorder keys and values at once, or put the orders together, `order[rows]`.",
        breaks=reorders,
    )
    class ForgetsAnOrder(KeyValueCache):
        order = None

        def append(self, key, value):
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            if self.key is not None:
                keys, values = self.key, self.value
                if self.order is not None:
                    keys, values, self.order = keys[self.order], values[self.order], None
                key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
            self.key, self.value, self.length = key, value, key.shape[2]
            return key, value

        def reorder(self, rows):
            if self.key is not None:
                self.order = rows

    @mistake(
        "The last place is never used: `max_length` positions have room, and only more are too many.",
        breaks=prefill,
    )
    class OneTooFew(KeyValueCache):
        def append(self, key, value):
            if self.length + key.shape[2] >= self.max_length:
                raise ValueError
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value, self.length = keys, values, keys.shape[2]
            return keys, values

    @mistake(
        "What is kept is float32 whatever is appended: in half precision queries and keys then differ. "
        "Make the room with `key.new_empty`.",
        breaks=neighbourly,
    )
    class AlwaysFloat32(KeyValueCache):
        def append(self, key, value):
            key, value = key.float(), value.float()
            if self.length + key.shape[2] > self.max_length:
                raise ValueError
            keys, values = key, value
            if self.key is not None:
                keys, values = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
            self.key, self.value, self.length = keys, values, keys.shape[2]
            return keys, values


class KeepLikely(Exercise):
    name = "keep_likely"
    solutions = solutions.generation

    @behaviour("keeps the k largest logits, and sets the others to -inf", points=2)
    def top_k(ask, draw):
        ask.same(torch.tensor([[1.0, 3.0, 2.0]]), 2)
        ask.same(draw.scores(3, 7), top_k=draw.integer(2, 4))
        ask.same(draw.scores(2, 9), 1)
        ask.same(draw.scores(1, 5) - 20, 3)

    @behaviour("keeps exactly k of them, the first of equal ones, and all where there are fewer", points=2)
    def ties(ask, draw):
        ask.same(torch.tensor([[1.0, 2.0, 2.0, 2.0]]), 2)
        ask.same(torch.tensor([[0.5, 0.5, 0.5], [2.0, 0.0, 2.0]]), 1)
        ask.same(draw.scores(2, 4), 9)
        ask.same(draw.scores(2, 4).round(), 2)

    @behaviour("keeps the fewest whose probabilities sum to at least p", points=3)
    def top_p(ask, draw):
        probabilities = torch.tensor([[0.1, 0.35, 0.25, 0.3]])
        for p in (0.28, 0.6, 0.85):
            ask.same(probabilities.log(), None, p)
        ask.same(torch.tensor([[0.15, 0.25, 0.4, 0.2], [0.7, 0.05, 0.05, 0.2]]).log() + 200, top_p=0.5)
        ask.same(draw.scores(3, 8), top_p=0.7)
        ask.same(torch.tensor([[0.06, 0.9, 0.04], [0.2, 0.3, 0.5]]).log(), top_p=0.1)

    @behaviour("applies top_k first, and top_p to the probabilities of what is left", points=2)
    def both(ask, draw):
        probabilities = torch.tensor([[0.15, 0.3, 0.1, 0.2, 0.25]])
        ask.same(probabilities.log(), 3, 0.35)
        ask.same(probabilities.log(), 4, 0.63)
        ask.same(torch.tensor([[0.1, 0.26, 0.14, 0.5], [0.3, 0.245, 0.22, 0.235]]).log(), 3, 0.55)
        ask.same(draw.scores(3, 8), 4, 0.65)

    @behaviour("changes nothing else, and works on any device", points=1)
    def neighbourly(ask, draw):
        ask.same(draw.scores(2, 60))
        ask.keeps_arguments(draw.scores(2, 5), 2, 0.5)
        ask.same(draw.scores(2, 6, dtype=torch.float64), 3, 0.6)
        ask.follows_device(draw.scores(2, 5), 2, 0.5)

    @mistake(
        "Unlikely tokens get the logit 0, which is likelier than many others, since exp(0) = 1: set them "
        "to -inf.",
        breaks=top_k,
    )
    def zeros(logits, top_k=None, top_p=None):
        kept = keep_likely(logits, top_k, top_p)
        return kept.masked_fill(kept == NEVER, 0.0)

    @mistake(
        "The k smallest are kept: sort in descending order, or take `topk` as it is.",
        breaks=top_k,
    )
    def smallest(logits, top_k=None, top_p=None):
        if top_k is None:
            return keep_likely(logits, top_k, top_p)
        rank = logits.argsort(dim=-1, stable=True).argsort(dim=-1)
        return keep_likely(logits.masked_fill(rank >= top_k, NEVER), None, top_p)

    @mistake(
        "You return the logits in sorted order: each must stay with its own token.",
        breaks=top_k,
    )
    def left_sorted(logits, top_k=None, top_p=None):
        return keep_likely(logits, top_k, top_p).sort(dim=-1, descending=True).values

    @mistake(
        "One token too many is kept: ranks count from 0, so those from k on are left out.",
        breaks=top_k,
    )
    def one_more(logits, top_k=None, top_p=None):
        return keep_likely(logits, None if top_k is None else top_k + 1, top_p)

    @mistake(
        "`top_k` is not used: all logits stay as they are.",
        breaks=top_k,
    )
    def without_top_k(logits, top_k=None, top_p=None):
        return keep_likely(logits, None, top_p)

    @mistake(
        "You return probabilities, not logits: temperature, top_k and top_p act on logits, and the softmax "
        "comes last.",
        breaks=top_k,
    )
    def probabilities(logits, top_k=None, top_p=None):
        return keep_likely(logits, top_k, top_p).softmax(dim=-1)

    @mistake(
        "Among equal logits more than k are kept: all that reach the k-th largest value. Exactly k stay, "
        "the first of equal ones; go by rank instead of by value.",
        breaks=ties,
    )
    def by_value(logits, top_k=None, top_p=None):
        if top_k is not None:
            kth = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
            logits = logits.masked_fill(logits < kth, NEVER)
        return keep_likely(logits, None, top_p)

    @mistake(
        "Of equal logits the last ones are kept: sort with `stable=True`, so that the first stays.",
        breaks=ties,
    )
    def last_of_equal(logits, top_k=None, top_p=None):
        return keep_likely(logits.flip(-1), top_k, top_p).flip(-1)

    @mistake(
        "A `top_k` beyond the vocabulary is an error of `topk`: where there are fewer than k, all stay.",
        breaks=ties,
    )
    def too_large_k(logits, top_k=None, top_p=None):
        if top_k is not None:
            logits.topk(top_k, dim=-1)
        return keep_likely(logits, top_k, top_p)

    @mistake(
        "The token that crosses p is dropped: what is left sums to less than p. Ask whether p was reached "
        "before a token, `cumsum - likely >= p`, not with it.",
        breaks=top_p,
    )
    def without_crossing(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = likely.cumsum(dim=-1) > top_p
        drop[..., 0] = False
        return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)

    @mistake(
        "Where the likeliest token alone is more than p, nothing is left: the token that crosses p stays, "
        "and so one at least.",
        breaks=top_p,
    )
    def nothing_left(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = likely.cumsum(dim=-1) > top_p
        return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)

    @mistake(
        "You keep the tokens that are more likely than p, each by itself: top-p asks for the sum of the "
        "likeliest. Sort, then `cumsum`.",
        breaks=top_p,
    )
    def each_above(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely = logits.softmax(dim=-1)
        keep = (likely >= top_p) | (likely == likely.amax(dim=-1, keepdim=True))
        return logits.masked_fill(~keep, NEVER)

    @mistake(
        "You keep the tokens whose own probability is at least 1 - p: top-p asks for the sum of the "
        "likeliest. Sort, then `cumsum`.",
        breaks=top_p,
    )
    def each_above_the_rest(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely = logits.softmax(dim=-1)
        keep = (likely >= 1 - top_p) | (likely == likely.amax(dim=-1, keepdim=True))
        return logits.masked_fill(~keep, NEVER)

    @mistake(
        "The softmax goes along the batch: the tokens of a row share a probability of 1, so `dim=-1`.",
        breaks=top_p,
    )
    def over_the_batch(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        order = logits.argsort(dim=-1, descending=True, stable=True)
        likely = logits.softmax(dim=0).gather(-1, order)
        drop = likely.cumsum(dim=-1) - likely >= top_p
        return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)

    @mistake(
        "You sum probabilities in the order of the vocabulary: sort them first, the largest in front.",
        breaks=top_p,
    )
    def unsorted(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely = logits.softmax(dim=-1)
        return logits.masked_fill(likely.cumsum(dim=-1) - likely >= top_p, NEVER)

    @mistake(
        "What to drop was found in sorted order and applied to unsorted logits: bring it back to the "
        "tokens' own places with `scatter`.",
        breaks=top_p,
    )
    def not_scattered(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        likely = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True).values
        return logits.masked_fill(likely.cumsum(dim=-1) - likely >= top_p, NEVER)

    @mistake(
        "You sum the logits, not their probabilities: the softmax comes before `cumsum`.",
        breaks=top_p,
    )
    def sums_logits(logits, top_k=None, top_p=None):
        logits = keep_likely(logits, top_k)
        if top_p is None:
            return logits
        ordered, order = logits.sort(dim=-1, descending=True, stable=True)
        drop = ordered.cumsum(dim=-1) - ordered >= top_p
        drop[..., 0] = False
        return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), NEVER)

    @mistake(
        "top_p is not applied: what top_k leaves, or all tokens, is still there. Leave out those that come "
        "after p was reached.",
        breaks=top_p,
    )
    def without_top_p(logits, top_k=None, top_p=None):
        return keep_likely(logits, top_k)

    @mistake(
        "Both together: top_p must act on the probabilities of what top_k has left, which sum to one "
        "again. Yours are those of the whole vocabulary, so too many stay.",
        breaks=both,
    )
    def both_of_all(logits, top_k=None, top_p=None):
        by_k = keep_likely(logits, top_k)
        by_p = keep_likely(logits, None, top_p)
        return torch.minimum(by_k, by_p)

    @mistake(
        "Where both are given, one of them is not applied: first top_k, then top_p.",
        breaks=both,
    )
    def one_or_the_other(logits, top_k=None, top_p=None):
        return keep_likely(logits, top_k, None if top_k else top_p)

    @mistake(
        "You change the logits you were given: `logits[...] = -inf` writes into the caller's tensor. Use "
        "`masked_fill`, which makes a new one.",
        breaks=neighbourly,
    )
    def in_place(logits, top_k=None, top_p=None):
        logits.copy_(keep_likely(logits, top_k, top_p))
        return logits


CHANCE = 4000  # rows of one draw


def _often(ask, probabilities, logits, *arguments, **keywords):
    """In many rows of the same logits tokens occur as often as they should, give or take seven spreads.

    A right answer fails once in some hundred thousand million draws.
    """
    generator = _generator(5)
    call = ask.call(logits.expand(CHANCE, -1), *arguments, keywords={**keywords, "generator": generator})
    found, expected = ask.outcomes(call)
    tokens = found.value
    nothing = torch.zeros_like(tokens) if isinstance(tokens, torch.Tensor) else tokens
    if message := difference(nothing, torch.zeros_like(expected.value)):
        raise Wrong(message, show(call, tokens, expected.value))
    for token, p in enumerate(probabilities):
        share = (tokens == token).double().mean().item()
        if abs(share - p) > 7 * (p * (1 - p) / CHANCE) ** 0.5 + 1e-9:
            often = f"token {token} comes in {share:.1%} of {CHANCE} draws, not in about {p:.1%}"
            raise Wrong(often, show_call(call))


def _generator(seed: int, drawn: int = 0) -> Made:
    return Made("torch", "Generator", (seed,), {"drawn": drawn} if drawn else {})


class SampleToken(Exercise):
    name = "sample_token"
    solutions = solutions.generation
    builds_on = ("keep_likely",)

    @behaviour("draws each token by its probability", points=2)
    def by_probability(ask, draw):
        certain = 400 * torch.eye(5)[[1, 3, 0, 4, 2, 1]]
        ask.same(certain, generator=_generator(1))
        logits = torch.tensor([2.0, 1.0, 0.0, -1.0]) + draw.integer(-3, 3)
        _often(ask, logits.double().softmax(-1).tolist(), logits)

    @behaviour("divides the logits by the temperature", points=3)
    def tempered(ask, draw):
        logits = torch.tensor([3.0, 2.0, 1.0, 0.0])
        for temperature in (0.5, 2.0):
            _often(ask, (logits.double() / temperature).softmax(-1).tolist(), logits, temperature)
        cold = draw.scores(40, 7).round(decimals=1) + torch.arange(7) / 100  # no two are equal
        ask.same(cold, 1e-5, generator=_generator(2))

    @behaviour("takes the most likely token at temperature 0", points=1)
    def frozen(ask, draw):
        ask.same(torch.tensor([[1.0, 3.0, 2.0]]), 0.0)
        ask.same(draw.scores(40, 9), temperature=0)
        ask.same(draw.scores(6, 9), 0.0, 3, 0.5, _generator(3))

    @behaviour("draws from the likely tokens alone, of the tempered logits", points=2)
    def likely_alone(ask, draw):
        logits = torch.tensor([2.0, 1.5, 1.0, 0.5])
        ask.same(draw.scores(6, 9), 1.0, 1, generator=_generator(4))
        two = [*logits[:2].double().softmax(-1).tolist(), 0.0, 0.0]
        _often(ask, two, logits, top_k=2)
        _often(ask, two, logits, 1.0, None, 0.6)
        for temperature, p, left in ((0.5, 0.6, 1), (2.0, 0.7, 3)):  # untempered, two would be left
            likely = (logits / temperature).double()[:left].softmax(-1).tolist() + [0.0] * (4 - left)
            _often(ask, likely, logits, temperature, None, p)

    @behaviour("draws with the generator it is given", points=1)
    def generator_used(ask, draw):
        logits = draw.scores(40, 30) / 10
        drawn = []
        for arguments, keywords, before in (((1.0,), {}, 0), ((), {"temperature": 1.0}, 0), ((1.0,), {}, 9)):
            keywords = {**keywords, "generator": _generator(1, drawn=before)}
            call = ask.call(logits, *arguments, keywords=keywords)
            drawn.append(ask.outcomes(call)[0].value)
        if difference(drawn[1], drawn[0]):
            raise Wrong("two generators of the same seed draw different tokens", show_call(call))
        if not difference(drawn[2], drawn[0]):
            raise Wrong(
                "a generator that was used before draws the same tokens as a new one", show_call(call)
            )

    @behaviour("leaves its arguments as they were, and works without a generator", points=1)
    def neighbourly(ask, draw):
        ask.keeps_arguments(300 * torch.eye(3)[[2, 0, 1]], 0.5, 2, 0.9)
        ask.same(300 * torch.eye(4)[[2]])

    @mistake(
        "You multiply by the temperature: a high one shall make the draw more even, so divide the logits "
        "by it.",
        breaks=tempered,
    )
    def multiplied(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits * temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "The temperature has no effect: it is not used, or added to all logits alike, or comes after the "
        "softmax, where all probabilities are divided by the same number. Divide the logits.",
        breaks=tempered,
    )
    def after_softmax(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits, top_k, top_p).softmax(dim=-1) / temperature
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "Probabilities are divided by the temperature and go through a second softmax, which makes them "
        "nearly even. Divide the logits, and take one softmax.",
        breaks=by_probability,
    )
    def softmax_twice(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits.softmax(dim=-1) / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "Temperature 0 divides by zero: take the most likely token then, without drawing.",
        breaks=frozen,
    )
    def divides_by_zero(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        likely = keep_likely(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "Nothing is drawn: you take the most likely token at every temperature.",
        breaks=by_probability,
    )
    def always_best(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        return logits.argmax(dim=-1)

    @mistake(
        "All tokens that are left are equally likely to be drawn: weigh them by their softmax.",
        breaks=by_probability,
    )
    def evenly(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits / temperature, top_k, top_p).isfinite().to(logits.dtype)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "The shape is (batch, 1): `multinomial` draws a column; take it out of there with `[:, 0]`.",
        breaks=by_probability,
    )
    def column(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1, keepdim=True)
        likely = keep_likely(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)

    @mistake(
        "top_k is not applied, nor top_p where both are missing: the long tail of unlikely tokens is "
        "drawn from as well.",
        breaks=likely_alone,
    )
    def from_all(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = (logits / temperature).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "top_p acts before the temperature: the likely tokens are those of the tempered logits. Divide "
        "first.",
        breaks=likely_alone,
    )
    def temperature_last(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = (keep_likely(logits, top_k, top_p) / temperature).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "top_k is applied and top_p is not.",
        breaks=likely_alone,
    )
    def without_top_p(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits / temperature, top_k).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "The generator is not used: the same seed must give the same text. Hand it over, "
        "`generator=generator`.",
        breaks=generator_used,
    )
    def own_chance(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1)[:, 0]

    @mistake(
        "You set a seed, the generator's or torch's own, so that every call draws the same: draw from the "
        "generator as it is.",
        breaks=generator_used,
    )
    def seeded_anew(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        if generator is not None:
            generator.manual_seed(generator.initial_seed())
        likely = keep_likely(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]

    @mistake(
        "A batch of one row loses its axis: `squeeze()` takes out every axis of size 1. Say which, `[:, 0]`.",
        breaks=neighbourly,
    )
    def squeezed(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        likely = keep_likely(logits / temperature, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator).squeeze()

    @mistake(
        "You change the logits you were given: `/=` divides the caller's tensor. Make a new one.",
        breaks=neighbourly,
    )
    def in_place(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        logits.copy_(logits / temperature)
        likely = keep_likely(logits, top_k, top_p).softmax(dim=-1)
        return torch.multinomial(likely, 1, generator=generator)[:, 0]


# Seeds of models that were tried out: a right answer does not hang on rounding, and the mistakes show.
MISPLACED, NO_END, FORCED = (3, 6, 10, 11), (4, 26, 32), (0, 1, 2, 3)
PREFIXES = torch.tensor([[7, 8, 9], [9, 6, 0], [6, 7, 8]])
SHORT_PREFIXES = torch.tensor([[7, 8, 0, 0], [9, 0, 0, 0], [6, 7, 8, 0]])


class Greedy(Exercise):
    name = "greedy"
    solutions = solutions.generation
    builds_on = ("KeyValueCache",)

    @behaviour("writes the most likely token, step by step, as long as it may", points=3)
    def step_by_step(ask, draw):
        for seed, length in ((271, 1), (271, 7), (_at(draw, MISPLACED), 7)):
            ask.same(model_of(seed), sources_of(seed, 1), BEGIN, END, length)

    @behaviour("stops after the end symbol", points=2)
    def ends(ask, draw):
        for seed in (_at(draw, NO_END), 30):
            ask.same(model_of(seed), sources_of(seed, 1), BEGIN, END, 7)

    @behaviour("lets targets of a batch end at different lengths, and pads them", points=3)
    def batch(ask, draw):
        ask.same(model_of(30), sources_of(30, 3), BEGIN, END, 7)

    @behaviour("gives a source the same target in a batch, where it is padded", points=1)
    def ragged(ask, draw):
        ask.same(model_of(10), sources_of(10, 3), BEGIN, END, 7)

    @behaviour("goes on from prefixes of unequal length", points=3)
    def prefixes(ask, draw):
        seed = _at(draw, FORCED)
        ask.same(model_of(seed), sources_of(seed, 1), BEGIN, END, 5, torch.tensor([[7, 8]]))
        ask.same(model_of(4, 2), sources_of(4, 3), BEGIN, END, 8, PREFIXES)
        ask.same(model_of(seed), sources_of(seed, 3), BEGIN, END, 8, prefix_ids=SHORT_PREFIXES)

    @behaviour("never writes padding, whatever its id, and takes any ids for begin and end", points=2)
    def other_ids(ask, draw):
        ask.same(model_of(0, 1, 5, below=20.0), sources_of(0, 1, 5, 5), 3, 0, 1)
        ask.same(model_of(10, 1, 5), sources_of(10, 3, 5, 5), 3, 0, 7)
        ask.same(model_of(10, 1, 5), sources_of(10, 3, 5, 5), 3, 4, 7)

    @behaviour("leaves model, sources and prefixes as they were", points=1)
    def neighbourly(ask, draw):
        seed = _at(draw, FORCED)
        ask.keeps_arguments(model_of(seed), sources_of(seed, 3), BEGIN, END, 4, PREFIXES)

    @mistake(
        "You take the least likely token: `argmax`, not `argmin`.",
        breaks=step_by_step,
    )
    def least_likely(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "least")

    @mistake(
        "You read the logits of the first position: what follows is told by the last one, `logits[:, -1]`.",
        breaks=step_by_step,
    )
    def first_position(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "first position")

    @mistake(
        "There is a token too few: the start symbol does not count among the `max_length` tokens, and the "
        "last one written is not cut off.",
        breaks=step_by_step,
    )
    def one_too_few(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "begin counted")

    @mistake(
        "There is a token too many: `max_length` counts all that are written.",
        breaks=step_by_step,
    )
    def one_too_many(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "one too many")

    @mistake(
        "The start symbol is still there: targets are returned without it.",
        breaks=step_by_step,
    )
    def begin_kept(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "begin kept")

    @mistake(
        "The positions are off by one from the second step on: the first token after the start symbol "
        "stands at position 1. Ask the cache how many were read before it grows, not after.",
        breaks=step_by_step,
    )
    def positions_late(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "positions late")

    @mistake(
        "Every token is embedded at position 0: who reads one token at a time must say where it stands, "
        "`embed(ids, start)`, and needs a cache of what was read before.",
        breaks=step_by_step,
    )
    def positions_zero(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "positions zero")

    @mistake(
        "Nobody looks for the end symbol: the text goes on behind it until `max_length`. Stop when every "
        "target has ended.",
        breaks=ends,
    )
    def never_ends(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "no end")

    @mistake(
        "The end symbol is replaced by padding: it is part of the target.",
        breaks=ends,
    )
    def end_left_out(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "end left out")

    @mistake(
        "All targets are padded to `max_length`: they are as long as the longest of them.",
        breaks=ends,
    )
    def fixed_width(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "fixed width")

    @mistake(
        "Targets that have ended go on while others are still being written: put padding behind their end.",
        breaks=batch,
    )
    def goes_on_behind(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "no padding")

    @mistake(
        "All stop when the first has ended: go on until the last has.",
        breaks=batch,
    )
    def first_end_stops(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "first end")

    @mistake(
        "The source's padding is read like a word: hide it, in the encoder and in cross-attention. Then a "
        "target does not hang on what stands beside it in the batch.",
        breaks=ragged,
    )
    def padding_read(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "source padding")

    @mistake(
        "The prefixes are not used, or not from their first token on: a target begins with its prefix and "
        "goes on from there.",
        breaks=prefixes,
    )
    def prefix_ignored(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefix ignored")

    @mistake(
        "The padding of the shorter prefixes is taken for text: such a target goes on right behind its own "
        "prefix.",
        breaks=prefixes,
    )
    def prefix_padding_kept(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefix padding")

    @mistake(
        "All prefixes are cut to the shortest: a longer one goes on forcing its tokens.",
        breaks=prefixes,
    )
    def cut_to_shortest(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "shortest prefix")

    @mistake(
        "`max_length` is counted from the end of the prefix: it counts all tokens of the target, those of "
        "the prefix too.",
        breaks=prefixes,
    )
    def prefix_besides(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefix not counted")

    @mistake(
        "The prefix stands in the target, but was not read: the model goes on from what it would have "
        "written itself. Let it read what is forced.",
        breaks=prefixes,
    )
    def prefix_not_read(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefix not read")

    @mistake(
        "After a prefix the start symbol is missing: the model reads it first, then the prefix.",
        breaks=prefixes,
    )
    def without_begin(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefix without begin")

    @mistake(
        "The tokens of the prefix see one another in both directions: reading several at once needs the "
        "causal mask.",
        breaks=prefixes,
    )
    def unmasked_prefill(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "prefill without mask")

    @mistake(
        "Padding is written where it is the most likely token: set its logit to -inf before you choose.",
        breaks=other_ids,
    )
    def padding_written(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "padding written")

    @mistake(
        "The logit of padding is set to 0, which is the largest where all others are below zero: set it to "
        "-inf.",
        breaks=other_ids,
    )
    def padding_at_zero(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "padding at zero")

    @mistake(
        "Padding is taken to be 0: its id is `model.pad_id`.",
        breaks=other_ids,
    )
    def padding_is_zero(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        return _written(model, source_ids, begin_id, end_id, max_length, prefix_ids, "pad is 0")


ENDED = (4, 30, 32, 39)  # seeds, tried out as those above


class BeamSearch(Exercise):
    name = "beam_search"
    solutions = solutions.generation
    builds_on = ("KeyValueCache",)

    @behaviour("keeps the best beginnings, and so finds what greedy writing misses", points=4)
    def wide(ask, draw):
        ask.same(model_of(4), sources_of(4, 1), BEGIN, END, 1, 3)
        for seed in (30, 49):
            ask.same(model_of(seed), sources_of(seed, 1), BEGIN, END, 6, 3)

    @behaviour("returns the best target that has ended", points=3)
    def ends(ask, draw):
        ask.same(model_of(39), sources_of(39, 1), BEGIN, END, 8, 3)

    @behaviour("divides a score by its length to the power of the length penalty", points=3)
    def penalty(ask, draw):
        ask.same(model_of(4), sources_of(4, 1), BEGIN, END, 8, 3, 2.0)
        ask.same(model_of(38), sources_of(38, 1), BEGIN, END, 8, 3, length_penalty=0.6)
        ask.same(model_of(6), sources_of(6, 1), BEGIN, END, 8, 3, 0.0)

    @behaviour("goes on until no beginning can rank higher, with two continuations for each beam", points=3)
    def stops(ask, draw):
        for seed in (5, 39, 146):
            ask.same(model_of(seed), sources_of(seed, 1), BEGIN, END, 8, 2)
        ask.same(model_of(63), sources_of(63, 1), BEGIN, END, 8)

    @behaviour("ranks what is cut off at max_length too", points=1)
    def cut(ask, draw):
        ask.same(model_of(5), sources_of(5, 1), BEGIN, END, 5, 3)

    @behaviour("searches for each source of a batch by itself, and pads what has ended", points=2)
    def batch(ask, draw):
        for seed in (26, 5, 39):
            ask.same(model_of(seed), sources_of(seed, 3), BEGIN, END, 8, 2)

    @behaviour("never writes padding, whatever its id, and takes any ids for begin and end", points=1)
    def other_ids(ask, draw):
        for seed in (30, 49):
            ask.same(model_of(seed, 1, 5), sources_of(seed, 1, 5, 5), 3, 0, 6, 3)
        ask.same(model_of(6, 1, 5), sources_of(6, 3, 5, 5), 3, 4, 8, 3)

    @behaviour("leaves model and sources as they were", points=1)
    def neighbourly(ask, draw):
        seed = _at(draw, ENDED)
        ask.keeps_arguments(model_of(seed), sources_of(seed, 1), BEGIN, END, 8, 3)

    @mistake(
        "Only one beginning is kept, or all beams are the same from the first step on, which comes to the "
        "same: that is greedy writing. Let the first step go on from one beam, and keep the `n_beams` "
        "best.",
        breaks=wide,
    )
    def one_beam(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "one beam")

    @mistake(
        "The beams change places and what they have read does not: a beam goes on with the cache of "
        "another. Reorder it by the beams that the continuations came from.",
        breaks=wide,
    )
    def cache_not_reordered(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "cache not reordered"
        )

    @mistake(
        "The beams change places and their tokens do not: the last token of one is put behind the "
        "beginning of another. Gather the targets by the beams that the continuations came from.",
        breaks=wide,
    )
    def tokens_not_reordered(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "tokens not reordered"
        )

    @mistake(
        "Beam and token are read from the flat place the wrong way round: it is beam * vocab + token, so the "
        "beam is `place // vocab`, and the token `place % vocab`.",
        breaks=wide,
    )
    def places_mixed_up(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "places mixed up"
        )

    @mistake(
        "You sum logits, which may be of any size: sum log-probabilities, `log_softmax`.",
        breaks=wide,
    )
    def raw_logits(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "logits")

    @mistake(
        "The softmax goes over the tokens of all beams at once: each beam's own continuations share a "
        "probability of 1.",
        breaks=wide,
    )
    def over_all_beams(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "softmax over beams"
        )

    @mistake(
        "You sum probabilities: the probability of a text is a product, so it is their logarithms that are "
        "summed.",
        breaks=wide,
    )
    def probabilities(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "probabilities"
        )

    @mistake(
        "Beginnings are compared by their last token alone, or by a score that is divided anew at every "
        "step: add up whole sums, and divide only to rank what has ended.",
        breaks=wide,
    )
    def last_token_alone(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "last token alone"
        )

    @mistake(
        "The start symbol is still there: targets are returned without it.",
        breaks=wide,
    )
    def begin_kept(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "begin kept"
        )

    @mistake(
        "Nobody looks for the end symbol: a target that has ended goes on behind it.",
        breaks=ends,
    )
    def never_ends(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "no end")

    @mistake(
        "The end symbol is left out: it is part of the target, and pads come behind it.",
        breaks=ends,
    )
    def end_left_out(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "end left out"
        )

    @mistake(
        "You return the first target that ends: another one that ends later may rank higher. The same comes "
        "of multiplying by the length's power, where it divides, and of dividing a product of probabilities, "
        "which shrinks much faster than the sum of their logarithms.",
        breaks=ends,
    )
    def first_end(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "first end"
        )

    @mistake(
        "A target that has ended is ranked, but goes on as a beam too, behind its end: only those that "
        "have not ended go on.",
        breaks=ends,
    )
    def ended_goes_on(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "ended goes on"
        )

    @mistake(
        "You return the best beginning, though it has not ended: what has ended is lost. Keep it aside, "
        "and rank it.",
        breaks=ends,
    )
    def running_returned(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "running returned"
        )

    @mistake(
        "You return the worst of the ended targets: scores are negative, and the largest is the best.",
        breaks=ends,
    )
    def worst_returned(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "worst returned"
        )

    @mistake(
        "All targets are padded to `max_length`: they are as long as the longest of them.",
        breaks=ends,
    )
    def fixed_width(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "fixed width"
        )

    @mistake(
        "Targets are ranked by their sums: each token makes a sum smaller, so the shortest wins. The same "
        "comes of dividing by a padded length, which all have. Divide by the length to the power of "
        "`length_penalty`.",
        breaks=penalty,
    )
    def no_penalty(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "no penalty"
        )

    @mistake(
        "`length_penalty` is not used, or only as a factor, which changes no order: divide by the length "
        "to the power of it.",
        breaks=penalty,
    )
    def always_one(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "always one"
        )

    @mistake(
        "The end symbol is not counted in the length: its log-probability is in the sum, so it counts.",
        breaks=penalty,
    )
    def length_without_end(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "length without end"
        )

    @mistake(
        "The start symbol is counted in the length: it was given, and has no log-probability in the sum.",
        breaks=penalty,
    )
    def length_with_begin(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "length with begin"
        )

    @mistake(
        "You divide by ((5 + length) / 6) to the power of the penalty, as Wu et al. 2016 do: here it is "
        "the length itself.",
        breaks=penalty,
    )
    def formula_of_wu(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "formula of Wu"
        )

    @mistake(
        "You stop as soon as `n_beams` targets have ended: one that is still running may rank higher. The "
        "same comes of comparing its sum with their ranks: divide it by its length, too.",
        breaks=stops,
    )
    def stops_when_full(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "stops when full"
        )

    @mistake(
        "You stop when no beginning ranks above the best ended target: here a source is done when none "
        "ranks above the worst of its `n_beams`.",
        breaks=stops,
    )
    def stops_at_best(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "stops at best"
        )

    @mistake(
        "You go on after a source is done, or its places are taken by others: when `n_beams` targets of a "
        "source have ended and no beginning, ended as it is, would rank above the worst of them, nothing "
        "more is looked at.",
        breaks=stops,
    )
    def never_stops(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "never stops"
        )

    @mistake(
        "Too few go on when some end: look at `2 * n_beams` continuations, and go on from the best "
        "`n_beams` that have not ended.",
        breaks=stops,
    )
    def few_candidates(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "few candidates"
        )

    @mistake(
        "You rank what ends among all continuations: only what ends among the first `n_beams` counts, the "
        "others are there to go on.",
        breaks=stops,
    )
    def all_candidates(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "all candidates"
        )

    @mistake(
        "What is cut off at `max_length` is not ranked: it competes with those that have ended.",
        breaks=cut,
    )
    def cut_off_lost(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "cut off lost"
        )

    @mistake(
        "Padding is written where it is likely: set its log-probability to -inf.",
        breaks=other_ids,
    )
    def padding_written(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "padding written"
        )

    @mistake(
        "Padding is taken out before the softmax, so that all others share its probability, and beams in "
        "which it was likely gain by it. Set its log-probability to -inf after `log_softmax`.",
        breaks=other_ids,
    )
    def padding_renormalised(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(
            model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "padding renormalised"
        )

    @mistake(
        "Padding is taken to be 0: its id is `model.pad_id`.",
        breaks=other_ids,
    )
    def padding_is_zero(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        return _searched(model, source_ids, begin_id, end_id, max_length, n_beams, length_penalty, "pad is 0")
