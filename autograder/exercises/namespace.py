"""Asking a student's functions a question, wherever they live.

A check never holds a student's function. It puts a `Call` to a `Namespace` and reads the `Outcome`,
plain tensors and numbers. `Near` answers from a dictionary in this process; a namespace behind a
wall answers the same calls over a wire, and no check can tell the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode


@dataclass(frozen=True)
class Call:
    """A question: call `name` with `arguments`, and report what comes back.

    With `upstream`, the result is back-propagated from this gradient to every floating argument.
    With `elsewhere`, the tensors are shapes on a second, pretended device, and only the device of the
    result is reported: what takes its device from nowhere gives itself away without a GPU.
    """

    name: str
    arguments: tuple
    upstream: Tensor | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class Outcome:
    """An answer: the value returned, or the error raised, and what became of the arguments.

    `device` is "input" or "other" for a call made `elsewhere`, None where it cannot be told.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    arguments: tuple = ()
    gradients: tuple = ()
    device: str | None = None


class Namespace(Protocol):
    """The student's names, near or behind a wall."""

    def defines(self, name: str) -> bool: ...

    def ask(self, call: Call) -> Outcome: ...


@dataclass(frozen=True)
class Foreign:
    """A value of a type that may not cross: known by the name of its type."""

    kind: str


def plain(value: Any) -> Any:
    """The value as it may cross a wall: tensors detached, containers copied, anything else by name."""
    if isinstance(value, Tensor):
        return value.detach().as_subclass(Tensor).clone()
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return value
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return Foreign(type(value).__name__)


class Near:
    """A namespace in this process: a notebook's `globals()`, or a dictionary of functions."""

    def __init__(self, names: Mapping[str, Any]):
        self.names = names

    def defines(self, name: str) -> bool:
        return name in self.names

    def ask(self, call: Call) -> Outcome:
        try:
            return self._elsewhere(call) if call.elsewhere else self._here(call)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever an answer raises, a SystemExit too, is its outcome
            return Outcome(error=(type(error).__name__, str(error)))

    def _here(self, call: Call) -> Outcome:
        arguments = plain(call.arguments)
        if call.upstream is None:
            value = self.names[call.name](*arguments)
            return Outcome(value=plain(value), arguments=plain(arguments))
        leaves = [a.requires_grad_() for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
        with torch.enable_grad():
            value = self.names[call.name](*[a.clone() if isinstance(a, Tensor) else a for a in arguments])
            gradients = torch.autograd.grad(value, leaves, call.upstream, materialize_grads=True)
        return Outcome(value=plain(value), gradients=plain(gradients))

    def _elsewhere(self, call: Call) -> Outcome:
        with FakeTensorMode():
            arguments = [
                torch.empty(a.shape, dtype=a.dtype, device="meta") if isinstance(a, Tensor) else a
                for a in call.arguments
            ]
            try:
                value = self.names[call.name](*arguments)
            except Exception as error:  # most often it reads values, and there are none
                mixes = isinstance(error, FakeTensorDeviceMismatchError) or "same device" in str(error)
                return Outcome(device="other" if mixes else None)
            if not isinstance(value, Tensor):
                return Outcome()
            return Outcome(device="input" if value.device.type == "meta" else "other")
