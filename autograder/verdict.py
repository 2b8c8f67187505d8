"""From a student's answers to points, and to the sentence that helps."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass, replace

from autograder.exercises.asking import Ask, Blank, Wrong
from autograder.exercises.comparing import difference
from autograder.exercises.drawing import Draw
from autograder.exercises.namespace import Call, Forbidden, Made, Namespace, Near, Outcome
from autograder.exercises.specification import Behaviour, Exercise, Mistake
from autograder.text import safe


@dataclass(frozen=True)
class Finding:
    """One behaviour: what it earned, and what went wrong where it earned nothing."""

    behaviour: str
    points: int
    of: int
    message: str = ""
    example: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one answer. `mistake` is the name and sentence of a known one, if it is."""

    exercise: str
    points: int
    of: int
    findings: tuple[Finding, ...]
    mistake: str = ""
    sentence: str = ""
    blank: bool = False

    @property
    def passed(self) -> bool:
        return self.points == self.of

    @property
    def first_wrong(self) -> Finding | None:
        return next((finding for finding in self.findings if finding.points < finding.of), None)

    def as_dict(self) -> dict:
        """The verdict as JSON carries it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict) -> "Verdict":
        return cls(**{**fields, "findings": tuple(Finding(**finding) for finding in fields["findings"])})


RIGHT_ELSEWHERE: dict[type[Exercise], Outcome] = {}
REMEMBERED: OrderedDict[Hashable, Outcome] = OrderedDict()
MOST_REMEMBERED = 2048


def ours(exercise: type[Exercise], implementation: Callable, call: Call) -> Outcome:
    """What an implementation of ours gives, whichever library functions it uses.

    What is asked of a model that is made is remembered for the next students: the same few models are made
    for all of them, and they are slow to ask.
    """
    key = exercise.name, implementation, call.fingerprint
    if key in REMEMBERED:
        REMEMBERED.move_to_end(key)
        return REMEMBERED[key]
    outcome = Near({exercise.name: implementation}).ask(replace(call, forbidden=()))
    if any(isinstance(argument, Made) for argument in call.arguments):
        REMEMBERED[key] = outcome
        if len(REMEMBERED) > MOST_REMEMBERED:
            REMEMBERED.popitem(last=False)
    return outcome


class Reference:
    """The right answers to an exercise, each worked out once; `asked` is all that it was asked."""

    def __init__(self, exercise: type[Exercise]):
        self.exercise = exercise
        self.near = Near({exercise.name: exercise.reference()})
        self.known: dict[Hashable, Outcome] = {}
        self.asked: list[Call] = []

    def defines(self, name: str) -> bool:
        return self.near.defines(name)

    def ask(self, call: Call) -> Outcome:
        self.asked.append(call)
        if call.elsewhere:  # the same for all values, and slow to work out
            if self.exercise not in RIGHT_ELSEWHERE:
                RIGHT_ELSEWHERE[self.exercise] = self.near.ask(call)
            return RIGHT_ELSEWHERE[self.exercise]
        if call.fingerprint not in self.known:
            self.known[call.fingerprint] = ours(self.exercise, self.exercise.reference(), call)
        return self.known[call.fingerprint]


class Answered:
    """A namespace of answers that were given before; what has no answer was never reached."""

    def __init__(self, name: str, defined: bool, answers: Iterable[tuple[Call, Outcome]]):
        self.name, self.defined = name, defined
        self.answers = {call.fingerprint: outcome for call, outcome in answers}

    def defines(self, name: str) -> bool:
        return self.defined and name == self.name

    def ask(self, call: Call) -> Outcome:
        return self.answers.get(call.fingerprint, NOT_REACHED)


NOT_REACHED = Outcome(error=("Stopped", "it was stopped before"))


def questions(exercise: type[Exercise], reference: Reference, seed: str) -> list[Call]:
    """All that the behaviours of an exercise ask a right answer, in order, each question once."""
    asks = [_ask_the_reference(exercise, behaviour, reference, seed) for behaviour in exercise.behaviours]
    return list({call.fingerprint: call for ask in asks for call in ask.namespace.asked}.values())


def _ask_the_reference(
    exercise: type[Exercise], behaviour: Behaviour, reference: Reference, seed: str
) -> Ask:
    """What a behaviour asks an answer that is right, to the end."""
    asker = Reference(exercise)
    asker.known = reference.known
    ask = Ask(exercise, asker, reference)
    behaviour.check(ask, Draw(seed, exercise.name, behaviour.name))
    return ask


def judge(
    exercise: type[Exercise], namespace: Namespace, seed: str, reference: Reference | None = None
) -> Verdict:
    """Try every behaviour of an exercise on a student's namespace; `seed` makes it repeatable."""
    if not namespace.defines(exercise.name):
        return _blank(exercise, f"{exercise.name} is not defined")
    reference = reference or Reference(exercise)
    findings, asked, blank = [], [], False
    for behaviour in exercise.behaviours:
        ask = Ask(exercise, namespace, reference)
        finding = Finding(behaviour.title, behaviour.points, behaviour.points)
        try:
            behaviour.check(ask, Draw(seed, exercise.name, behaviour.name))
        except Wrong as wrong:
            blank = blank or (isinstance(wrong, Blank) and not findings)
            said = safe(wrong.message), safe(wrong.example)
            finding = Finding(behaviour.title, 0, behaviour.points, *said)
        findings.append(finding)
        asked.append((finding, ask.asked))
    if blank and not any(finding.points for finding in findings):
        return _blank(exercise, f"{exercise.name} is not written yet")
    known = None
    pairs = zip(exercise.behaviours, findings, strict=True)
    if failed := [behaviour for behaviour, finding in pairs if not finding.points]:
        further = _answers_to_all(exercise, failed[0], namespace, reference, seed)
        known = _recognise(exercise, asked, further, reference)
    return Verdict(
        exercise.name,
        sum(finding.points for finding in findings),
        exercise.points(),
        tuple(findings),
        known.name if known else "",
        known.sentence if known else "",
    )


def _blank(exercise: type[Exercise], message: str) -> Verdict:
    findings = tuple(Finding(b.title, 0, b.points, message) for b in exercise.behaviours)
    return Verdict(exercise.name, 0, exercise.points(), findings, blank=True)


def _answers_to_all(
    exercise: type[Exercise], behaviour: Behaviour, namespace: Namespace, reference: Reference, seed: str
) -> list[tuple[Call, Outcome]]:
    """All that a behaviour asks, also behind the first wrong answer, with the student's answers."""
    calls = [call for call, _ in _ask_the_reference(exercise, behaviour, reference, seed).asked]
    pairs = [(call, namespace.ask(call)) for call in calls]
    return [(call, outcome) for call, outcome in pairs if outcome is not NOT_REACHED]


# A mistake is named that gives more than this share of the wrong answers to all that a behaviour asks.
# Most that share an answer by accident, share fewer.
RECOGNISED = 1 / 3


def _recognise(
    exercise: type[Exercise],
    asked: list[tuple[Finding, list[tuple[Call, Outcome]]]],
    further: list[tuple[Call, Outcome]],
    reference: Reference,
) -> Mistake | None:
    """The known mistake that gives the student's own wrong answers, and is right where they are right.

    It must agree on every call of the first behaviour that failed, and not by accident: on enough of
    the wrong answers, too, to what that behaviour would have asked further. Where another behaviour failed
    too it may differ, since people make two mistakes at once; what the student does right it must
    not do wrong. Among several, the one that agrees with most calls speaks, to the words of its errors.
    """
    right = [pair for finding, calls in asked if finding.points for pair in calls]
    first = next((calls for finding, calls in asked if not finding.points), [])
    if all(same_outcome(reference.ask(call), outcome) for call, outcome in first):
        return None
    wrong = [(call, outcome) for call, outcome in further if not same_outcome(reference.ask(call), outcome)]
    every = [*(pair for _, calls in asked for pair in calls), *further]
    best, best_score = None, -1
    for mistake in exercise.mistakes:
        gives = _Once(exercise, mistake)
        if not all(same_outcome(gives(call, outcome), outcome) for call, outcome in [*first, *right]):
            continue
        shared = sum(same_outcome(gives(call, outcome), outcome) for call, outcome in wrong)
        if wrong and shared <= RECOGNISED * len(wrong):
            continue
        given = [(gives(call, outcome), outcome) for call, outcome in every]
        score = sum(same_outcome(*pair) and _errors(pair[0]) == _errors(pair[1]) for pair in given)
        if score > best_score:
            best, best_score = mistake, score
    return best


class _Once:
    """What a known mistake gives, each question worked out once."""

    def __init__(self, exercise: type[Exercise], mistake: Mistake):
        self.exercise, self.implementation = exercise, mistake.implementation
        self.given: dict[Hashable, Outcome] = {}

    def __call__(self, call: Call, outcome: Outcome) -> Outcome:
        if call.fingerprint not in self.given:
            # Library functions are watched only where one that is forbidden has been called.
            watched = any(error and error[0] == Forbidden.__name__ for error in _errors(outcome))
            if watched:
                self.given[call.fingerprint] = Near({call.name: self.implementation}).ask(call)
            else:
                self.given[call.fingerprint] = ours(self.exercise, self.implementation, call)
        return self.given[call.fingerprint]


def same_outcome(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes agree: in value, kind of error, device, gradients and what became of arguments.

    Of a module that was built, the value is its random beginning: only its names and shapes are compared.
    """
    return (
        (one.error and one.error[0]) == (other.error and other.error[0])
        and one.device == other.device
        and (_same_shapes(one.value, other.value) if other.steps else _same(one.value, other.value))
        and _same(one.arguments, other.arguments)
        and _same(one.gradients, other.gradients)
        and len(one.steps) == len(other.steps)
        and all(map(same_outcome, one.steps, other.steps))
    )


def _errors(outcome: Outcome) -> list[tuple[str, str] | None]:
    return [outcome.error, *(step.error for step in outcome.steps)]


def _same(one: object, other: object) -> bool:
    """Whether two values agree; a list may stand for a tuple, as it may for a right answer."""
    sequences = isinstance(one, list | tuple) and isinstance(other, list | tuple)
    return (type(one) is type(other) or sequences) and difference(one, other) is None


def _same_shapes(one: object, other: object) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return _same(one, other)
    return {n: getattr(v, "shape", None) for n, v in one.items()} == {
        n: getattr(v, "shape", None) for n, v in other.items()
    }
