"""How a student's points for an exercise came about, question by question: for an appeal."""

from collections.abc import Iterator
from dataclasses import dataclass

from autograder.course import Course
from autograder.errors import CourseError
from autograder.examination import Examined
from autograder.exercises import exercises_of
from autograder.exercises.asking import Ask, Wrong
from autograder.exercises.comparing import show_call, show_value
from autograder.exercises.drawing import Draw
from autograder.exercises.namespace import Call, Outcome
from autograder.grading import taken_in
from autograder.sandbox.bubble import Limits, zygote_of
from autograder.sandbox.visit import Stopped, Visit
from autograder.verdict import Answered, Reference, Verdict, judge, questions


@dataclass(frozen=True)
class Question:
    """One question: what was asked, what the answer gave, what was expected, and whether that is the same."""

    asked: str
    gave: str
    expected: str
    right: bool


@dataclass(frozen=True)
class Explanation:
    """All questions by behaviour, with the verdict and the answer's source."""

    verdict: Verdict
    source: str
    questions: dict[str, list[Question]]
    as_recorded: bool


def explain(course: Course, topic: str, student: str, name: str) -> Explanation:
    """Replay the checks of one exercise on what a student handed in, with the same random inputs.

    CourseError where there is nothing to replay.
    """
    taken = taken_in(course, topic, student)
    if isinstance(taken, Examined):
        raise CourseError(f"what {student} handed in cannot be replayed: {taken.person}")
    exercise, seed = exercises_of(topic)[name], taken.job.seeds[name]
    reference = Reference(exercise)
    asked = questions(exercise, reference, seed)
    answers: list[Outcome] = []
    defined: set[str] = set()
    try:
        with Visit(zygote_of(topic), Limits(**taken.job.limits)) as visit:
            list(visit.run(list(taken.job.cells)))
            defined = visit.defines([name])
            answers = visit.ask(asked) if defined else []
    except Stopped as stopped:
        answers = [*stopped.answers, Outcome(error=("Stopped", stopped.sentence))]
    answered = Answered(name, name in defined, zip(asked, answers, strict=False))
    verdict = judge(exercise, answered, seed, reference)
    kept = taken.kept()
    shown = {b.title: list(_questions(exercise, b, answered, reference, seed)) for b in exercise.behaviours}
    recorded = bool(kept) and kept.feedback[name].verdict == verdict
    return Explanation(verdict, taken.job.answers.get(name, ""), shown, recorded)


def _questions(exercise, behaviour, answered, reference, seed) -> Iterator[Question]:
    """The questions of one behaviour, as far as its check went."""
    ask = Ask(exercise, answered, reference)
    wrong = False
    try:
        behaviour.check(ask, Draw(seed, exercise.name, behaviour.name))
    except Wrong:
        wrong = True
    for index, (call, outcome) in enumerate(ask.asked):
        last = index == len(ask.asked) - 1
        yield Question(_shown_call(call), _shown(outcome), _shown(reference.ask(call)), not (wrong and last))


def _shown_call(call: Call) -> str:
    how = (
        ", back-propagated" if call.upstream is not None else ", on another device" if call.elsewhere else ""
    )
    return show_call(call) + how


def _shown(outcome: Outcome) -> str:
    if outcome.error:
        return ": ".join(outcome.error)[:300]
    if outcome.device:
        return "on its input's device" if outcome.device == "input" else "on another device than its input"
    if outcome.steps:
        return "\n".join(map(_shown, outcome.steps))
    if outcome.gradients:
        return "\n".join(f"gradient {show_value(gradient)}" for gradient in outcome.gradients)
    return show_value(outcome.value)
