"""Whether the wall around students' code stands here, and whether the grader tells right from wrong."""

import copy
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from autograder.chapters import ROOT, solution_source
from autograder.course import Course
from autograder.errors import CourseError
from autograder.examination import Job, examine, seeds
from autograder.exercises import exercises_of
from autograder.intake import from_notebook
from autograder.sandbox.bubble import ENVIRONMENT, Limits, NoSandbox, Zygote, probed
from autograder.sandbox.probes import PROBES
from autograder.sandbox.visit import Stopped, Visit

LAYERS = {
    "bubblewrap": "its own processes, files, network and users",
    "seccomp": "no system call but those an answer needs: no socket, no process, no signal",
    "landlock": "no file but Python's own can be read, none but its scratch space written",
}
UNPROTECTED = "or grade with --unprotected what you trust"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what, whether it is as it should be, and what there is to say."""

    what: str
    good: bool
    said: str = ""


def layers() -> Iterator[Finding]:
    """The layers of the wall, tried one by one on this machine."""
    offer = probed()
    for name, purpose in LAYERS.items():
        yield Finding(name, not offer.layers[name], offer.layers[name] or purpose)


def in_one_line() -> str:
    """What protects the grader here, in one sentence; CourseError where nothing does."""
    offer = probed()
    missing = [f"{name} ({why})" for name, why in offer.layers.items() if why]
    if not missing:
        return "Students' code runs behind bubblewrap, seccomp and Landlock."
    if offer.bubble or not (offer.layers["seccomp"] or offer.layers["landlock"]):
        there = " and ".join(name for name, why in offer.layers.items() if not why)
        return f"Students' code runs behind {there} only; missing: {'; '.join(missing)}."
    raise CourseError(
        f"students' code cannot be walled in here, so nothing was run; missing: {'; '.join(missing)}. "
        f"See `autograder doctor`, {UNPROTECTED}"
    )


def proof(
    topic: str, released: NotebookNode, zygote: Zygote, course: Course | None = None
) -> Iterator[Finding]:
    """Grade a solved and a blank notebook, and try from inside all that must not be possible."""
    total = sum(exercise.points() for exercise in exercises_of(topic).values())
    for what, notebook, wanted in (
        ("the solved notebook", solved(topic, released), total),
        ("the released notebook", released, 0),
    ):
        examined = examine(_job(topic, notebook), zygote)
        points = sum(feedback.verdict.points for feedback in examined.feedback.values())
        good = points == wanted and examined.state == "graded"
        yield Finding(f"{what} gets {wanted} of {total} points", good, f"it gets {points} ({examined.state})")
    yield from _tried(topic, zygote, course)


def proved(topic: str, released: NotebookNode, zygote: Zygote, course: Course) -> None:
    """Go through the proof; CourseError with the first thing that is not as it should be."""
    try:
        for finding in proof(topic, released, zygote, course):
            if not finding.good:
                raise CourseError(
                    f"the grader does not trust itself here, so nothing was graded: {finding.what}, but "
                    f"{finding.said}. See `autograder doctor --prove`"
                )
    except NoSandbox as error:
        raise CourseError(f"{error}, so nothing was graded. See `autograder doctor`, {UNPROTECTED}") from None


def solved(topic: str, released: NotebookNode) -> NotebookNode:
    """The released notebook with every answer right."""
    notebook = copy.deepcopy(released)
    answers = {f"{topic}-{name}": name for name in exercises_of(topic)}
    for cell in notebook.cells:
        name = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if name:
            cell.source = solution_source(topic, name)
    return notebook


def _job(topic: str, notebook: NotebookNode) -> Job:
    submission = from_notebook(notebook, topic, notebook)
    return Job(
        topic,
        tuple(submission.cells[index].source for index in submission.run),
        tuple(f"cell {index + 1}" for index in submission.run),
        {},
        seeds("proof", os.urandom(8).hex(), exercises_of(topic), submission.digest),
    )


def _tried(topic: str, zygote: Zygote, course: Course | None) -> Iterator[Finding]:
    """Each probe, run like a cell; what ends the process has failed, and the next one begins another."""
    limits = Limits(step=10, seconds=60, memory=256 * 2**20, scratch=16 * 2**20)
    known = {**_what_is_secret(topic, course), "memory": limits.memory, "scratch": limits.scratch}
    left = [(f"students' code cannot {what}", source.format(**known)) for what, source in PROBES.items()]
    while left:
        try:
            with Visit(zygote, limits) as visit:
                for ran in visit.run([source for _, source in left]):
                    title, _ = left.pop(0)
                    did = " ".join(ran.output.split())[:200]
                    if ran.error:
                        yield Finding(title, False, f"the probe failed with {': '.join(ran.error)}")
                    else:
                        yield Finding(title, not did, f"it could: {did}")
        except Stopped:
            yield Finding(left.pop(0)[0], True)


def _what_is_secret(topic: str, course: Course | None) -> dict:
    """Paths, modules and variables that must be out of reach."""
    paths = [ROOT / "solutions" / f"{topic}.py", ROOT / "autograder" / "verdict.py"]
    if course:
        paths += [
            course.path,
            course.path / "gradebook.db",
            course.path / "course_key",
            course.path / "submitted",
        ]
    modules = [
        "autograder.verdict",
        f"autograder.exercises.{topic}",
        f"solutions.{topic}",
        "autograder.answers",
    ]
    return {
        "paths": [str(path) for path in paths],
        "modules": modules,
        "secrets": sorted(
            hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
            for name, value in os.environ.items()
            if len(value) > 7 and value not in {*ENVIRONMENT.values(), str(ROOT)}
        ),
    }
