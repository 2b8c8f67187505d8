"""Grading a class with nbgrader, two students at a time. One damaged submission never stops the others."""

import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from nbclient.exceptions import DeadKernelError
from nbformat.reader import NotJSONError
from nbformat.validator import NotebookValidationError
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors.execute import UnresponsiveKernelError
from sqlalchemy.exc import SAWarning

from autograder.course import Course, reason
from autograder.execution import CheckingFailed
from autograder.exercises import exercises_of
from autograder.feedback import read_notebook

WORKERS = 2
NEVER_STARTED = "Kernel died before replying to kernel_info"
DAMAGED = "its cells are damaged: graded cells are missing, doubled or changed"


def ungraded(course: Course, topic: str) -> list[str]:
    """Whose submission is new or has changed since it was graded, or was never graded to its end."""
    return [student for student in course.students(topic) if not _is_graded(course, topic, student)]


def grade(course: Course, topic: str, students: list[str]) -> Iterator[tuple[str, str]]:
    """Grade these students; yield each when done, with the reason why a person is needed, or nothing.

    Who could not be graded gets no points and no zero: the gradebook marks the submission as needing
    a person, and the reason is kept in the course (see `set_aside`).
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["autograder.grading"])
    with ProcessPoolExecutor(WORKERS, context, _one_thread_each) as workers:
        running = {workers.submit(grade_one, course.path, topic, student): student for student in students}
        try:
            for done in as_completed(running):
                why = _result(done)
                _remember(course, topic, running[done], why)
                yield running[done], why
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def grade_one(path: Path, topic: str, student: str) -> str:
    """Grade one student; return why a person is needed, or nothing."""
    course = Course(path)
    try:
        _look_before(course, topic, student)
        _autograde(course, topic, student)
        _look_after(course, topic, student)
    except Exception as error:
        _mark_for_a_person(course, topic, student, set(exercises_of(topic)))
        return _why(error)
    unsure = {name for name, feedback in _graded(course, topic, student).items() if feedback.person}
    if unsure:
        _mark_for_a_person(course, topic, student, unsure)
    return ""


def _autograde(course: Course, topic: str, student: str) -> None:
    """Run nbgrader's Autograde, again where the kernel did not start: its port may just have been taken."""
    for tries_left in (2, 1, 0):
        try:
            return course.convert(Autograde, topic, student)
        except RuntimeError as error:
            if NEVER_STARTED not in str(error) or not tries_left:
                raise


def set_aside(course: Course, topic: str) -> dict[str, str]:
    """Who could not be graded, and why."""
    file = course.path / "needs_a_person.json"
    return json.loads(file.read_text(encoding="utf-8")).get(topic, {}) if file.is_file() else {}


def write_feedback(course: Course, topic: str) -> Iterator[tuple[str, Path | None]]:
    """Have nbgrader write each graded student's feedback where it is missing or older than the grades."""
    gradebook = (course.path / "gradebook.db").stat().st_mtime
    for student in course.students(topic):
        graded = course.notebook("autograded", student, topic)
        page = course.notebook("feedback", student, topic, ".html")
        if not graded.is_file() or student in set_aside(course, topic):
            yield student, None
            continue
        if not page.is_file() or page.stat().st_mtime < max(gradebook, graded.stat().st_mtime):
            course.convert(GenerateFeedback, topic, student)
        yield student, page


def _graded(course: Course, topic: str, student: str) -> dict:
    return read_notebook(course.notebook("autograded", student, topic))


def _is_graded(course: Course, topic: str, student: str) -> bool:
    """nbgrader's own rule, the time in `timestamp.txt`, and besides it the file's own time."""
    submitted = course.notebook("submitted", student, topic)
    graded = course.notebook("autograded", student, topic)
    if not submitted.is_file() or set(_graded(course, topic, student)) != set(exercises_of(topic)):
        return False
    times = [file.with_name("timestamp.txt") for file in (submitted, graded)]
    handed_in, seen = [time.read_bytes() if time.is_file() else b"" for time in times]
    return handed_in == seen and submitted.stat().st_mtime <= graded.stat().st_mtime


def _look_before(course: Course, topic: str, student: str) -> None:
    expected = course.notebook("submitted", student, topic)
    if not expected.is_file():
        found = ", ".join(sorted(path.name for path in expected.parent.iterdir())) or "nothing"
        raise CheckingFailed(f"there is no {expected.name} in it, but {found}")


def _look_after(course: Course, topic: str, student: str) -> None:
    """No exercise may end without a word and without points: a silent zero is nobody's grade."""
    missing = set(exercises_of(topic)) - set(_graded(course, topic, student))
    if missing:
        raise CheckingFailed(f"nothing was said about {', '.join(sorted(missing))}")
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission(topic, student)
        if any(grade.auto_score is None for notebook in submission.notebooks for grade in notebook.grades):
            raise CheckingFailed("nbgrader recorded no points for some exercises")


def _why(error: Exception) -> str:
    """The reason why a submission could not be graded, for the instructor."""
    match error:
        case CheckingFailed():
            return str(error)
        case NotJSONError() | UnicodeDecodeError() | json.JSONDecodeError():
            return "the file is damaged: it is no notebook"
        case NotebookValidationError() | ValidationError() | KeyError() | AttributeError():
            return DAMAGED
        case RuntimeError() if "checksum" in str(error):
            return DAMAGED
        case DeadKernelError() | UnresponsiveKernelError():
            return "running it killed Python: out of memory, or it ends itself"
        case _:
            return f"nbgrader stopped with {reason(error)}"


def _mark_for_a_person(course: Course, topic: str, student: str, names: set[str]) -> None:
    """Have formgrader list these exercises of a student as needing manual grading."""
    with course.gradebook() as gradebook, warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(topic, student)
        for notebook in gradebook.find_submission(topic, student).notebooks:
            for grade in notebook.grades:
                if any(grade.cell.name == f"{topic}-{name}-tests" for name in names):
                    grade.needs_manual_grade = True
        gradebook.db.commit()


def _remember(course: Course, topic: str, student: str, why: str) -> None:
    file = course.path / "needs_a_person.json"
    everyone = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    before = dict(everyone.get(topic, {}))
    after = {**before, student: why} if why else {s: w for s, w in before.items() if s != student}
    if after != before:
        new = file.with_suffix(".new")
        new.write_text(json.dumps(everyone | {topic: after}, indent=1, ensure_ascii=False), encoding="utf-8")
        new.replace(file)


def _result(done) -> str:
    try:
        return done.result()
    except BrokenProcessPool:
        return "the grader itself was killed while grading it: grade again"


def _one_thread_each() -> None:
    """Kernels started here use one thread each, or two of them would fight for the cores."""
    os.environ["OMP_NUM_THREADS"] = "1"
