"""Holding a student's answers against the reference, and saying where they part.

A behaviour of a function asks `ask.same(arguments)`; one of a module builds it first:

    built = ask.build(draw, 8, 2, dropout=0.0)
    built.same(x, mask)
    built.same_gradient(x, mask, upstream=upstream)
"""

import functools
from typing import Any

import torch
from torch import Tensor

from autograder.exercises.comparing import a, difference, show, show_call
from autograder.exercises.drawing import Draw
from autograder.exercises.namespace import Call, Forbidden, Made, Namespace, Outcome, Step, plain
from autograder.exercises.specification import Exercise

LONGEST_MESSAGE, LONGEST_EXAMPLE = 500, 2000


class Wrong(Exception):
    """An answer does not behave as it must. `example` is what shows it: call, answer, expectation."""

    def __init__(self, message: str, example: str = ""):
        super().__init__(message)
        self.message = _clipped(message, LONGEST_MESSAGE)
        self.example = _clipped(example, LONGEST_EXAMPLE)


class Blank(Wrong):
    """Something is not written yet: a stub is still there. Where nothing is, the answer is blank."""


@functools.cache
def _shapes(module: type, arguments: tuple, keywords: tuple) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters of a module that is built with these arguments."""
    built = module(*arguments, **dict(keywords))
    return {name: tuple(parameter.shape) for name, parameter in built.named_parameters()}


class Ask:
    """Questions to one student's function or class, each held against the reference. All are remembered."""

    def __init__(self, exercise: type[Exercise], namespace: Namespace, reference: Namespace):
        self.exercise = exercise
        self.namespace = namespace
        self.reference = reference
        self.asked: list[tuple[Call, Outcome]] = []

    def build(self, draw: Draw, *arguments, dtype: torch.dtype = torch.float32, **keywords) -> "Built":
        """A module of the exercise's class, built with these arguments; its weights are drawn."""
        return Built(self, draw, arguments, keywords, dtype)

    def same(self, *arguments, types: bool = True, **keywords) -> None:
        """The answer equals the reference in type, shape and values."""
        self._compared(self.call(*arguments, keywords=keywords), types)

    def same_kind(self, *arguments, **keywords) -> None:
        """The answer equals the reference in type and shape."""
        call = self.call(*arguments, keywords=keywords)
        value, expected = self._values(call)
        if isinstance(value, Tensor) and (value.dtype, value.shape) == (expected.dtype, expected.shape):
            return
        raise Wrong(difference(value, expected), show(call, value, expected))

    def nothing_where_hidden(self, scores: Tensor, mask: Tensor) -> None:
        """The answer is zero to the last bit where the mask is False."""
        call = self.call(scores, mask)
        value, expected = self._values(call)
        if not isinstance(value, Tensor) or value.shape != expected.shape:
            raise Wrong(difference(value, expected), show(call, value, expected))
        if (value[~mask.expand(value.shape)] != 0).any():
            raise Wrong("what is hidden is small, but not zero", show(call, value, expected))

    def same_gradient(self, *arguments, upstream: Tensor | tuple[Tensor, ...], **keywords) -> None:
        """The answer's gradients with respect to its floating arguments equal the reference's."""
        call = self.call(*arguments, upstream=upstream, keywords=keywords)
        self.compare_gradients(call, *self.outcomes(call))

    def keeps_arguments(self, *arguments, **keywords) -> None:
        """The answer is right in value, and leaves its arguments as they were."""
        call = self.call(*arguments, keywords=keywords, watched=True)
        self._compared(call, types=False)
        self.compare_arguments(call, self.asked[-1][1], call.arguments)

    def follows_device(self, *arguments, **keywords) -> None:
        """The answer is on the device of its arguments, and mixes no devices on the way."""
        self.compare_devices(Call(self.exercise.name, arguments, keywords, elsewhere=True))

    def refuses(self, error: str, *arguments, **keywords) -> None:
        """The answer raises an error of this name, and does not go on."""
        call = self._whether_it_takes(arguments, keywords)
        self.compare_error(call, self._put(call), error)

    def takes(self, error: str, *arguments, **keywords) -> None:
        """The answer does not raise an error of this name, as it does for arguments that it refuses."""
        call = self._whether_it_takes(arguments, keywords)
        outcome = self._put(call)
        if outcome.error and outcome.error[0] == error:
            self.no_error(call, outcome)

    def _whether_it_takes(self, arguments: tuple, keywords: dict) -> Call:
        steps = (Step("eval"),) if isinstance(self.exercise.reference(), type) else ()
        return self.call(*arguments, keywords=keywords, steps=steps)

    def call(self, *arguments, **how) -> Call:
        """The question that these arguments are."""
        return Call(self.exercise.name, plain(arguments), forbidden=self.exercise.forbidden, **how)

    def outcomes(self, call: Call, by_chance: bool = False) -> tuple[Outcome, Outcome]:
        """Put a question: the answer's outcome, which is no error, and the reference's.

        What chance decides (`by_chance`) is not remembered: it says nothing about known mistakes.
        """
        outcome = self._put(call)
        if by_chance:
            self.asked.pop()
        self.no_error(call, outcome)
        if call.steps and not outcome.steps:
            raise Wrong("it gives no answer", show_call(call))
        return outcome, self.reference.ask(call)

    def no_error(self, call: Call, outcome: Outcome) -> None:
        """The answer was given without an error."""
        if not outcome.error:
            return
        kind, message = outcome.error
        if kind in (Forbidden.__name__, "Stopped"):
            raise Wrong(_first_line(message), show_call(call))
        problem = Blank if kind == "NotImplementedError" else Wrong
        raise problem(_raised(kind, message), show_call(call))

    def compare_error(self, call: Call, outcome: Outcome, error: str) -> None:
        """The outcome is an error of this name."""
        if outcome.error is None:
            raise Wrong(f"it should raise {error}, and raises nothing", show_call(call))
        if outcome.error[0] != error:
            self.no_error(call, outcome)

    def compare(self, call: Call, value: Any, expected: Any, types: bool = True) -> None:
        """A value equals the expected one."""
        if message := difference(value, expected, types):
            raise Wrong(message, show(call, value, expected))

    def compare_gradients(self, call: Call, found: Outcome, expected: Outcome) -> None:
        """Gradients equal the expected ones, those of a module's parameters by their names."""
        gradients = (*found.gradients, *[None] * len(expected.gradients))
        for gradient, wanted in zip(gradients, expected.gradients, strict=False):
            if message := difference(gradient, wanted):
                raise Wrong(f"in its gradient, {message}", show(call, gradient, wanted))

    def compare_arguments(self, call: Call, found: Outcome, arguments: tuple) -> None:
        """The arguments are after the call what they were before."""
        kept = (*found.arguments, *[None] * len(arguments))
        for before, after in zip(arguments, kept, strict=False):
            if isinstance(before, Made):
                before = before.weights
            if difference(after, before):
                raise Wrong(f"it changes the {_kind(before)} it was given", show(call, after, before))

    def compare_devices(self, call: Call) -> None:
        """What comes of a call made elsewhere is there too."""
        outcome = self._put(call)
        if outcome.error:
            raise Wrong(_raised(*outcome.error), show_call(call))
        if outcome.device == "other":
            raise Wrong("with its input on a GPU it makes tensors on the CPU", show_call(call))

    def _put(self, call: Call) -> Outcome:
        outcome = self.namespace.ask(call)
        self.asked.append((call, outcome))
        return outcome

    def _values(self, call: Call) -> tuple[Any, Any]:
        found, expected = self.outcomes(call)
        return found.value, expected.value

    def _compared(self, call: Call, types: bool) -> None:
        self.compare(call, *self._values(call), types)


def _raised(kind: str, message: str) -> str:
    return f"it raises {kind}: {_first_line(message)}" if message.strip() else f"it raises {kind}"


class Built:
    """Questions to a module, given the reference's weights and in evaluation mode unless told otherwise."""

    def __init__(self, ask: Ask, draw: Draw, arguments: tuple, keywords: dict, dtype: torch.dtype):
        self.ask, self.arguments, self.keywords = ask, arguments, keywords
        shapes = _shapes(ask.exercise.reference(), arguments, tuple(keywords.items()))
        self.weights = draw.weights(shapes, dtype)

    def same_parameters(self) -> None:
        """The module has the reference's parameters: names, shapes and types."""
        call = self._call(Step("eval"), weights=None)
        found, expected = self.ask.outcomes(call)
        for name, wanted in expected.value.items():
            parameter = found.value.get(name) if isinstance(found.value, dict) else None
            if not isinstance(parameter, Tensor):
                raise Wrong(f"it has no parameter {name}", show_call(call))
            if parameter.shape != wanted.shape:
                shapes = f"{tuple(parameter.shape)}, not {tuple(wanted.shape)}"
                raise Wrong(f"its parameter {name} has shape {shapes}", show_call(call))
        for name in found.value:
            if name not in expected.value:
                raise Wrong(f"it has a parameter {name} too many", show_call(call))

    def same(self, *arguments, method: str = "__call__", training: bool = False, **keywords) -> None:
        """The module's answer equals the reference's."""
        self.same_steps(Step(method, plain(arguments), keywords, training=training))

    def same_steps(self, *steps: Step) -> None:
        """The answers to these questions, put to one module in turn, equal the reference's."""
        call = self._call(*steps)
        for found, expected in self._answers(call):
            self.ask.compare(call, found.value, expected.value)

    def refuses(self, error: str, *arguments, method: str = "__call__", **keywords) -> None:
        """The module is built, and raises an error of this name when it is asked."""
        call = self._call(Step(method, plain(arguments), keywords, training=False))
        found, _ = self.ask.outcomes(call)
        self.ask.compare_error(call, found.steps[-1], error)

    def in_training(self, *arguments, method: str = "__call__", **keywords) -> tuple[Call, Any, Any]:
        """The question, the module's answer in training, which chance decides, and the right one without."""
        learning = self._call(Step(method, plain(arguments), keywords, training=True))
        found, _ = self.ask.outcomes(learning, by_chance=True)
        self.ask.no_error(learning, found.steps[-1])
        whole = self.ask.reference.ask(self._call(Step(method, plain(arguments), keywords, training=False)))
        return learning, found.steps[-1].value, whole.steps[-1].value

    def same_gradient(
        self, *arguments, upstream: Any, method: str = "__call__", training: bool = False, **keywords
    ) -> None:
        """The gradients of the arguments and of all parameters equal the reference's."""
        call = self._call(Step(method, plain(arguments), keywords, upstream, training=training))
        for found, expected in self._answers(call):
            self.ask.compare_gradients(call, found, expected)

    def keeps_arguments(self, *arguments, method: str = "__call__", **keywords) -> None:
        """The module's answer is right, and leaves its arguments as they were."""
        call = self._call(Step(method, plain(arguments), keywords, watched=True, training=False))
        for found, expected in self._answers(call):
            self.ask.compare(call, found.value, expected.value)
            self.ask.compare_arguments(call, found, plain(arguments))

    def follows_device(self, *arguments, method: str = "__call__", **keywords) -> None:
        """The module, moved to a device, makes nothing on another one."""
        step = Step(method, arguments, keywords)
        self.ask.compare_devices(self._call(step, weights=None, elsewhere=True))

    def _call(self, *steps: Step, **how) -> Call:
        how = {"weights": self.weights, **how}
        return self.ask.call(*self.arguments, keywords=self.keywords, steps=steps, **how)

    def _answers(self, call: Call):
        """The module's outcome and the reference's, step by step; an error in a step is `Wrong`."""
        found, expected = self.ask.outcomes(call)
        for answer, wanted in zip(found.steps, expected.steps, strict=False):
            self.ask.no_error(call, answer)
            yield answer, wanted
        if len(found.steps) < len(expected.steps):
            raise Wrong("it gives no answer", show_call(call))


def _kind(value: Any) -> str:
    return a(value).removeprefix("a ")


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + " … and so on"


def _first_line(message: str) -> str:
    line = message.strip().split("\n")[0]
    return line if len(line) <= 200 else line[:199] + "…"
