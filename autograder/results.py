"""What a class has got: points from nbgrader's gradebook, and what was said from the graded notebooks."""

import re
from dataclasses import dataclass

from nbgrader.api import Gradebook, MissingEntry

from autograder.course import Course
from autograder.errors import CourseError
from autograder.feedback import Feedback, read_notebook
from autograder.grading import POINTLESS, record_of

STATES = ("graded", "flagged", "student fault", "unreadable", "grader fault")
WAITING = "waiting"
HIDDEN = re.compile(r'^award\("(\w+)", "(\w+)", globals\(\)\)$', re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One student's result. `state` is one of STATES, or "waiting" for who has not been graded.

    `person` is why a person should look, `seconds` what sandbox and checks took, `repairs` what was mended in
    the file. Who is not `graded` has no points.
    """

    student: str
    state: str
    points: dict[str, float]
    total: float
    feedback: dict[str, Feedback]
    person: str
    seconds: float = 0.0
    repairs: tuple[str, ...] = ()

    @property
    def graded(self) -> bool:
        return self.state in ("graded", "flagged", "student fault")


def results(course: Course, topic: str) -> list[Result]:
    """The results of everybody who handed in, in alphabetical order.

    Points are those of the gradebook: what a person has changed there counts, and a late penalty too.
    """
    notebook = course.released(topic).stem
    with course.gradebook() as gradebook:
        asked = asked_in(gradebook, notebook, topic)
        return [_result(course, gradebook, asked, topic, student) for student in course.students(topic)]


def settled_results(course: Course, topic: str) -> list[Result]:
    """The results of everybody, of whom somebody has one: CourseError where grading has not begun."""
    found = results(course, topic)
    if all(result.state == WAITING for result in found):
        raise CourseError(f"nobody has been graded for {topic} yet: run `autograder grade {topic}` first")
    return found


def asked_in(gradebook: Gradebook, notebook: str, assignment: str) -> dict[str, str]:
    """The graded cells of a released notebook: grade id to exercise, from nbgrader's database."""
    cells = gradebook.find_notebook(notebook, assignment).source_cells
    found = {cell.name: HIDDEN.search(cell.source or "") for cell in cells}
    return {grade_id: match[2] for grade_id, match in found.items() if match}


def _result(course: Course, gradebook: Gradebook, asked: dict, topic: str, student: str) -> Result:
    record = record_of(course, topic, student)
    if record is None:
        return Result(student, WAITING, {}, 0.0, {}, "not graded yet")
    if record.state in POINTLESS:
        return Result(student, record.state, {}, 0.0, {}, record.person, record.seconds, record.repairs)
    feedback = read_notebook(course.notebook("autograded", student, topic))
    try:
        submission = gradebook.find_submission_notebook(course.released(topic).stem, topic, student)
    except MissingEntry:
        return Result(student, WAITING, {}, 0.0, {}, "graded, but missing from the gradebook")
    points = {asked[g.cell.name]: g.score for g in submission.grades if g.cell.name in asked}
    total = submission.score - (submission.late_submission_penalty or 0)
    told = record.person, record.seconds, record.repairs
    return Result(student, record.state, points, total, feedback, *told)
