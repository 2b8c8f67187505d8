"""In what an answer differs from the right one, in words and as a picture that a student can read."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.exercises.namespace import Call, Foreign, Made, Step

TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
KINDS = {
    Tensor: "tensor", list: "list", tuple: "tuple", dict: "dictionary", str: "string", bool: "bool",
    int: "number", float: "number",
}  # fmt: skip
NESTED = (Tensor, list, tuple, dict)
MOST_NUMBERS, LONGEST_TEXT, MOST_ITEMS = 160, 60, 12


def difference(value: Any, expected: Any, types: bool = True) -> str | None:
    """In what a value differs from the expected one, in words; None where it does not.

    Lists may stand for tuples. `types=False` looks past the types of tensors, so that ones and zeros may
    stand for True and False.
    """
    if isinstance(expected, Tensor):
        return _difference_of_tensors(value, expected, types)
    if isinstance(expected, list | tuple):
        return _difference_of_sequences(value, expected, types)
    if isinstance(expected, dict):
        return _difference_of_dictionaries(value, expected, types)
    if kind_of(value) != kind_of(expected):
        return f"it is {a(value)}, not {a(expected)}"
    same = value == expected
    if isinstance(expected, float) and isinstance(value, int | float):
        both_nan = math.isnan(value) and math.isnan(expected)
        same = both_nan or math.isclose(value, expected, rel_tol=1e-6, abs_tol=1e-9)
    return None if same else f"it is {_text(value)}, not {_text(expected)}"


def kind_of(value: Any) -> str:
    """What a value is called in a sentence."""
    if isinstance(value, Foreign):
        return value.kind
    return next((word for kind, word in KINDS.items() if isinstance(value, kind)), type(value).__name__)


def a(value: Any) -> str:
    """The kind of a value with its article: "a list", "nothing"."""
    return "nothing" if value is None else f"a {kind_of(value)}"


def _difference_of_tensors(value: Any, expected: Tensor, types: bool) -> str | None:
    if not isinstance(value, Tensor):
        return f"it returns {a(value)}, not a tensor"
    if types and value.dtype != expected.dtype:
        return f"its type is {value.dtype}, not {expected.dtype}"
    if value.shape != expected.shape:
        return f"its shape is {tuple(value.shape)}, not {tuple(expected.shape)}"
    if value.dtype == expected.dtype and torch.equal(value, expected):
        return None
    tolerance = TOLERANCE.get(expected.dtype, 0.0)
    same = torch.isclose(value.double(), expected.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    if same.all():
        return None
    where = tuple((~same).nonzero()[0].tolist())
    found, wanted = _in_words(value[where]), _in_words(expected[where])
    if found == wanted:
        found, wanted = f"{value[where].item():.12g}", f"{expected[where].item():.12g}"
    return f"at {where} it is {found}, not {wanted}"


def _difference_of_sequences(value: Any, expected: list | tuple, types: bool) -> str | None:
    if not isinstance(value, list | tuple):
        return f"it returns {a(value)}, not {a(expected)}"
    for index, (found, wanted) in enumerate(zip(value, expected, strict=False)):
        if message := difference(found, wanted, types):
            return f"in item {index}, {message}"
    if len(value) != len(expected):
        return f"it has {_items(value)}, not {len(expected)}"
    return None


def _difference_of_dictionaries(value: Any, expected: dict, types: bool) -> str | None:
    if not isinstance(value, dict):
        return f"it returns {a(value)}, not a dictionary"
    for key, wanted in expected.items():
        if key not in value:
            return f"it has no {_text(key)}"
        if message := difference(value[key], wanted, types):
            return f"for {_text(key)}, {message}"
    if strangers := [key for key in value if key not in expected]:
        return f"it has {_text(min(strangers, key=repr))}, which does not belong there"
    return None


def show(call: Call, value: Any, expected: Any) -> str:
    """A call, what it gave and what was expected, as a student can read it.

    A dictionary's items stand in the order of the expected one: its own may change from run to run.
    """
    if isinstance(value, dict) and isinstance(expected, dict):
        order = {key: place for place, key in enumerate(expected)}
        value = {
            key: value[key] for key in sorted(value, key=lambda key: (order.get(key, len(order)), repr(key)))
        }
    return f"{show_call(call)}\n\ngives\n{show_value(value)}\n\nexpected\n{show_value(expected)}"


def show_call(call: Call) -> str:
    """The call as one would type it; tensors too large to read are named by their shape."""
    return _called(call.name, call) + "".join(map(_step, call.steps))


def show_value(value: Any) -> str:
    """A value for the eye: a small mask as a picture, small numbers in full, the rest by its shape."""
    if isinstance(value, Foreign):
        return f"a {value.kind}"
    if isinstance(value, Mapping):
        return "\n".join(
            _listed((f"{_text(key)}: {_argument(item)}" for key, item in value.items()), len(value))
        )
    if isinstance(value, list | tuple):
        if any(isinstance(item, Tensor) for item in value):
            return "\n".join(_listed(map(show_value, value), len(value)))
        return "[" + ", ".join(_listed(map(_argument, value), len(value))) + "]"
    if not isinstance(value, Tensor):
        return repr(value)
    head = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if value.numel() > MOST_NUMBERS or value.numel() == 0:
        return head
    if value.dim() == 0:
        return f"{head} {value.item()}"
    rows = [" ".join(_number(item) for item in row) for row in value.reshape(-1, value.shape[-1])]
    return "\n".join([head, *rows])


def _called(name: str, asked: Call | Step | Made) -> str:
    given = [_argument(argument) for argument in asked.arguments]
    given += [f"{keyword}={_argument(argument)}" for keyword, argument in asked.keywords.items()]
    return f"{name}({', '.join(given)})"


def _step(step: Step) -> str:
    if step.method == "eval":
        return ""
    if step.method.startswith("."):
        return step.method
    mode = ".train()" if step.training else ""
    return mode + _called("" if step.method == "__call__" else f".{step.method}", step)


def _argument(argument: Any) -> str:
    if isinstance(argument, Made):
        return f"{argument.name}(...)" if argument.weights else _called(argument.name, argument)
    if isinstance(argument, dict):
        return f"{{{', '.join(f'{_argument(key)}: {_argument(item)}' for key, item in argument.items())}}}"
    if isinstance(argument, list | tuple) and any(isinstance(i, NESTED) for i in argument):
        parts = ", ".join(map(_argument, argument))
        of_tensors = any(isinstance(item, Tensor) for item in argument)
        return f"({parts})" if of_tensors or isinstance(argument, tuple) else f"[{parts}]"
    if not isinstance(argument, Tensor):
        return repr(argument) if isinstance(argument, str | list | tuple) else str(argument)
    if argument.numel() > 40:
        return f"<{str(argument.dtype).removeprefix('torch.')} {tuple(argument.shape)}>"
    return str([_rounded(item) for item in argument.tolist()] if argument.dim() else argument.item())


def _listed(items: Iterator[str], number: int) -> Iterator[str]:
    """The first of the items, and how many more there are."""
    for _, item in zip(range(MOST_ITEMS), items, strict=False):
        yield item
    if number > MOST_ITEMS:
        yield f"… and {number - MOST_ITEMS} more"


def _rounded(item: Any) -> Any:
    if isinstance(item, list):
        return [_rounded(part) for part in item]
    return round(item, 3) if isinstance(item, float) else item


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _items(value: list | tuple) -> str:
    return f"{len(value)} item{'s' * (len(value) != 1)}"


def _in_words(item: Tensor) -> str:
    return str(item.item()) if item.dtype == torch.bool else _number(item)


def _number(item: Tensor) -> str:
    if item.dtype == torch.bool:
        return "■" if item else "·"
    return f"{item.item():.4g}"
