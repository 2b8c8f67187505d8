"""How an exercise is specified: behaviours that earn points, and mistakes that are known.

    class CausalMask(Exercise):
        name = "causal_mask"

        @behaviour("lets each token look at itself and the past", points=2)
        def past(ask, draw):
            for length in (3, 1, draw.integer(4, 9)):
                ask.same(length)

        @mistake("Your mask is upside down: ...", breaks=past)
        def inverted(length):
            return torch.ones(length, length).triu(1).bool()

A behaviour receives `ask` (see asking.py), which puts questions to the student's function and
holds the answers against the reference, and `draw`, its source of random inputs.
A mistake is a wrong implementation, kept so that its symptom can be recognised: it must break
the behaviour it names, and no student should read another sentence than its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Behaviour:
    """One thing a right answer does. `check(ask, draw)` raises `Wrong` where an answer does not."""

    title: str
    points: int
    check: Callable

    @property
    def name(self) -> str:
        return self.check.__name__


@dataclass(frozen=True)
class Mistake:
    """A known wrong implementation, the sentence its author should read, and what it breaks."""

    sentence: str
    breaks: Behaviour
    implementation: Callable

    @property
    def name(self) -> str:
        return self.implementation.__name__


def behaviour(title: str, points: int) -> Callable[[Callable], Behaviour]:
    """Make a check a behaviour: what a right answer does, in words, and what it earns."""
    return lambda check: Behaviour(title, points, check)


def mistake(sentence: str, breaks: Behaviour) -> Callable[[Callable], Mistake]:
    """Make a wrong implementation a known mistake."""
    return lambda implementation: Mistake(sentence, breaks, implementation)


class Exercise:
    """What an answer must do. Subclasses say it in their bodies; the class itself is the value.

    `name` is the public name the student defines, `solutions` the module that defines it rightly,
    `builds_on` the earlier exercises of the chapter that an answer is likely to call, `forbidden` how
    the names of library functions begin that an answer must do without, or what whole libraries are called.
    """

    name: str
    solutions: ModuleType
    builds_on: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    behaviours: tuple[Behaviour, ...]
    mistakes: tuple[Mistake, ...]

    def __init_subclass__(cls):
        values = vars(cls).values()
        cls.behaviours = tuple(value for value in values if isinstance(value, Behaviour))
        cls.mistakes = tuple(value for value in values if isinstance(value, Mistake))

    @classmethod
    def points(cls) -> int:
        return sum(behaviour.points for behaviour in cls.behaviours)

    @classmethod
    def reference(cls) -> Callable:
        return getattr(cls.solutions, cls.name)
