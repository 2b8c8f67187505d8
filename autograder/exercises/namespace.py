"""Asking a student's functions and modules a question, wherever they live.

A check never holds what a student wrote. It puts a `Call` to a `Namespace` and reads the `Outcome`,
plain tensors and numbers. `Near` answers from a dictionary in this process; behind the sandbox's
wall the same `Near` answers over a wire, and no check can tell the difference.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from operator import index
from types import FunctionType
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
    a `torch.Generator` of this seed, from which `drawn` numbers have been drawn. What a call makes of it may
    depend on chance: `torch`'s own generator starts anew where something is made.
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
            generator = torch.Generator().manual_seed(*self.arguments)
            torch.rand(self.keywords.get("drawn", 0), generator=generator)
            return generator
        made = getattr(importlib.import_module(self.module), self.name)(*self.arguments, **self.keywords)
        if self.weights is not None:
            _load(made, plain(self.weights))
        return made.eval() if isinstance(made, nn.Module) else made


@dataclass(frozen=True)
class Step:
    """A method called on what a `Call` has built, or an attribute of it, `.length`.

    `training` sets the module's mode first. An error ends the steps, except where a step `may_fail`.
    """

    method: str = "__call__"
    arguments: tuple = ()
    keywords: dict = field(default_factory=dict)
    upstream: Tensor | tuple[Tensor, ...] | None = None
    watched: bool = False
    training: bool | None = None
    may_fail: bool = False


@dataclass(frozen=True)
class Call:
    """A question: call `name` with `arguments`, and report what comes back.

    With `upstream`, the result is back-propagated from this gradient to every floating argument.
    With `watched`, what has become of the arguments is reported too.
    With `elsewhere`, the tensors are shapes on a second, pretended device, and only the device of the
    result is reported: what takes its device from nowhere gives itself away without a GPU.
    A library function whose name begins as one of `forbidden` raises while the question is answered, and so
    does all of a library that is named so.

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
    if value is None or type(value) in (bool, int, float, str, torch.dtype):
        return value
    for kind in (list, tuple):
        if isinstance(value, kind):
            return kind(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Made):
        return replace(value, weights=plain(value.weights))
    for read in (str.__str__, int.__int__, float.__float__):  # of a class of its own, as NumPy's are
        if isinstance(value, read.__objclass__):
            return read(value)
    if hasattr(type(value), "__index__"):
        return index(value)
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
        torch.default_generator.manual_seed(0)  # so that chance is the same on each side
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
                    # Two that drop out in the same way drop the same. (`torch.manual_seed` notes each call,
                    # with its stack, for accelerators that may start later: a millisecond.)
                    torch.default_generator.manual_seed(0)
                method = _without(call.forbidden, _method(built, step))
                outcomes.append(_answered(method, step, _parameters(built)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                outcomes.append(Outcome(error=_described(error)))
                if not step.may_fail:
                    break
        return Outcome(value=before, steps=tuple(outcomes))

    def _elsewhere(self, call: Call) -> Outcome:
        function, asked, devices = self.names[call.name], call, _TwoDevices()
        if call.steps:
            asked = call.steps[0]
            built = function(*_given(call.arguments), **_given(call.keywords))
            function = _method(built.to(ELSEWHERE) if isinstance(built, nn.Module) else built, asked)
        arguments, keywords = tree_map_only(
            (Tensor, nn.Module),
            lambda given: devices.moved(given) if isinstance(given, Tensor) else given.to(ELSEWHERE),
            _given((asked.arguments, asked.keywords)),
        )
        try:
            with devices:
                value = function(*arguments, **keywords)
        except _MixedDevices:
            return Outcome(device="other")
        except _WithoutStorage:
            return Outcome()
        except Exception as error:
            if "meta" in str(error).lower():
                return Outcome()  # it reads values, and there are none
            return Outcome(error=_described(error))
        found = {leaf.device for leaf in tree_leaves(value) if isinstance(leaf, Tensor)}
        if not found:
            return Outcome()
        return Outcome(device="input" if found == {ELSEWHERE} else "other")


def _given(value: Any) -> Any:
    """A copy of arguments, with what is to be made in its place."""
    if isinstance(value, Made):
        made = value.make()
        torch.default_generator.manual_seed(0)  # for who draws without the generator
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
    """A method of an object, or what tells an attribute."""
    if step.method == "__call__":
        return built
    if step.method.startswith("."):
        return functools.partial(getattr, built, step.method[1:])
    return getattr(built, step.method)


def _parameters(built: Any) -> dict[str, Tensor]:
    return dict(nn.Module.named_parameters(built)) if isinstance(built, nn.Module) else {}


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
        if any(tensor.dtype != dtype for tensor in (*parameters.values(), *built.buffers())):
            built.to(dtype)
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.copy_(weights[name])


class _MixedDevices(Exception):
    """An operator was given tensors of two devices."""


class _Watching(TorchDispatchMode):
    """A mode that is asked at each operator, without the detour that keeps compilers out of it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _WithoutStorage(Exception):
    """A sparse or nested tensor: it has no storage that could have a twin."""


class _TwoDevices(_Watching):
    """Treats `meta`, whose tensors have no values, as the second device that a GPU would be.

    Each storage there has a twin here, on which operators really work. So answers may look at values, and it
    takes a tenth of the time that working out shapes alone would.
    """

    def __init__(self):
        super().__init__()
        self.twins: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.others: dict[int, torch.UntypedStorage] = {}

    def moved(self, tensor: Tensor) -> Tensor:
        """A tensor like this one on the other device."""
        if tensor.device == ELSEWHERE:
            return tensor
        ours = _storage(tensor)
        theirs = self.others.get(ours._cdata)
        if theirs is None:
            theirs = torch.UntypedStorage(ours.nbytes(), device=ELSEWHERE)
            self.twins[theirs._cdata] = ours, theirs
            self.others[ours._cdata] = theirs
        return _seen(theirs, tensor)

    def twin(self, tensor: Tensor) -> Tensor:
        """What stands here for a tensor of the other device; zeros where it came by itself."""
        theirs = _storage(tensor)
        if theirs._cdata not in self.twins:
            ours = torch.zeros(theirs.nbytes(), dtype=torch.uint8).untyped_storage()
            self.twins[theirs._cdata] = ours, theirs
            self.others[ours._cdata] = theirs
        return _seen(self.twins[theirs._cdata][0], tensor)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = _tensors_in(args) + _tensors_in(kwargs.values())
        loose = _tensors_in(args[1]) if function in INDEXING else []  # indices may be on the CPU
        held = [t for t in tensors if t.dim() and (t.device == ELSEWHERE or all(t is not i for i in loose))]
        if function not in COPIES and len({tensor.device for tensor in held}) > 1:
            raise _MixedDevices
        known: dict[int, Tensor] = {}  # in place, what is given is what comes back

        def here(tensor: Tensor) -> Tensor:
            if tensor.device != ELSEWHERE:
                return tensor
            twin = self.twin(tensor)
            known[id(twin)] = tensor
            return twin

        there = any(tensor.device == ELSEWHERE for tensor in tensors)
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]) == ELSEWHERE
            kwargs["device"] = torch.device("cpu")
        found = function(*_each(here, args), **{name: _each(here, value) for name, value in kwargs.items()})
        if function is COPY and id(found) not in known:
            return found  # what is on the CPU stays there
        if not there:
            return found
        return _each(lambda made: known[id(made)] if id(made) in known else self.moved(made), found)


def _storage(tensor: Tensor) -> torch.UntypedStorage:
    if tensor.layout != torch.strided or tensor.is_nested:
        raise _WithoutStorage
    return tensor.untyped_storage()


def _seen(storage: torch.UntypedStorage, like: Tensor) -> Tensor:
    """A tensor of this storage, with the type, shape, strides and offset of another tensor."""
    empty = torch.empty(0, dtype=like.dtype, device=storage.device)
    return empty.set_(storage, like.storage_offset(), like.shape, like.stride())


def _each(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """The value, its tensors replaced; only lists and tuples hold any."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_each(function, item) for item in value)
    return value


def _tensors_in(values: Iterable) -> list[Tensor]:
    """The tensors among an operator's arguments, and in lists of them."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors_in(value)
    return found


ELSEWHERE = torch.device("meta")
COPY = torch.ops.aten.copy_.default
COPIES = (torch.ops.aten._to_copy.default, COPY)
INDEXING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)


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
    """The kind of an error and what it says; an answer's own kind of ValueError is a ValueError."""
    try:
        known = next(kind for kind in type(error).__mro__ if not _of_the_answer(kind))
        kind = type(error) if known in (Exception, BaseException) else known
        return kind.__name__, str(error)[:2000]
    except Exception:  # an error of its own making may fail to speak
        return type(error).__name__, ""


def _of_the_answer(kind: type) -> bool:
    """Whether a class is a notebook's own: it is of the notebook, or not where it says it is."""
    home = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or getattr(home, kind.__name__, None) is not kind


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

    del asking.__wrapped__  # else it could be called without asking
    return asking


class _Refusing:
    """Refuses to import what is of a library that must be done without."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        library = name.partition(".")[0]
        if library in _refused:
            _refuse(library, (library,))


_watched: dict[str, Any] = {}


def _watch(names: Iterable[str]) -> None:
    """Let the functions and classes of libraries of these names ask whether they may be called."""
    if _Refusing not in sys.meta_path:
        sys.meta_path.insert(0, _Refusing)
    for name in names:
        if name not in sys.modules or _watched.get(name) is sys.modules[name]:
            continue
        _watched[name] = sys.modules[name]
        modules = [module for path, module in sys.modules.items() if path.partition(".")[0] == name]
        classes = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type)]
        for owner in [*modules, *classes]:
            for key, found in [*vars(owner).items()]:
                if isinstance(found, FunctionType) and str(found.__module__).partition(".")[0] == name:
                    setattr(owner, key, _guarded(name, found))


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
    """Let these library functions raise, called by their public name or by what they are made of.

    A name may be that of a whole library, too.
    """
    _watch(names)
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


class _ForbiddingOperators(_Watching):
    def __init__(self, names: tuple[str, ...]):
        super().__init__()
        self.names = names

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        _refuse(function.overloadpacket.__name__.lstrip("_"), self.names)
        return function(*args, **(kwargs or {}))


def _refuse(found: str, names: tuple[str, ...]) -> None:
    if found.startswith(names):
        raise Forbidden(f"{found} is what this exercise asks you to write: do without it")
