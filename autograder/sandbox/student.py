"""What runs in a student's process: the cells of the notebook, then the questions of the grader.

All of it is within the student's reach. What it sends is believed only as far as a right answer is right.
"""

import __future__

import ast
import builtins
import io
import linecache
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch

from autograder.exercises.namespace import Call, Near
from autograder.sandbox import wire

LONGEST_OUTPUT = 10_000
STATEMENT = re.compile(r"^(?=[^\s#)\]}])", re.MULTILINE)
CONTINUES = ("else:", "elif ", "except", "finally:", ")", "]", "}")


def warm_up() -> None:
    """Do once, before anybody is forked, what is slow the first time."""
    torch.set_num_threads(1)
    names = {"weigh": _weighed}
    scores = torch.ones(2, 1, 3, 3)
    for how in ({"upstream": scores}, {"elsewhere": True}, {"forbidden": ("nothing",)}):
        call = wire.call_from_message(wire.call_as_message(Call("weigh", (scores,), **how)))
        frame = wire.pack(wire.outcome_as_message(Near(names).ask(call)))
        body, _ = wire.lengths(frame[:8])
        wire.unpack(frame[8 : 8 + body], frame[8 + body :])


def _weighed(scores: torch.Tensor) -> torch.Tensor:
    """The operations that answers are most often made of."""
    length, device = scores.shape[-1], scores.device
    position = torch.arange(length, device=device)
    mask = (position <= position[:, None]) & torch.ones(length, length, device=device).tril().bool()
    mask = mask & (position != -1)[None, None, None, :] | ~mask.T.logical_not().expand(2, 1, length, length)
    numbers = torch.zeros(length, dtype=scores.dtype, device=device).masked_fill(position < 0, -torch.inf)
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).masked_fill(~mask, 0)
    weights = torch.where(mask, weights, torch.zeros((), device=device)) + numbers.to(scores.dtype)
    summed = weights.exp().sum(dim=-1, keepdim=True) - weights.max(dim=-1, keepdim=True).values
    return (weights @ scores.mT).reshape(scores.shape) / summed.clone()


def serve(channel: int) -> None:
    """Answer the frames that arrive on a channel, until it is closed."""
    names = _main_module()
    answers = {"run": _run, "ask": _ask, "defines": _defines}
    while True:
        body, blob = wire.lengths(_read(channel, 8), trusted=True)
        message = wire.unpack(_read(channel, body), _read(channel, blob))
        together = message.pop("together", 1)
        ((kind, content),) = message.items()
        left = answers[kind](content, names)
        while some := tuple(islice(left, together)):
            _write(channel, wire.pack(some))


def _read(channel: int, number: int) -> bytes:
    parts = []
    while number:
        part = os.read(channel, min(number, 2**20))
        if not part:
            os._exit(0)
        parts.append(part)
        number -= len(part)
    return b"".join(parts)


def _write(channel: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(channel, view) :]


def _main_module() -> dict[str, Any]:
    """The names a notebook starts with."""
    module = types.ModuleType("__main__")
    shell = _Shell(vars(module))
    vars(module).update(__builtins__=builtins, get_ipython=lambda: shell)
    try:
        from IPython.display import display

        vars(module).update(display=display)
    except ImportError:
        pass
    sys.modules["__main__"] = module
    return vars(module)


def _defines(names: list[str], known: dict) -> Iterator[list[str]]:
    yield [name for name in names if Near(known).defines(name)]


def _ask(calls: tuple, names: dict) -> Iterator[dict]:
    near = Near(names)
    for call in calls:
        with _Output():
            outcome = near.ask(wire.call_from_message(call))
        yield wire.outcome_as_message(outcome)


def _run(cells: tuple[str, ...], names: dict) -> Iterator[dict]:
    """Run cells in order. What missed a name that a later cell brings is run once more at the end."""
    missed = []
    for index, source in enumerate(cells):
        done = _run_cell(index, source, names)
        if done["error"] and done["error"][0] == "NameError":
            missed.append(index)
        yield done
    for index in missed:
        yield _run_cell(index, cells[index], names)


def _run_cell(index: int, source: str, names: dict) -> dict:
    """Run a cell statement by statement, going on after one that fails; tell the first error."""
    first = None
    output = _Output()
    filename = f"<cell {index + 1}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    with output:
        try:
            for code in _statements(source, filename):
                try:
                    if isinstance(code, SyntaxError):
                        raise code
                    exec(code, names)
                except BaseException as error:
                    first = first or _described(error)
        except BaseException as error:
            first = first or _described(error)
    return {"cell": index, "error": first, "output": output.getvalue()[:LONGEST_OUTPUT]}


def _described(error: BaseException) -> tuple[str, str]:
    try:
        return type(error).__name__, str(error)[:500]
    except BaseException:
        return type(error).__name__, ""


def _statements(source: str, filename: str) -> Iterator[types.CodeType | SyntaxError]:
    """The statements of a cell, compiled one by one. Where one is no Python, the others are kept."""
    source = _without_shell_commands(source)
    flags = 0
    for piece in [source] if _parses(source) else _pieces(source):
        try:
            tree = ast.parse(piece, filename)
        except SyntaxError as error:
            yield error
            continue
        except (ValueError, MemoryError, RecursionError) as error:
            yield SyntaxError(f"{type(error).__name__}: {error}")
            continue
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                for name in statement.names:
                    flags |= getattr(getattr(__future__, name.name, None), "compiler_flag", 0)
            try:
                yield compile(ast.Module([statement], []), filename, "exec", flags, dont_inherit=True)
            except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
                yield error if isinstance(error, SyntaxError) else SyntaxError(str(error))


def _without_shell_commands(source: str) -> str:
    """IPython's own syntax as Python; pasted prompts and a common indentation are taken off."""
    if _parses(source):
        return source
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(source)
    except (ImportError, SyntaxError, ValueError, RecursionError):
        return source


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _pieces(source: str) -> list[str]:
    """A cell that is no Python, cut where a line begins at the margin; decorators stay where they are."""
    pieces: list[str] = []
    for piece in STATEMENT.split(source):
        if pieces and (
            piece.startswith(CONTINUES) or (pieces[-1].lstrip().startswith("@") and "def " not in pieces[-1])
        ):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


class _Output(io.StringIO):
    """Takes what is printed, up to a length; warnings and errors go nowhere."""

    def __enter__(self) -> "_Output":
        self.before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self, _Nowhere()
        return self

    def __exit__(self, *error) -> None:
        sys.stdout, sys.stderr = self.before

    def write(self, text: str) -> int:
        if self.tell() < LONGEST_OUTPUT:
            super().write(str(text)[:LONGEST_OUTPUT])
        return len(text)


class _Nowhere(io.StringIO):
    """Takes what is written, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)


class _Shell:
    """As much of IPython's shell as a notebook's own lines ask for: nothing outside happens."""

    def __init__(self, names: dict):
        self.user_ns = names

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        if name in ("time", "timeit", "capture", "prun"):
            exec(compile(cell, f"<%%{name}>", "exec"), self.user_ns)

    def run_line_magic(self, name: str, line: str, *_: Any) -> Any:
        if name in ("time", "timeit", "prun"):
            exec(compile(line, f"<%{name}>", "exec"), self.user_ns)

    def __getattr__(self, name: str) -> Callable:
        return lambda *arguments, **keywords: None
