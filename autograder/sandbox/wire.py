"""What passes through the wall: frames of JSON and safetensors, each with a cap. Never a pickle."""

import json
import math
import struct
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from autograder.exercises.namespace import Call, Foreign, Made, Outcome, Step

HEAD = struct.Struct("!II")
# What a student's process may send; what it may be sent is eight times as much.
LONGEST_JSON = 4 * 2**20
LONGEST_BLOB = 64 * 2**20
LONGEST_HEADER = 256 * 2**10
LONGEST_TEXT = 20_000
TRUSTED = 8
DEEPEST = 12
MOST_AXES = 16
MOST_NUMBERS = 2**26
NUMBERS = 2**63
LARGEST_KEY = 2**20
MADE = "made on each side"

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
    )
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Garbled(Exception):
    """What came over the wire is no message."""


def pack(message: Any) -> bytes:
    """A message as a frame. Tensors may stand anywhere in it; what cannot pass is named by its type."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_encoded(message, tensors), ensure_ascii=False, allow_nan=False)
    body = text.encode("utf-8", "backslashreplace")
    blob = save(tensors) if tensors else b""
    return HEAD.pack(len(body), len(blob)) + body + blob


def lengths(head: bytes, trusted: bool = False) -> tuple[int, int]:
    """The lengths of a frame's JSON and its tensors, from its first eight bytes; Garbled where too long."""
    body, blob = HEAD.unpack(head)
    factor = TRUSTED if trusted else 1
    if body > factor * LONGEST_JSON or blob > factor * LONGEST_BLOB:
        raise Garbled("a frame is too long")
    return body, blob


def unpack(body: bytes, blob: bytes) -> Any:
    """The message in a frame; Garbled where there is none."""
    try:
        return _decoded(json.loads(body), _tensors(blob))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Garbled(f"{type(error).__name__} in a frame") from None


def call_as_message(call: Call) -> dict:
    steps = [tuple(map(_as_message, vars(step).values())) for step in call.steps]
    given = {"arguments": _as_message(call.arguments), "keywords": _as_message(call.keywords)}
    told = ("name", "upstream", "watched", "elsewhere", "forbidden", "weights")
    return {**{name: getattr(call, name) for name in told}, **given, "steps": tuple(steps)}


def call_from_message(message: dict) -> Call:
    message = {name: _from_message(value) for name, value in message.items()}
    return Call(**{**message, "steps": tuple(Step(*step) for step in message["steps"])})


def _as_message(value: Any) -> Any:
    """Arguments, with what each side makes written as a dictionary that no argument is."""
    if isinstance(value, Made):
        return {MADE: tuple(map(_as_message, vars(value).values()))}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_as_message, value))
    if isinstance(value, dict):
        return {key: _as_message(item) for key, item in value.items()}
    return value


def _from_message(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {MADE}:
            return Made(*map(_from_message, value[MADE]))
        return {key: _from_message(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_from_message, value))
    return value


def outcome_as_message(outcome: Outcome) -> dict:
    return {**vars(outcome), "steps": tuple(map(outcome_as_message, outcome.steps))}


def outcome_from_message(message: dict) -> Outcome:
    """The outcome in a message that a student's process sent; Garbled where it is none."""
    match message:
        case {
            "value": value,
            "error": error,
            "arguments": tuple(arguments),
            "gradients": tuple(gradients),
            "device": device,
            "steps": tuple(steps),
        } if len(message) == 6:
            if device not in (None, "input", "other"):
                raise Garbled("a device that is none")
            match error:
                case None | (str(), str()):
                    error = error and (error[0][:100], error[1][:2000])
                    steps = tuple(map(outcome_from_message, steps))
                    return Outcome(value, error, arguments, gradients, device, steps)
    raise Garbled("an answer that is none")


def _encoded(value: Any, tensors: dict[str, Tensor], depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if type(value) is str:
        return value
    if type(value) is int:
        return value if -NUMBERS <= value < NUMBERS else {"foreign": "int beyond 64 bits"}
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, torch.dtype):
        return {"dtype": NAMES[value]} if value in NAMES else {"foreign": "torch.dtype"}
    if isinstance(value, Foreign):
        return {"foreign": value.kind[:200]}
    if isinstance(value, Tensor):
        return _encoded_tensor(value, tensors)
    if depth < DEEPEST:
        if type(value) in (list, tuple):
            return {type(value).__name__: [_encoded(item, tensors, depth + 1) for item in value]}
        if type(value) is dict and all(map(_is_key, value)):
            pairs = [[_encoded(part, tensors, depth + 1) for part in item] for item in value.items()]
            return {"dict": pairs}
    return {"foreign": type(value).__name__[:200]}


def _is_key(value: Any) -> bool:
    """Whether a value is a word, words or a small number: large ones can be made to collide."""
    if type(value) is int:
        return 0 <= value < LARGEST_KEY
    return type(value) is str or (type(value) is tuple and all(type(item) is str for item in value))


def _encoded_tensor(value: Tensor, tensors: dict[str, Tensor]) -> dict:
    if value.layout != torch.strided or value.dtype not in NAMES or value.device.type != "cpu":
        return {"foreign": f"{value.layout} tensor of {value.dtype} on {value.device.type}"}
    if not _fits(value.shape, value.element_size()):
        return {"foreign": f"tensor of shape {tuple(value.shape)}"}
    name = str(len(tensors))
    tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
    return {"tensor": name}


def _decoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        raise Garbled("a bare list")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half characters cannot be written to any file
    if not isinstance(value, dict):
        if type(value) is int and not -NUMBERS <= value < NUMBERS:
            raise Garbled("a number that nobody needs")
        return value
    ((kind, content),) = value.items()
    match kind:
        case "list":
            return [_decoded(item, tensors) for item in content]
        case "tuple":
            return tuple(_decoded(item, tensors) for item in content)
        case "dict":
            pairs = [(_decoded(key, tensors), _decoded(item, tensors)) for key, item in content]
            if not all(_is_key(key) for key, _ in pairs):
                raise Garbled("a dictionary with keys that nobody needs")
            return dict(pairs)
        case "tensor":
            return tensors.pop(content)  # each once: what is shown of an answer is no longer than it
        case "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        case "dtype":
            return DTYPES[content]
        case "foreign":
            return Foreign(str(content)[:200])
    raise Garbled("an unknown kind of value")


def _tensors(blob: bytes) -> dict[str, Tensor]:
    """The tensors of a frame. A header with very many takes long to read, so its length is capped."""
    if not blob:
        return {}
    if len(blob) < 8 or int.from_bytes(blob[:8], "little") > LONGEST_HEADER:
        raise Garbled("the tensors of a frame have no header, or a very long one")
    try:
        found = load(blob)
    except (SafetensorError, ValueError, RuntimeError, OverflowError, KeyError) as error:
        raise Garbled(f"the tensors of a frame: {type(error).__name__}") from None
    if not all(_fits(tensor.shape, tensor.element_size()) for tensor in found.values()):
        raise Garbled("a tensor of a shape that nobody needs")
    return found


def _fits(shape: tuple[int, ...], item: int) -> bool:
    """Whether a tensor can be sent and looked at; one without any number may still have a huge shape."""
    sizes = math.prod(size for size in shape if size)
    return len(shape) <= MOST_AXES and sizes <= MOST_NUMBERS and sizes * item <= LONGEST_BLOB
