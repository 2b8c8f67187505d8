"""What a class has got: points from nbgrader's gradebook, and what was said from the graded notebooks."""

from dataclasses import dataclass

from nbgrader.api import MissingEntry

from autograder.course import Course
from autograder.execution import asked_in
from autograder.exercises import exercises_of
from autograder.feedback import Feedback, read_notebook
from autograder.grading import set_aside


@dataclass(frozen=True)
class Result:
    """One student's result. `person` is why a person is needed; who is not `graded` has no points."""

    student: str
    graded: bool
    points: dict[str, float]
    total: float
    feedback: dict[str, Feedback]
    person: str


def results(course: Course, topic: str) -> list[Result]:
    """The results of everybody who handed in, in alphabetical order.

    Points are those of the gradebook: what a person has changed there counts, and a late penalty too.
    """
    aside = set_aside(course, topic)
    notebook = course.released(topic).stem
    with course.gradebook() as gradebook:
        asked = asked_in(str(gradebook.engine.url), notebook, topic)
        found = []
        for student in course.students(topic):
            feedback = read_notebook(course.notebook("autograded", student, topic))
            person = aside.get(student) or "; ".join(f.person for f in feedback.values() if f.person)
            if student in aside or set(feedback) != set(exercises_of(topic)):
                found.append(Result(student, False, {}, 0.0, feedback, person or "not graded yet"))
                continue
            try:
                submission = gradebook.find_submission_notebook(notebook, topic, student)
            except MissingEntry:
                found.append(Result(student, False, {}, 0.0, {}, "graded, but missing from the gradebook"))
                continue
            points = {asked[g.cell.name][1]: g.score for g in submission.grades if g.cell.name in asked}
            total = submission.score - (submission.late_submission_penalty or 0)
            found.append(Result(student, True, points, total, feedback, person))
    return found
