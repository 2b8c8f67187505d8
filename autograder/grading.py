"""Grading a class: intake and examination side by side, then one writer. Nothing is lost by being killed.

The way of a submission: what was handed in is read and repaired (intake/), its answers are asked behind the
wall (sandbox/, examination.py), the result is kept by its hash (store.py), and nbgrader writes it into the
gradebook and the graded notebook (steps.py, gradebook.py). A record of each student says what was settled;
whoever has none that fits is done when the same command is given again.
"""

import os
import re
import signal
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.converters import GenerateFeedback
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from autograder.course import Course, reason
from autograder.examination import Examined, Job, grader_fault, seeds, unreadable
from autograder.exercises import exercises_of
from autograder.gradebook import back_up, mark_for_a_person, one_transaction
from autograder.intake import Submission, Unreadable, read_submission, tidy
from autograder.notebooks import write
from autograder.steps import MARK, AutogradeAtOnce
from autograder.store import Store, environment, key_of, read_json, write_json, write_whole
from autograder.work import Lost, Workers, on_cluster, work

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WORKERS = max(1, CORES - 1)  # the writer has one for itself
DEEPEST, MOST_ENTRIES = 6, 1000
LONGEST_READING = 30  # seconds
NAME = re.compile(r"[\w.@+,;'()& -]+")
POINTLESS = ("unreadable", "grader fault")


@dataclass(frozen=True)
class Record:
    """What was settled for a student: the state and its reasons, and from what it followed."""

    state: str
    person: str
    signature: str
    seconds: float = 0.0
    repairs: tuple[str, ...] = ()


def record_of(course: Course, topic: str, student: str) -> Record | None:
    """The record of a student; None where nothing has been settled."""
    kept = read_json(_record_file(course, topic, student))
    return Record(**{**kept, "repairs": tuple(kept["repairs"])}) if kept else None


def ungraded(course: Course, topic: str) -> list[str]:
    """Whose submission is new or has changed since it was settled, or should be settled otherwise now."""
    waiting = []
    for student in course.students(topic):
        record = record_of(course, topic, student)
        graded = record and (
            record.state in POINTLESS or course.notebook("autograded", student, topic).is_file()
        )
        if (
            not graded
            or record.state == "grader fault"
            or record.signature != _signature(course, topic, student)
        ):
            waiting.append(student)
    return waiting


def grade(
    course: Course,
    topic: str,
    students: list[str],
    workers: int = WORKERS,
    scheduler: str = "",
    anew: bool = False,
) -> Iterator[tuple[str, Record]]:
    """Grade these students; yield each with its record when all is written. `anew`, nothing kept is used.

    Raises CourseError where another grader is at work in this course.
    """
    with course.alone(), course.gradebook() as gradebook:
        back_up(gradebook, course.path / "backups")
        examined_ones = (
            _on_cluster(course, topic, students, scheduler, anew)
            if scheduler
            else _here(course, topic, students, workers, anew)
        )
        for student, examined in examined_ones:
            yield student, _written(course, gradebook, topic, student, examined)


def examined_here(course: Course, topic: str, student: str) -> NotebookNode:
    """Examine what a student has handed in, and return the clean notebook that nbgrader goes on with.

    Unreadable is raised, and recorded, where there is none.
    """
    _forget_other_files(course, topic, student)
    found = taken_in(course, topic, student)
    examined = (found.kept() or work(found.job)) if isinstance(found, Taken) else found
    if examined.state in POINTLESS:
        settled_here(course, topic, student, examined)
        raise Unreadable(examined.person)
    found.settle(examined)
    return found.notebook()


def settled_here(course: Course, topic: str, student: str, examined: Examined) -> None:
    """Record a result where nbgrader itself grades, and mark for a person what needs one."""
    with course.gradebook() as gradebook, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        mark_for_a_person(gradebook, topic, student, _unsure(topic, examined))
    settled(course, topic, student, _record(course, topic, student, examined))


def write_feedback(course: Course, topic: str) -> Iterator[tuple[str, Path | None]]:
    """Have nbgrader write each graded student's feedback where it is missing or older than the grades."""
    with course.gradebook() as gradebook:
        engine = gradebook.engine
        sqlite = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
    for student in course.students(topic):
        record = record_of(course, topic, student)
        graded = course.notebook("autograded", student, topic)
        page = course.notebook("feedback", student, topic, ".html")
        if not record or record.state in POINTLESS or not graded.is_file():
            yield student, None
            continue
        changed = max(Path(sqlite).stat().st_mtime if sqlite else 0, graded.stat().st_mtime)
        if not sqlite or not page.is_file() or page.stat().st_mtime < changed:
            course.convert(GenerateFeedback, topic, student)
        yield student, page


def _here(
    course: Course, topic: str, students: list[str], workers: int, anew: bool
) -> Iterator[tuple[str, Examined]]:
    """Examine on this machine."""
    arguments = ((student, (course.path, topic, student, anew)) for student in students)
    with Workers(max(1, min(workers, len(students)))) as forked:
        for student, examined in forked.each(examine_one, arguments):
            lost = isinstance(examined, Lost)
            yield student, grader_fault("grading it took the grader down each time") if lost else examined


def _on_cluster(
    course: Course, topic: str, students: list[str], address: str, anew: bool
) -> Iterator[tuple[str, Examined]]:
    """Read what was handed in here, and examine it elsewhere."""
    taken: dict[str, Taken] = {}
    for student in students:
        found = taken_in(course, topic, student)
        if not isinstance(found, Taken):
            yield student, found
        elif anew or not (kept := found.kept()):
            taken[student] = found
        else:
            found.settle(kept)
            yield student, kept
    for student, examined in on_cluster(((s, t.job) for s, t in taken.items()), address):
        taken[student].settle(examined)
        yield student, examined


def examine_one(path: Path, topic: str, student: str, anew: bool) -> Examined:
    """Examine one student's submission, unless it is known what comes of it (and not to be done `anew`)."""
    try:
        found = taken_in(Course(path), topic, student)
        if not isinstance(found, Taken):
            return found
        examined = (None if anew else found.kept()) or work(found.job)
        found.settle(examined)
        return examined
    except Exception as error:  # a mistake of ours must not stop the others
        return grader_fault(f"the grader stopped with {reason(error)}")


def taken_in(course: Course, topic: str, student: str) -> "Taken | Examined":
    """Read what a student has handed in; what cannot be read is a result already."""
    if not NAME.fullmatch(student):
        return unreadable("nbgrader cannot take the name of its folder: rename it")
    try:
        with _at_most(LONGEST_READING):
            folder = course.folder("submitted", student, topic)
            submission = read_submission(folder, topic, released(course, topic))
            return Taken(course, topic, student, submission)
    except Unreadable as error:
        return unreadable(str(error))
    except _TooLong:
        return unreadable(f"reading it took more than {LONGEST_READING} seconds")
    except Exception as error:
        return grader_fault(f"reading it stopped with {reason(error)}")


class _TooLong(BaseException):
    """Reading took too long. No `except Exception` on the way may keep it."""


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raise _TooLong where something takes longer, and again each second after."""

    def too_long(*_) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Taken:
    """A submission that has been read, with all that follows from it."""

    def __init__(self, course: Course, topic: str, student: str, submission: Submission):
        self.course, self.topic, self.student, self.submission = course, topic, student, submission
        exercises = exercises_of(topic)
        secret = course.key()
        self.job = Job(
            topic,
            tuple(submission.cells[index].source for index in submission.run),
            tuple(f"cell {index + 1}" for index in submission.run),
            {name: submission.cells[index].source for name, index in submission.answers.items()},
            seeds(secret, student, exercises, submission.digest),
            submission.flags,
            submission.repairs,
            course.limits(),
        )
        told = (*submission.flags, *submission.repairs, str(self.job.limits))
        self.key = key_of(topic, student, secret, submission.digest, environment(topic), *told)

    def kept(self) -> Examined | None:
        """What is known already to come of it."""
        kept = Store(self.course.path / "store").get(self.key)
        return Examined.from_dict(kept) if kept else None

    def settle(self, examined: Examined) -> None:
        """Keep the result, and write the clean notebook that nbgrader is to grade."""
        if examined.state in POINTLESS:
            return
        Store(self.course.path / "store").put(self.key, examined.as_dict())
        clean = self.course.notebook("intake", self.student, self.topic)
        write_whole(clean, write(self.notebook()).encode("utf-8", "backslashreplace"))
        _pass_on_timestamp(self.course.folder("submitted", self.student, self.topic), clean.parent)

    def notebook(self) -> NotebookNode:
        """The clean notebook, with what its cells printed and how they failed."""
        clean = tidy(self.submission, released(self.course, self.topic))
        clean.metadata[MARK] = {"key": self.key, "repairs": list(self.submission.repairs)}
        examined = self.kept()
        said = dict(zip(self.job.cells, examined.cells, strict=True)) if examined else {}
        for cell in clean.cells:
            error, printed = said.get(cell.source, ("", "")) if cell.cell_type == "code" else ("", "")
            if printed:
                cell.outputs.append(new_output("stream", name="stdout", text=printed))
            if error:
                name, _, text = error.partition(": ")
                cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=[error]))
        return clean


def _written(course: Course, gradebook, topic: str, student: str, examined: Examined) -> Record:
    """Write a result into the gradebook, whole or not at all, and then the record of it."""
    try:
        with one_transaction(gradebook) as joined:
            if examined.state not in POINTLESS:
                course.convert(AutogradeAtOnce, topic, student, taken_in=True)
            mark_for_a_person(joined, topic, student, _unsure(topic, examined))
    except Exception as error:
        if examined.state not in POINTLESS:
            examined = grader_fault(f"nbgrader stopped with {reason(error)}")
    record = _record(course, topic, student, examined)
    settled(course, topic, student, record)
    return record


def _unsure(topic: str, examined: Examined) -> set[str]:
    """The exercises that a person should grade."""
    if examined.state in (*POINTLESS, "flagged"):
        return set(exercises_of(topic))
    return {name for name, feedback in examined.feedback.items() if feedback.person}


def _record(course: Course, topic: str, student: str, examined: Examined) -> Record:
    signature = _signature(course, topic, student)
    return Record(examined.state, examined.person, signature, examined.seconds, examined.repairs)


def _forget_other_files(course: Course, topic: str, student: str) -> None:
    """Remove what nbgrader has copied besides the notebook: it follows links, and hands all of it back."""
    folder = course.folder("autograded", student, topic)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path != folder / "timestamp.txt":
            path.unlink()


def settled(course: Course, topic: str, student: str, record: Record) -> None:
    """Record what was settled for a student."""
    write_json(_record_file(course, topic, student), vars(record))


def _record_file(course: Course, topic: str, student: str) -> Path:
    return course.path / "records" / topic / f"{student}.json"


def _signature(course: Course, topic: str, student: str) -> str:
    """A text that changes when something else is handed in, or would be graded otherwise."""
    folder = course.folder("submitted", student, topic)
    return key_of(*_seen(folder), environment(topic), course.key(), str(course.limits()))


def _seen(path: Path, deep: int = 0) -> Iterator[str]:
    """What lies at a path, as far as it can be looked at without following links: kinds, sizes and times."""
    try:
        status = os.lstat(path)
        folder = stat.S_ISDIR(status.st_mode)
        yield f"{path} {status.st_mode} {'' if folder else (status.st_size, status.st_mtime_ns)}"
        if folder and deep < DEEPEST:
            for entry in sorted(os.listdir(path))[:MOST_ENTRIES]:
                yield from _seen(path / entry, deep + 1)
    except OSError as error:
        yield f"{path} {error.errno}"


def _pass_on_timestamp(folder: Path, clean: Path) -> None:
    """Give nbgrader the time of handing in, where it is one."""
    try:
        handle = os.open(folder / "timestamp.txt", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            text = file.read(100).decode().strip()
        if re.search(r" /|\.\.", text):
            raise ValueError("a zone that is a path")
        parse_utc(text)
        write_whole(clean / "timestamp.txt", text.encode())
    except Exception:  # a stranger's text, and a parser that raises whatever comes
        (clean / "timestamp.txt").unlink(missing_ok=True)


def released(course: Course, topic: str) -> NotebookNode:
    """The released notebook of a topic."""
    path = course.released(topic)
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(8)
def _read(path: Path, _changed: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)
