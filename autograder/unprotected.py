"""Grading as stock nbgrader does: each notebook in a kernel of its own, with all that this account may do."""

from collections.abc import Iterator

from nbgrader.converters import Autograde

from autograder.course import Course, reason
from autograder.exercises import exercises_of
from autograder.feedback import read_notebook
from autograder.grading import Record, settled

LOST = (
    "students' code runs with all that you may do. It can read the checks and solutions, change the "
    "gradebook and forge its points. A failed visible test takes all points of its exercise, damaged "
    "notebooks are not repaired, and a script in a text cell runs in formgrader. Each notebook is run from "
    "top to bottom, so it takes long."
)


def grade(course: Course, topic: str, students: list[str]) -> Iterator[tuple[str, str]]:
    """Grade these students with nbgrader's own steps; yield each with why that failed, or nothing."""
    for student in students:
        why = ""
        try:
            course.convert(Autograde, topic, student, unprotected=True)
            feedback = read_notebook(course.notebook("autograded", student, topic))
            missing = set(exercises_of(topic)) - set(feedback)
            person = f"nothing was said about {', '.join(sorted(missing))}" if missing else ""
            settled(course, topic, student, Record("flagged" if person else "graded", person, "unprotected"))
        except Exception as error:
            why = f"nbgrader stopped with {reason(error)}"
            settled(course, topic, student, Record("grader fault", why, "unprotected"))
        yield student, why
