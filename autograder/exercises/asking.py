"""Holding a student's answers against the reference, and saying where they part."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from autograder.exercises.namespace import Call, Forbidden, Foreign, Namespace, Near, Outcome, plain
from autograder.exercises.specification import Exercise

LONGEST_MESSAGE, LONGEST_EXAMPLE = 500, 2000


class Wrong(Exception):
    """An answer does not behave as it must. `example` is what shows it: call, answer, expectation."""

    def __init__(self, message: str, example: str = ""):
        super().__init__(message)
        self.message = _clipped(message, LONGEST_MESSAGE)
        self.example = _clipped(example, LONGEST_EXAMPLE)


class Blank(Exception):
    """The exercise has not been answered: the stub is still there, or the name is not defined."""


class Draw:
    """Random inputs, the same for the same seed.

    >>> Draw("course key", "ada").integer(1, 6) == Draw("course key", "ada").integer(1, 6)
    True
    """

    def __init__(self, *seed: str):
        digest = hashlib.sha256("\0".join(seed).encode()).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def scores(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Scores from a normal distribution: small enough that no softmax saturates."""
        return torch.randn(shape, generator=self.generator).to(dtype)

    def mask(self, *shape: int) -> Tensor:
        """A mask in which every row may look at some keys and not at others (two keys at least)."""
        order = torch.rand(shape, generator=self.generator).argsort(dim=-1).argsort(dim=-1)
        allowed = torch.randint(1, shape[-1], (*shape[:-1], 1), generator=self.generator)
        return order < allowed

    def token_ids(self, batch: int, length: int, pad_id: int) -> Tensor:
        """Token ids (batch, length), padded right, left and inside by turns, never throughout a row."""
        ids = torch.randint(0, 90, (batch, length), generator=self.generator)
        ids[ids == pad_id] = 91
        for row, sentence in enumerate(ids):
            padding = self.integer(1, max(1, length // 2)) if length > 1 else 0
            if row % 3 == 0:
                sentence[length - padding :] = pad_id
            elif row % 3 == 1:
                sentence[:padding] = pad_id
            elif length > 2:
                sentence[1 : 1 + padding] = pad_id
        return ids


TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def difference(value: Any, expected: Tensor, types: bool = True) -> str | None:
    """In what a value differs from the expected tensor, in words; None where it does not.

    `types=False` looks past the type, so that ones and zeros may stand for True and False.
    """
    if not isinstance(value, Tensor):
        kind = value.kind if isinstance(value, Foreign) else type(value).__name__
        return f"it returns {'nothing' if value is None else f'a {kind}'}, not a tensor"
    if types and value.dtype != expected.dtype:
        return f"its type is {value.dtype}, not {expected.dtype}"
    if value.shape != expected.shape:
        return f"its shape is {tuple(value.shape)}, not {tuple(expected.shape)}"
    tolerance = TOLERANCE.get(expected.dtype, 0.0)
    same = torch.isclose(value.double(), expected.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    if same.all():
        return None
    where = tuple((~same).nonzero()[0].tolist())
    found, wanted = _in_words(value[where]), _in_words(expected[where])
    if found == wanted:
        found, wanted = f"{value[where].item():.12g}", f"{expected[where].item():.12g}"
    return f"at {where} it is {found}, not {wanted}"


class Ask:
    """Questions to one student's function, each held against the reference. All are remembered."""

    def __init__(self, exercise: type[Exercise], namespace: Namespace, reference: Namespace | None = None):
        self.exercise = exercise
        self.namespace = namespace
        self.reference = reference or Near({exercise.name: exercise.reference()})
        self.asked: list[tuple[Call, Outcome]] = []

    def outcome(self, *arguments, **how) -> Outcome:
        """Put one question; an error the answer raises is `Wrong`, the stub's own is `Blank`."""
        call = Call(self.exercise.name, plain(arguments), forbidden=self.exercise.forbidden, **how)
        outcome = self.namespace.ask(call)
        self.asked.append((call, outcome))
        if outcome.error:
            kind, message = outcome.error
            if kind == "NotImplementedError":
                raise Blank(message)
            if kind in (Forbidden.__name__, "Stopped"):
                raise Wrong(_first_line(message), show_call(call))
            raise Wrong(f"it raises {kind}: {_first_line(message)}", show_call(call))
        return outcome

    def same(self, *arguments, types: bool = True) -> None:
        """The answer equals the reference in type, shape and values."""
        self._compared(arguments, types)

    def same_kind(self, *arguments) -> None:
        """The answer equals the reference in type and shape."""
        call, value, expected = self._answered(arguments)
        if isinstance(value, Tensor) and (value.dtype, value.shape) == (expected.dtype, expected.shape):
            return
        raise Wrong(difference(value, expected), show(call, value, expected))

    def nothing_where_hidden(self, scores: Tensor, mask: Tensor) -> None:
        """The answer is zero to the last bit where the mask is False."""
        call, value, expected = self._answered((scores, mask))
        if not isinstance(value, Tensor) or value.shape != expected.shape:
            raise Wrong(difference(value, expected), show(call, value, expected))
        if (value[~mask.expand(value.shape)] != 0).any():
            raise Wrong("what is hidden is small, but not zero", show(call, value, expected))

    def same_gradient(self, *arguments, upstream: Tensor) -> None:
        """The answer's gradients with respect to its floating arguments equal the reference's."""
        found = self.outcome(*arguments, upstream=upstream).gradients
        call = Call(self.exercise.name, arguments, upstream=upstream)
        expected_ones = self.reference.ask(call).gradients
        for gradient, expected in zip((*found, *[None] * len(expected_ones)), expected_ones, strict=False):
            if message := difference(gradient, expected):
                raise Wrong(f"in its gradient, {message}", show(call, gradient, expected))

    def keeps_arguments(self, *arguments) -> None:
        """The answer is right in value, and leaves its arguments as they were."""
        call = self._compared(arguments, types=False, watched=True)
        _, outcome = self.asked[-1]
        kept = (*outcome.arguments, *[None] * len(arguments))
        for before, after in zip(arguments, kept, strict=False):
            if isinstance(before, Tensor) and difference(after, before):
                raise Wrong("it changes the tensor it was given", show(call, after, before))

    def follows_device(self, *arguments) -> None:
        """The answer is on the device of its arguments, and mixes no devices on the way."""
        call = Call(self.exercise.name, arguments, elsewhere=True)
        outcome = self.namespace.ask(call)
        self.asked.append((call, outcome))
        if outcome.error:
            raise Wrong(f"it raises {outcome.error[0]}: {_first_line(outcome.error[1])}", show_call(call))
        if outcome.device == "other":
            raise Wrong("with its input on a GPU it makes tensors on the CPU", show_call(call))

    def _answered(self, arguments: tuple, **how) -> tuple[Call, Any, Tensor]:
        """The call, the value the answer gives, and the one the reference gives."""
        value = self.outcome(*arguments, **how).value
        call = Call(self.exercise.name, arguments)
        return call, value, self.reference.ask(call).value

    def _compared(self, arguments: tuple, types: bool, **how) -> Call:
        call, value, expected = self._answered(arguments, **how)
        if message := difference(value, expected, types):
            raise Wrong(message, show(call, value, expected))
        return call


def show(call: Call, value: Any, expected: Tensor) -> str:
    """A call, what it gave and what was expected, as a student can read it."""
    return f"{show_call(call)}\n\ngives\n{show_value(value)}\n\nexpected\n{show_value(expected)}"


def show_call(call: Call) -> str:
    """The call as one would type it; tensors too large to read are named by their shape."""
    return f"{call.name}({', '.join(_argument(argument) for argument in call.arguments)})"


def show_value(value: Any) -> str:
    """A value for the eye: a small mask as a picture, small numbers in full, the rest by its shape."""
    if isinstance(value, Foreign):
        return f"a {value.kind}"
    if not isinstance(value, Tensor):
        return repr(value)
    head = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if value.numel() > 160 or value.numel() == 0:
        return head
    if value.dim() == 0:
        return f"{head} {value.item()}"
    rows = [" ".join(_number(item) for item in row) for row in value.reshape(-1, value.shape[-1])]
    return "\n".join([head, *rows])


def _argument(argument: Any) -> str:
    if not isinstance(argument, Tensor):
        return str(argument)
    if argument.numel() > 40:
        return f"<{str(argument.dtype).removeprefix('torch.')} {tuple(argument.shape)}>"
    return str([_rounded(item) for item in argument.tolist()] if argument.dim() else argument.item())


def _rounded(item: Any) -> Any:
    if isinstance(item, list):
        return [_rounded(part) for part in item]
    return round(item, 3) if isinstance(item, float) else item


def _in_words(item: Tensor) -> str:
    return str(item.item()) if item.dtype == torch.bool else _number(item)


def _number(item: Tensor) -> str:
    if item.dtype == torch.bool:
        return "■" if item else "·"
    return f"{item.item():.4g}"


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + " … and so on"


def _first_line(message: str) -> str:
    line = message.strip().split("\n")[0]
    return line if len(line) <= 200 else line[:199] + "…"
