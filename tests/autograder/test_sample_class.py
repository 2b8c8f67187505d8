"""The made-up class: what was put into it is what the grader finds."""

import json
import warnings

import nbformat
import pytest

from autograder.chapters import chapter_paths
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.exercises.namespace import Near
from autograder.grading import grade, taken_in
from autograder.results import results
from autograder.sample_class import (
    ALL_RIGHT,
    BLANK,
    HALF_DONE,
    NOISY,
    OTHERS,
    RECORD,
    SENT_BACK,
    answer_source,
    write_sample_class,
)
from autograder.verdict import Verdict, judge

TOPIC = "masks"
TOPICS = [path.stem[3:] for path in chapter_paths()]
STUB = 'def causal_mask(length):\n    """Look back."""\n    # Your code here\n    raise NotImplementedError'
LIMIT = float("-inf")


@pytest.fixture(scope="module", params=TOPICS)
def topic(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def exercises(topic) -> dict:
    return exercises_of(topic)


@pytest.fixture(scope="module")
def course(topic, sample, new_course, tmp_path_factory) -> Course:
    """A course whose class of samples is graded in this topic."""
    if topic == TOPIC:
        return sample
    course = new_course(tmp_path_factory.mktemp(topic) / "course")
    course.release(topic)
    dict(grade(course, topic, write_sample_class(course, topic)))
    return course


@pytest.fixture(scope="module")
def put_in(course, topic) -> dict:
    return json.loads((course.path / RECORD).read_text())[topic]


@pytest.fixture(scope="module")
def judged(course, topic, exercises, put_in) -> dict[str, dict[str, Verdict]]:
    """The verdict on every answer of everybody, reached in this process with the grader's seeds."""
    verdicts = {}
    for student in put_in:
        job, names = taken_in(course, topic, student).job, {}
        with warnings.catch_warnings(action="ignore"):
            for cell in job.cells:
                exec(cell, names)
            verdicts[student] = {
                name: judge(exercise, Near(names), job.seeds[name]) for name, exercise in exercises.items()
            }
    return verdicts


@pytest.fixture(scope="module")
def graded(course, topic) -> dict:
    return {result.student: result for result in results(course, topic)}


def test_the_class_is_believable(put_in, exercises):
    assert len(put_in) >= 24
    wrong = {s: sum(a["kind"] == "mistake" for a in answers.values()) for s, answers in put_in.items()}
    assert sum(number <= 4 for number in wrong.values()) > len(put_in) / 2
    assert [wrong[student] for student in ALL_RIGHT] == [0, 0, 0]
    made = {
        (name, a["name"])
        for answers in put_in.values()
        for name, a in answers.items()
        if a["kind"] == "mistake"
    }
    assert made == {(name, mistake.name) for name, e in exercises.items() for mistake in e.mistakes}


def test_every_known_mistake_is_named(put_in, graded, exercises):
    answers = [
        (s, name, a) for s, given in put_in.items() for name, a in given.items() if a["kind"] == "mistake"
    ]
    unnamed = [(s, n, a["name"]) for s, n, a in answers if graded[s].feedback[n].verdict.mistake != a["name"]]
    assert len(answers) >= sum(len(exercise.mistakes) for exercise in exercises.values())
    assert not unnamed


def test_right_answers_get_full_marks_and_mistakes_do_not(put_in, graded):
    for student, answers in put_in.items():
        for name, answer in answers.items():
            if answer["kind"] in ("right", "mistake"):
                right = answer["kind"] == "right"
                assert graded[student].feedback[name].verdict.passed == right, (student, name, answer)


def test_grading_can_be_replayed(judged, graded):
    """Sandbox, feedback and gradebook say what judging the same answers in this process says."""
    assert graded.keys() == judged.keys()
    for student, result in graded.items():
        assert {name: f.verdict for name, f in result.feedback.items()} == judged[student]
        assert result.points == {name: verdict.points for name, verdict in judged[student].items()}
        assert result.state == "graded" and not result.person and not result.repairs


def test_what_inherits_a_mistake_is_sent_back_to_it(exercises, put_in, graded):
    inherited = [(s, n) for s in put_in for n, answer in put_in[s].items() if answer["kind"] == "inherits"]
    assert any(student == SENT_BACK for student, _ in inherited) or not any(
        e.builds_on for e in exercises.values()
    )
    for student, name in inherited:
        feedback = graded[student].feedback[name]
        assert feedback.verdict.passed or feedback.mend_first, (student, name)


def test_special_students(exercises, graded):
    of = sum(exercise.points() for exercise in exercises.values())
    assert graded[ALL_RIGHT[0]].total == graded[NOISY].total == of
    assert graded[BLANK].total == 0
    assert all("is not written yet" in f.why_nothing for f in graded[BLANK].feedback.values())
    assert 0 < graded[HALF_DONE].total < of


def test_noisy_student_warns_and_adds_a_cell(course, topic):
    released = nbformat.read(course.released(topic), as_version=4)
    noisy = nbformat.read(course.notebook("submitted", NOISY, topic), as_version=4)
    assert len(noisy.cells) == len(released.cells) + 1
    assert any("sys.stderr" in cell.source for cell in noisy.cells)


def test_same_class_again_touches_nothing(tmp_path):
    course = Course.made(tmp_path / "course")
    course.release(TOPIC)
    assert len(write_sample_class(course, TOPIC)) == 24
    files = sorted(path for path in (course.path / "submitted").rglob("*") if path.is_file())
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    assert len(write_sample_class(course, TOPIC)) == 24
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before


def test_a_real_submission_is_never_overwritten(tmp_path):
    course = Course.made(tmp_path / "course")
    course.release(TOPIC)
    real = course.notebook("submitted", next(iter(OTHERS)), TOPIC)
    real.parent.mkdir(parents=True)
    real.write_text("my real work")
    with pytest.raises(CourseError, match="move it away"):
        write_sample_class(course, TOPIC)
    assert real.read_text() == "my real work"
    assert not (course.path / RECORD).exists()


def test_answer_source_stands_on_its_own():
    def wrong(length):
        return nbformat.v4, LIMIT * length

    source = answer_source(STUB, wrong, set())
    assert source == (
        "import nbformat\n\n\n"
        'def causal_mask(length):\n    """Look back."""\n    return nbformat.v4, float("-inf") * length'
    )
    names = {}
    exec(source, names)
    assert names["causal_mask"](2) == (nbformat.v4, float("-inf"))
