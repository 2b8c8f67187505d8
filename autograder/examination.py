"""One submission, from its cells to a verdict on each exercise. The answers are asked behind the wall."""

import ast
import functools
import hashlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from autograder.exercises import exercises_of
from autograder.exercises.namespace import Call, Outcome
from autograder.exercises.specification import Exercise
from autograder.feedback import Feedback
from autograder.intake.python import Reader
from autograder.sandbox.bubble import Limits, Zygote
from autograder.sandbox.visit import Stopped, Visit
from autograder.text import safe
from autograder.verdict import Answered, Finding, Reference, Verdict, judge, questions

MOST_RESTARTS = 12
IMPATIENT = 5  # seconds for a step once one has run out of time
TOGETHER = 16  # answers that are sent at once, as long as nothing goes wrong


@dataclass(frozen=True)
class Job:
    """All that is needed to grade a submission, wherever that is done: plain values only.

    `cells` are the sources to be run, `labels` what people call them, `answers` the source of each exercise's
    answer, `seeds` what its random inputs are drawn from.
    """

    topic: str
    cells: tuple[str, ...]
    labels: tuple[str, ...]
    answers: dict[str, str]
    seeds: dict[str, str]
    flags: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    limits: dict = field(default_factory=lambda: asdict(Limits()))


@dataclass(frozen=True)
class Examined:
    """What came of a job: one of the final states, why a person should look, and what is to be said.

    `cells` holds, for each cell that was run, its first error and what it printed.
    """

    state: str
    person: str
    feedback: dict[str, Feedback]
    cells: tuple[tuple[str, str], ...] = ()
    repairs: tuple[str, ...] = ()
    seconds: float = 0.0

    def as_dict(self) -> dict:
        """The result as JSON carries it."""
        said = {name: feedback.as_dict() for name, feedback in self.feedback.items()}
        return {**vars(self), "feedback": said}

    @classmethod
    def from_dict(cls, fields: dict) -> "Examined":
        said = {name: Feedback.from_dict(feedback) for name, feedback in fields["feedback"].items()}
        cells = tuple(tuple(cell) for cell in fields["cells"])
        return cls(**{**fields, "feedback": said, "cells": cells, "repairs": tuple(fields["repairs"])})


def seed_of(key: str, student: str, exercise: str, digest: str) -> str:
    """The seed of a submission's random inputs: the same in an appeal, unknown without the course's key.

    It depends on what was handed in, so that nothing learned from one try helps in the next.
    """
    return hashlib.sha256("\0".join([key, student, exercise, digest]).encode()).hexdigest()


def seeds(key: str, student: str, names: Iterable[str], digest: str) -> dict[str, str]:
    """The seeds of all exercises of a submission."""
    return {name: seed_of(key, student, name, digest) for name in names}


def examine(job: Job, zygote: Zygote) -> Examined:
    """Run a submission's cells and judge each exercise.

    What stops a student's process costs no more than it must: a cell is left out and the rest begun anew, and
    of an exercise only what was not answered is lost. NoSandbox is raised where the wall does not stand.
    """
    return _Examination(job, zygote).done()


class _Examination:
    def __init__(self, job: Job, zygote: Zygote):
        self.job, self.zygote = job, zygote
        self.exercises = exercises_of(job.topic)
        self.references = {name: Reference(exercise) for name, exercise in self.exercises.items()}
        self.limits = Limits(**job.limits)
        self.together = TOGETHER
        self.verdicts: dict[str, Verdict] = {}
        self.stopped: dict[str, Stopped] = {}
        self.left_out: dict[int, Stopped] = {}
        self.cells: dict[int, tuple[str, str]] = {}

    def done(self) -> Examined:
        begun = time.monotonic()
        for _ in range(MOST_RESTARTS):
            left = [name for name in self.exercises if name not in self.verdicts]
            seconds = self.limits.seconds - (time.monotonic() - begun)
            if not left or seconds < 1:
                break
            self._visit(left, max(2, int(seconds)))
        for name, exercise in self.exercises.items():
            if name not in self.verdicts:
                self.stopped[name] = Stopped("time", "there was no time left to check it")
                self.verdicts[name] = _nothing(exercise, self.stopped[name].sentence)
        return Examined(
            *self._state(),
            {name: self._feedback(exercise) for name, exercise in self.exercises.items()},
            tuple(self.cells.get(index, ("", "")) for index in range(len(self.job.cells))),
            self.job.repairs,
            round(time.monotonic() - begun, 4),
        )

    @functools.cached_property
    def asked(self) -> dict[str, list[Call]]:
        """All that is asked of each exercise."""
        return {
            name: questions(exercise, self.references[name], self.job.seeds[name])
            for name, exercise in self.exercises.items()
        }

    def _visit(self, left: list[str], seconds: int) -> None:
        """Run the cells in a new process and judge what is left, as far as it goes."""
        running = [index for index in range(len(self.job.cells)) if index not in self.left_out]
        ran: set[int] = set()
        answers: list[Outcome] = []
        defined: set[str] | None = None
        calls: list[tuple[str, Call]] = []
        visit = Visit(self.zygote, replace(self.limits, seconds=seconds))
        asked = self.asked  # worked out while the walls go up
        try:
            with visit:
                for cell in visit.run([self.job.cells[index] for index in running]):
                    ran.add(running[cell.cell])
                    self.cells[running[cell.cell]] = (_in_one_line(cell.error), safe(cell.output))
                defined = visit.defines(left)
                calls = [(name, call) for name in left if name in defined for call in asked[name]]
                answers += visit.ask([call for _, call in calls], self.together)
        except Stopped as stopped:
            if defined is not None and self.together > 1:
                self.together = 1  # begin anew, to see which answer it was
                return
            answers += stopped.answers
            self._remember(stopped, defined, running, ran, calls, answers)
        if defined is None:
            return
        for name in left:
            exercise = self.exercises[name]
            given = [(call, outcome) for (n, call), outcome in zip(calls, answers, strict=False) if n == name]
            if name in defined and len(given) < len(asked[name]) and name not in self.stopped:
                return
            answered = Answered(name, name in defined, given)
            self.verdicts[name] = judge(exercise, answered, self.job.seeds[name], self.references[name])

    def _remember(
        self,
        stopped: Stopped,
        defined: set[str] | None,
        running: list[int],
        ran: set[int],
        calls: list[tuple[str, Call]],
        answers: list[Outcome],
    ) -> None:
        """Note what stopped the process: a cell, or a question to an exercise."""
        if stopped.why == "time":
            self.limits = replace(self.limits, step=min(self.limits.step, IMPATIENT))
        if defined is None:
            guilty = next((index for index in running if index not in ran), running[-1] if running else 0)
            self.left_out[guilty] = stopped
            self.cells[guilty] = (f"Stopped: {stopped.sentence}", "")
        elif len(answers) < len(calls):
            name, _ = calls[len(answers)]
            self.stopped[name] = stopped
            answers.append(Outcome(error=("Stopped", _why_stopped(stopped))))

    def _state(self) -> tuple[str, str]:
        """The final state, and why a person should look."""
        faults = [f"{name}: {stopped.sentence}" for name, stopped in self.stopped.items()]
        faults += [f"{self.job.labels[i]}: {stopped.sentence}" for i, stopped in self.left_out.items()]
        tampered = any(s.why == "garbled" for s in [*self.stopped.values(), *self.left_out.values()])
        person = "; ".join([*faults, *self.job.flags])
        if faults and not tampered:
            return "student fault", person
        return ("flagged" if person else "graded"), person

    def _feedback(self, exercise: type[Exercise]) -> Feedback:
        """The verdict on an exercise, with what only the rest of the notebook tells."""
        verdict = self.verdicts[exercise.name]
        stopped = self.stopped.get(exercise.name)
        if verdict.passed:
            return Feedback(verdict)
        answer = self.job.answers.get(exercise.name, "")
        used = names_reached(names_used(answer), self.job.cells)
        wrong = tuple(base for base in exercise.builds_on if base in used and not self.verdicts[base].passed)
        stops = ""
        if verdict.blank and answer:
            errors = [error for index, (error, _) in self.cells.items() if self.job.cells[index] == answer]
            stops = next(filter(None, errors), "")
        return Feedback(verdict, wrong, stops, f"{exercise.name}: {stopped.sentence}" if stopped else "")


def unreadable(why: str) -> Examined:
    """The result of a file that cannot be read: no points and no zeros, but a person."""
    return Examined("unreadable", why, {})


def grader_fault(why: str) -> Examined:
    """The result where grading itself failed: no points and no zeros, but a person."""
    return Examined("grader fault", why, {})


def names_used(source: str) -> set[str]:
    """The names that a cell reads; none where it is no Python, or too long."""
    whole = Reader().parsed(source)
    return _read_in(whole[0]) if whole else set()


def names_reached(names: set[str], cells: Iterable[str]) -> set[str]:
    """These names, those that their definitions in some cells read, and so on."""
    reader = Reader()
    read = {
        statement.name: _read_in(statement)
        for cell in cells
        if (whole := reader.parsed(cell))
        for statement in whole[0].body
        if isinstance(statement, ast.FunctionDef | ast.ClassDef)
    }
    reached, last = set(names), set(names)
    while last:
        last = set().union(*(read.get(name, set()) for name in last)) - reached
        reached |= last
    return reached


def _read_in(tree: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}


def _why_stopped(stopped: Stopped) -> str:
    if stopped.why == "time":
        return f"{stopped.sentence} and was stopped: does a loop never end"
    return stopped.sentence


def _nothing(exercise: type[Exercise], message: str) -> Verdict:
    findings = tuple(Finding(b.title, 0, b.points, message) for b in exercise.behaviours)
    return Verdict(exercise.name, 0, exercise.points(), findings)


def _in_one_line(error: tuple[str, str] | None) -> str:
    return safe(f"{error[0]}: {' '.join(error[1].split())[:200]}").rstrip(": ") if error else ""
