"""Asking a student's functions and modules a question, wherever they live.

A check never holds what a student wrote. It puts a `Call` to a `Namespace` and reads the `Outcome`,
plain tensors and numbers. `Near` answers from a dictionary in this process; behind the sandbox's
wall the same `Near` answers over a wire, and no check can tell the difference.
"""

import functools
import importlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


@dataclass(frozen=True)
class Made:
    """An argument that each side of the wall makes anew for each question, so that nobody can change it.

    It is what a class of `solutions` makes of these arguments, with these weights and in evaluation mode, or
    a `torch.Generator` of this seed. What a call makes of it may depend on chance: `torch`'s own generator
    starts anew where something is made.
    """

    module: str
    name: str
    arguments: tuple = ()
    keywords: dict = field(default_factory=dict)
    weights: dict[str, Tensor] | None = None

    def __post_init__(self):
        if not self.module.startswith("solutions.") and (self.module, self.name) != ("torch", "Generator"):
            raise ValueError(f"{self.module}.{self.name} is not made for anybody")

    def make(self) -> Any:
        if self.module == "torch":
            return torch.Generator().manual_seed(*self.arguments)
        made = getattr(importlib.import_module(self.module), self.name)(*self.arguments, **self.keywords)
        if self.weights is not None:
            _load(made, plain(self.weights))
        return made.eval() if isinstance(made, nn.Module) else made


@dataclass(frozen=True)
class Step:
    """A method called on what a `Call` has built. `training` sets the module's mode first."""

    method: str = "__call__"
    arguments: tuple = ()
    keywords: dict = field(default_factory=dict)
    upstream: Tensor | tuple[Tensor, ...] | None = None
    watched: bool = False
    training: bool | None = None


@dataclass(frozen=True)
class Call:
    """A question: call `name` with `arguments`, and report what comes back.

    With `upstream`, the result is back-propagated from this gradient to every floating argument.
    With `watched`, what has become of the arguments is reported too.
    With `elsewhere`, the tensors are shapes on a second, pretended device, and only the device of the
    result is reported: what takes its device from nowhere gives itself away without a GPU.
    A library function whose name begins as one of `forbidden` raises while the question is answered.

    With `steps`, `name` is a class. It is built, its parameters are given `weights` where there are any,
    of their type, and each step is a question to the object. It never leaves its process: its initial
    parameters and the outcomes of the steps do.
    """

    name: str
    arguments: tuple = ()
    keywords: dict = field(default_factory=dict)
    upstream: Tensor | tuple[Tensor, ...] | None = None
    watched: bool = False
    elsewhere: bool = False
    forbidden: tuple[str, ...] = ()
    weights: dict[str, Tensor] | None = None
    steps: tuple[Step, ...] = ()

    @functools.cached_property
    def fingerprint(self) -> Hashable:
        """What two questions have in common exactly if a right answer to them is the same."""
        asked = (field.name for field in fields(self) if field.name != "forbidden")
        return _fingerprint([getattr(self, name) for name in asked])


@dataclass(frozen=True)
class Outcome:
    """An answer: the value returned, or the error raised, and what became of the arguments.

    `gradients` has one tensor for each floating argument and, after a step of a module, a dictionary of
    its parameters' gradients. `device` is "input" or "other" for a call made `elsewhere`, None where it
    cannot be told. `steps` holds an outcome for each step that was reached.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    arguments: tuple = ()
    gradients: tuple = ()
    device: str | None = None
    steps: tuple["Outcome", ...] = ()


class Namespace(Protocol):
    """The student's names, near or behind a wall."""

    def defines(self, name: str) -> bool: ...

    def ask(self, call: Call) -> Outcome: ...


@dataclass(frozen=True)
class Foreign:
    """A value of a type that may not cross: known by the name of its type."""

    kind: str


class Forbidden(Exception):
    """An answer calls the library function that the exercise asks for."""


def plain(value: Any) -> Any:
    """The value as it may cross a wall: tensors detached, containers copied, anything else by name."""
    if isinstance(value, Tensor):
        return value.detach().as_subclass(Tensor).clone()
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return value
    for kind in (list, tuple):
        if isinstance(value, kind):
            return kind(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Made):
        return replace(value, weights=plain(value.weights))
    return Foreign("module" if isinstance(value, nn.Module) else type(value).__name__)


def _fingerprint(value: Any) -> Hashable:
    """The same exactly for what is the same, to the last bit of its tensors."""
    if isinstance(value, Tensor):
        whole = value.view(torch.int16) if value.dtype == torch.bfloat16 else value  # NumPy has no bfloat16
        return value.dtype, tuple(value.shape), whole.numpy().tobytes()
    if isinstance(value, (list, tuple)):  # several times as fast as a union of types
        return type(value).__name__, *map(_fingerprint, value)
    if isinstance(value, dict):
        return "dict", *((key, _fingerprint(item)) for key, item in value.items())
    if isinstance(value, (Step, Made)):
        return type(value).__name__, *map(_fingerprint, vars(value).values())
    return type(value).__name__, str(value)


class Near:
    """A namespace in this process: a notebook's `globals()`, or a dictionary of functions."""

    def __init__(self, names: Mapping[str, Any]):
        self.names = names

    def defines(self, name: str) -> bool:
        return name in self.names

    def ask(self, call: Call) -> Outcome:
        try:
            if call.elsewhere:
                return self._elsewhere(call)
            return self._built(call) if call.steps else self._called(call)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever an answer raises, a SystemExit too, is its outcome
            return Outcome(error=_described(error))

    def _called(self, call: Call) -> Outcome:
        return _answered(_without(call.forbidden, self.names[call.name]), call)

    def _built(self, call: Call) -> Outcome:
        built = self.names[call.name](*_given(call.arguments), **_given(call.keywords))
        before = plain(_parameters(built))
        if call.weights is not None:
            _load(built, plain(call.weights))
        outcomes = []
        for step in call.steps:
            try:
                if step.training is not None:
                    built.train(step.training)
                    torch.manual_seed(0)  # two that drop out in the same way drop the same
                method = _without(call.forbidden, _method(built, step))
                outcomes.append(_answered(method, step, _parameters(built)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                outcomes.append(Outcome(error=_described(error)))
                break
        return Outcome(value=before, steps=tuple(outcomes))

    def _elsewhere(self, call: Call) -> Outcome:
        function, asked = self.names[call.name], call
        if call.steps:
            asked = call.steps[0]
            built = function(*_given(call.arguments), **_given(call.keywords))
            function = _method(built.to("meta") if isinstance(built, nn.Module) else built, asked)
        arguments, keywords = tree_map_only(
            (Tensor, nn.Module), lambda value: value.to("meta"), _given((asked.arguments, asked.keywords))
        )
        try:
            with _TwoDevices():
                value = function(*arguments, **keywords)
        except _MixedDevices:
            return Outcome(device="other")
        except Exception as error:
            if "meta" in str(error).lower():
                return Outcome()  # it reads values, and there are none
            return Outcome(error=_described(error))
        devices = {leaf.device.type for leaf in tree_leaves(value) if isinstance(leaf, Tensor)}
        if not devices:
            return Outcome()
        return Outcome(device="input" if devices == {"meta"} else "other")


def _given(value: Any) -> Any:
    """A copy of arguments, with what is to be made in its place."""
    if isinstance(value, Made):
        made = value.make()
        torch.manual_seed(0)  # who draws without the generator that was made draws the same each time
        return made
    if isinstance(value, (list, tuple)):
        return type(value)(map(_given, value))
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items()}
    return plain(value)


def _left(asked: Any, given: Any) -> Any:
    """What has become of an argument: of a module that was made, its parameters."""
    if isinstance(asked, Made):
        return plain(_parameters(given)) if isinstance(given, nn.Module) else None
    return plain(given)


def _method(built: Any, step: Step) -> Callable:
    """A method of an object, or what tells an attribute that is none."""
    if step.method == "__call__":
        return built
    found = getattr(built, step.method)
    return found if callable(found) else lambda: found


def _parameters(built: Any) -> dict[str, Tensor]:
    return dict(built.named_parameters()) if isinstance(built, nn.Module) else {}


def _load(built: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a module's parameters these values and their type; ValueError where it has others."""
    parameters = _parameters(built)
    if missing := [name for name in weights if name not in parameters]:
        raise ValueError(
            f"it has no parameter {', '.join(missing)}; it has {', '.join(parameters) or 'none'}"
        )
    if unknown := [name for name in parameters if name not in weights]:
        raise ValueError(f"it has a parameter too many: {', '.join(unknown)}")
    for name, wanted in weights.items():
        if parameters[name].shape != wanted.shape:
            found = tuple(parameters[name].shape)
            raise ValueError(f"its parameter {name} has shape {found}, not {tuple(wanted.shape)}")
    for dtype in {weight.dtype for weight in weights.values()}:
        built.to(dtype)
    built.load_state_dict(weights, strict=False)


class _MixedDevices(Exception):
    """An operator was given tensors of two devices."""


class _TwoDevices(TorchDispatchMode):
    """Treats `meta`, whose tensors have no values, as the second device that a GPU would be."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if function is torch.ops.aten._to_copy.default and kwargs.get("device") == torch.device("cpu"):
            return torch.zeros(tensors[0].shape, dtype=kwargs.get("dtype") or tensors[0].dtype)
        if function is torch.ops.aten.copy_.default and tensors[0].device.type == "cpu":
            return tensors[0]  # without values there is nothing to copy
        if len({tensor.device for tensor in tensors if tensor.dim()}) > 1 and function not in COPIES:
            raise _MixedDevices
        return function(*args, **kwargs)


COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


def _answered(
    function: Callable, asked: Call | Step, parameters: Mapping[str, Tensor] | None = None
) -> Outcome:
    """Call a function as asked, back-propagating where an upstream gradient is given."""
    arguments, keywords = _given(asked.arguments), _given(asked.keywords)
    if asked.upstream is None:
        value = function(*arguments, **keywords)
        left = tuple(map(_left, asked.arguments, arguments)) if asked.watched else ()
        return Outcome(value=plain(value), arguments=left)
    leaves = [a.requires_grad_() for a in arguments if isinstance(a, Tensor) and a.is_floating_point()]
    names = list(parameters or {})
    inputs = [*leaves, *[parameters[name] for name in names]]
    with torch.enable_grad():
        value = function(*[a.clone() if isinstance(a, Tensor) else a for a in arguments], **keywords)
        found = plain(torch.autograd.grad(value, inputs, asked.upstream, materialize_grads=True))
    gradients = found[: len(leaves)]
    if parameters is not None:
        gradients = (*gradients, dict(zip(names, found[len(leaves) :], strict=True)))
    return Outcome(value=plain(value), gradients=gradients)


def _described(error: BaseException) -> tuple[str, str]:
    try:
        return type(error).__name__, str(error)[:2000]
    except Exception:  # an error of its own making may fail to speak
        return type(error).__name__, ""


_refused: list[str] = []


def guard(names: Iterable[str]) -> None:
    """Let library functions that begin so ask whether they may be called, whoever calls them."""
    for module in (torch, nn.functional, torch._C._nn):
        for name in [name for name in dir(module) if name.lstrip("_").startswith(tuple(names))]:
            setattr(module, name, _guarded(name.lstrip("_"), getattr(module, name)))
    for operator in torch._C._dispatch_get_all_op_names():
        name = operator.partition("::")[2].partition(".")[0]
        if operator.startswith("aten::") and name.lstrip("_").startswith(tuple(names)):
            setattr(torch.ops.aten, name, _guarded(name.lstrip("_"), getattr(torch.ops.aten, name)))


def _guarded(name: str, function: Callable) -> Callable:
    @functools.wraps(function, assigned=("__name__", "__doc__"))
    def asking(*arguments, **keywords):
        _refuse(name, tuple(_refused))
        return function(*arguments, **keywords)

    return asking


def _without(names: tuple[str, ...], function: Callable) -> Callable:
    """The function, for which library functions that begin so raise."""
    if not names:
        return function

    def called(*arguments, **keywords):
        with _forbidding(names):
            return function(*arguments, **keywords)

    return called


@contextmanager
def _forbidding(names: tuple[str, ...]) -> Iterator[None]:
    """Let these library functions raise, called by their public name or by what they are made of."""
    _refused[:] = names
    try:
        with _ForbiddingFunctions(names), _ForbiddingOperators(names):
            yield
    finally:
        _refused.clear()


class _ForbiddingFunctions(TorchFunctionMode):
    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.names = names

    def __torch_function__(self, function, types, args=(), kwargs=None):
        _refuse(getattr(function, "__name__", ""), self.names)
        return function(*args, **(kwargs or {}))


class _ForbiddingOperators(TorchDispatchMode):
    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.names = names

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        _refuse(function.overloadpacket.__name__.lstrip("_"), self.names)
        return function(*args, **(kwargs or {}))


def _refuse(found: str, names: tuple[str, ...]) -> None:
    if any(found.startswith(name) for name in names):
        raise Forbidden(f"{found} is what this exercise asks you to write: do without it")
