"""The one line of a graded cell: judge an answer where it lives, show what is to be said, return its points.

It is imported in the student's kernel, so it imports little.
"""

from collections.abc import Mapping
from typing import Any

from IPython.display import display
from IPython.utils.capture import capture_output

from autograder.exercises import exercises_of
from autograder.exercises.namespace import Near
from autograder.feedback import Feedback
from autograder.verdict import judge


def award(topic: str, name: str, names: Mapping[str, Any], seed: str = "stock nbgrader") -> int:
    """Judge the exercise `name` of a topic in a notebook's `globals()` and display the feedback.

    Returns the points: as the last expression of a cell they are nbgrader's partial credit. Whatever the
    answer prints, shows or warns of meanwhile is dropped, since nbgrader gives no points for a warning.
    """
    with capture_output():
        verdict = judge(exercises_of(topic)[name], Near(names), seed)
    display(Feedback(verdict).bundle(), raw=True)
    return verdict.points
