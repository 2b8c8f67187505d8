"""Release, grades and feedback through the real nbgrader, on a class of awkward submissions."""

import os
import stat
import subprocess
import sys

import nbformat
import pytest

from autograder import notebooks, unprotected
from autograder.award import award
from autograder.chapters import chapter_path, read_chapter
from autograder.course import Course
from autograder.errors import CourseError
from autograder.examination import seed_of
from autograder.exercises import exercises_of
from autograder.feedback import MIME, read_notebook
from autograder.grading import grade, taken_in, ungraded, write_feedback
from autograder.results import results

TOPIC = "masks"
CAUSAL = "def causal_mask(length):\n    return torch.ones(length, length, dtype=torch.bool).tril()"
LEAKY = "def causal_mask(length):\n    return torch.ones(length, length, dtype=torch.bool)"
PADDING = "def padding_mask(ids, pad_id):\n    return (ids != pad_id)[:, None, None, :]"
DECODER = (
    "def decoder_mask(ids, pad_id):\n"
    "    return causal_mask(ids.shape[1]).to(ids.device) & padding_mask(ids, pad_id)"
)
HOSTILE = '<script>alert("feedback")</script>'
OTHERS = {  # who: the answers they gave; everything else is left blank
    "built_on": {"causal_mask": LEAKY, "padding_mask": PADDING, "decoder_mask": DECODER},
    "hostile": {"causal_mask": f"def causal_mask(length):\n    raise ValueError({HOSTILE!r})"},
    "endless": {
        "causal_mask": "def causal_mask(length):\n    while True:\n        pass",
        "padding_mask": PADDING,
    },
    "noisy": {
        "causal_mask": CAUSAL.replace(
            "    return",
            '    import sys, warnings\n    warnings.warn("hm")\n    print(1, file=sys.stderr)\n    return',
        )
    },
    "no_python": {"causal_mask": "def causal_mask(length:\n    return length"},
}


def hand_in(course: Course, student: str, answers: dict[str, str]) -> nbformat.NotebookNode:
    """Put a submission into the course: the released notebook with these answers."""
    notebook = nbformat.read(course.released(TOPIC), as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix(f"{TOPIC}-")
        if name in answers:
            cell.source = answers[name]
    path = course.notebook("submitted", student, TOPIC)
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Course:
    """A course with awkward submissions, graded once."""
    course = Course.made(tmp_path_factory.mktemp("school") / "course")
    with course.config_file.open("a") as config:
        config.write('c.Sandbox.step = 4\nc.FeedbackPage.book_url = "https://example.org/book"\n')
    course.release(TOPIC)
    for student, answers in OTHERS.items():
        hand_in(course, student, answers)
    _with_a_cell_that_ends_python(course)
    _with_graded_cells_of_its_own(course)
    _cut_off(course)
    course.folder("submitted", "other_name", TOPIC).mkdir(parents=True)
    (course.folder("submitted", "other_name", TOPIC) / "my work.ipynb").write_text("{}", encoding="utf-8")
    dict(grade(course, TOPIC, course.students(TOPIC)))
    return course


def _cut_off(course: Course) -> None:
    """A file whose second half was lost: the answer before it is not."""
    hand_in(course, "truncated", {"causal_mask": CAUSAL})
    path = course.notebook("submitted", "truncated", TOPIC)
    path.write_text(path.read_text().split("masks-padding_mask")[0], encoding="utf-8")


def _with_a_cell_that_ends_python(course: Course) -> None:
    notebook = hand_in(
        course, "killer", {"causal_mask": CAUSAL + "\n\nimport os\nos._exit(0)", "padding_mask": PADDING}
    )
    nbformat.write(notebook, course.notebook("submitted", "killer", TOPIC))


def _with_graded_cells_of_its_own(course: Course) -> None:
    """What a student might write on a graded cell to be given its points."""
    notebook = hand_in(course, "trickster", {})
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell in graded:
        cell.metadata.tags = ["skip-execution"]
        cell.metadata.nbgrader["points"] = 100
        cell.source = "100"
    nbformat.write(notebook, course.notebook("submitted", "trickster", TOPIC))
    hand_in(course, "ungraded", {})
    graded[0].metadata.nbgrader["grade"] = False
    nbformat.write(notebook, course.notebook("submitted", "ungraded", TOPIC))


def by_student(course: Course) -> dict:
    return {result.student: result for result in results(course, TOPIC)}


def test_released_exercises_are_those_of_the_student_notebook(course):
    released = nbformat.read(course.released(TOPIC), as_version=4)
    student = notebooks.student(read_chapter(chapter_path(TOPIC)))
    assert [cell.source for cell in released.cells] == [cell.source for cell in student.cells]
    points = [
        c.metadata.nbgrader["points"] for c in released.cells if c.metadata.get("nbgrader", {}).get("grade")
    ]
    assert points == [exercise.points() for exercise in exercises_of(TOPIC).values()]


def test_only_notebooks_lie_in_source_and_release(course):
    for step in ("source", "release"):
        assert {path.suffix for path in (course.path / step).rglob("*") if path.is_file()} == {".ipynb"}


def test_key_is_secret_and_made_once(course):
    key = course.path / "course_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()
    assert len(before) >= 64
    Course.made(course.path)
    assert key.read_text() == before


def test_seeds_can_be_replayed_and_not_guessed():
    seed = seed_of("key", "ada", "causal_mask", "digest")
    assert seed == seed_of("key", "ada", "causal_mask", "digest")
    others = {
        seed_of("yek", "ada", "causal_mask", "digest"),
        seed_of("key", "bob", "causal_mask", "digest"),
        seed_of("key", "ada", "padding_mask", "digest"),
        seed_of("key", "ada", "causal_mask", "another"),
    }
    assert len({seed, *others}) == 5


def test_partial_credit_reaches_the_gradebook(course):
    got = by_student(course)["built_on"]
    assert got.graded and not got.person
    exercises = exercises_of(TOPIC)
    assert got.points["padding_mask"] == exercises["padding_mask"].points()
    assert 0 < got.points["causal_mask"] < exercises["causal_mask"].points()
    assert got.total == sum(got.points.values())


def test_what_an_answer_is_built_on_is_to_be_mended_first(course):
    feedback = by_student(course)["built_on"].feedback
    assert "Mend causal_mask first: decoder_mask is built on it." in feedback["decoder_mask"].sentences
    assert not feedback["causal_mask"].mend_first


def test_a_warning_costs_nothing(course):
    got = by_student(course)["noisy"]
    assert got.points["causal_mask"] == exercises_of(TOPIC)["causal_mask"].points()
    text = course.notebook("autograded", "noisy", TOPIC).read_text()
    assert '"stderr"' not in text.split("masks-causal_mask-tests")[1].split("masks-padding_mask")[0]


def test_what_is_left_of_a_damaged_file_earns_its_points(course):
    got = by_student(course)["truncated"]
    assert got.points["causal_mask"] == exercises_of(TOPIC)["causal_mask"].points()
    assert got.state == "flagged" and "damaged" in got.person and got.repairs


def test_blank_is_said_kindly(course):
    got = by_student(course)["noisy"]
    assert got.points["padding_mask"] == 0
    assert got.feedback["padding_mask"].why_nothing == "padding_mask is not written yet."


def test_a_cell_that_is_no_python_is_named(course):
    feedback = by_student(course)["no_python"].feedback["causal_mask"]
    assert feedback.verdict.points == 0
    assert any("SyntaxError" in sentence for sentence in feedback.sentences)


def test_an_endless_answer_loses_its_own_points_only_and_needs_a_person(course):
    got = by_student(course)["endless"]
    assert got.points["causal_mask"] == 0 and got.points["padding_mask"] > 0
    assert got.state == "student fault" and "causal_mask: it took more than 4 seconds" in got.person
    with course.gradebook() as gradebook:
        notebook = course.released(TOPIC).stem
        cells = {name: f"{TOPIC}-{name}-tests" for name in ("causal_mask", "padding_mask")}
        waiting = {
            name: gradebook.find_grade(cell, notebook, TOPIC, "endless").needs_manual_grade
            for name, cell in cells.items()
        }
    assert waiting == {"causal_mask": True, "padding_mask": False}


def test_a_cell_that_ends_python_is_named_and_costs_its_own_answer_only(course):
    got = by_student(course)["killer"]
    assert got.state == "student fault" and "it ended Python itself" in got.person
    assert got.points["causal_mask"] == 0
    assert got.points["padding_mask"] == exercises_of(TOPIC)["padding_mask"].points()


def test_what_cannot_be_read_is_for_a_person_and_no_zero(course):
    got = by_student(course)["other_name"]
    assert got.state == "unreadable" and not got.graded and got.person
    with course.gradebook() as gradebook:
        (notebook,) = gradebook.find_submission(TOPIC, "other_name").notebooks
        assert notebook.grades and all(grade.needs_manual_grade for grade in notebook.grades)
        assert all(grade.auto_score is None for grade in notebook.grades)


@pytest.mark.parametrize("student", ["trickster", "ungraded"])
def test_the_grade_cell_is_the_course_s_not_the_student_s(course, student):
    got = by_student(course)[student]
    assert got.graded and got.total == 0
    graded = nbformat.read(course.notebook("autograded", student, TOPIC), as_version=4)
    source = nbformat.read(course.path / "source" / TOPIC / "03_masks.ipynb", as_version=4)
    tests = {
        c.metadata.nbgrader.grade_id: c.source for c in source.cells if "tests" in c.metadata.get("tags", [])
    }
    assert len(tests) == len(exercises_of(TOPIC))
    for cell in graded.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in tests:
            assert cell.source == tests.pop(grade_id)
            assert [output.output_type for output in cell.outputs] == ["display_data", "execute_result"]
            assert MIME in cell.outputs[0].data
    assert not tests


def test_no_seed_is_left_in_a_graded_notebook(course):
    key = (course.path / "course_key").read_text()
    text = course.notebook("autograded", "built_on", TOPIC).read_text()
    seeds = taken_in(course, TOPIC, "built_on").job.seeds
    assert len(seeds) == 7 and not any(seed in text for seed in [*seeds.values(), key])


def test_only_what_changed_is_graded_again(course):
    assert ungraded(course, TOPIC) == []
    submitted = course.notebook("submitted", "noisy", TOPIC)
    before = submitted.stat()
    os.utime(submitted)
    assert ungraded(course, TOPIC) == ["noisy"]
    os.utime(submitted, ns=(before.st_atime_ns, before.st_mtime_ns))
    stamp = submitted.with_name("timestamp.txt")
    stamp.write_text("2026-03-01 12:00:00 UTC")
    assert ungraded(course, TOPIC) == ["noisy"]
    stamp.unlink()
    with course.config_file.open("a") as config:
        config.write("c.Sandbox.step = 5\n")
    assert ungraded(course, TOPIC) == course.students(TOPIC)
    course.config_file.write_text(course.config_file.read_text().replace("c.Sandbox.step = 5\n", ""))
    assert ungraded(course, TOPIC) == []


def test_what_is_known_is_not_worked_out_again(course, monkeypatch):
    monkeypatch.setattr("autograder.grading.work", None)
    before = by_student(course)["noisy"]
    ((student, record),) = grade(course, TOPIC, ["noisy"])
    assert (student, record.state) == ("noisy", "graded") and by_student(course)["noisy"] == before


def test_feedback_helps_and_hides(course):
    pages = dict(write_feedback(course, TOPIC))
    assert pages["other_name"] is None
    page = pages["built_on"].read_text()
    notes = pages["built_on"].with_suffix(".md").read_text()
    known = read_notebook(course.notebook("autograded", "built_on", TOPIC))["causal_mask"].verdict.sentence
    for text in (page, notes):
        assert known in text and "Mend causal_mask first" in text
        assert "https://example.org/book/chapters/03_masks.html#ex-causal_mask" in text
        assert "HIDDEN TESTS" not in text and "award(" not in text
    assert "causal_mask(3)" in notes and "expected" in notes


def test_who_handed_in_a_damaged_file_is_told_what_was_mended(course):
    page = dict(write_feedback(course, TOPIC))["truncated"]
    for text in (page.read_text(), page.with_suffix(".md").read_text()):
        assert "Your file was mended" in text


def test_feedback_escapes_what_students_wrote(course):
    pages = dict(write_feedback(course, TOPIC))
    page = pages["hostile"].read_text()
    assert "alert(" in page and "<script" not in page
    notes = pages["hostile"].with_suffix(".md").read_text()
    assert "alert(" in notes and "\\<script\\>" in notes and HOSTILE not in notes


def test_feedback_is_written_again_only_after_the_grades_changed(course):
    before = {s: p.stat().st_mtime_ns for s, p in write_feedback(course, TOPIC) if p}
    again = {s: p.stat().st_mtime_ns for s, p in write_feedback(course, TOPIC) if p}
    assert again == before
    with course.gradebook() as gradebook:
        cell = f"{TOPIC}-causal_mask-tests"
        gradebook.find_grade(cell, course.released(TOPIC).stem, TOPIC, "hostile").manual_score = 2
        gradebook.db.commit()
    pages = dict(write_feedback(course, TOPIC))
    assert "2 of 33 points" in pages["hostile"].read_text()
    assert by_student(course)["hostile"].total == 2


def test_stock_execution_grades_as_well(course):
    """The hidden line of a test cell does the same where nbgrader's own Execute runs it."""
    hand_in(
        course, "stock", {"causal_mask": CAUSAL, "padding_mask": "def padding_mask(ids, pad_id):\n    1 / 0"}
    )
    assert dict(unprotected.grade(course, TOPIC, ["stock"])) == {"stock": ""}
    with course.gradebook() as gradebook:
        (notebook,) = gradebook.find_submission(TOPIC, "stock").notebooks
        assert notebook.score == exercises_of(TOPIC)["causal_mask"].points()
    assert read_notebook(course.notebook("autograded", "stock", TOPIC))["causal_mask"].verdict.passed
    assert ungraded(course, TOPIC) == ["stock"], "what was graded without a wall is graded again behind it"


def test_nbgrader_itself_grades_behind_the_wall(course):
    """`nbgrader autograde`, and so formgrader's button, go the same way."""
    hand_in(course, "by_nbgrader", {"causal_mask": CAUSAL, "padding_mask": "import os\nos._exit(0)"})
    script = [sys.executable, "-m", "nbgrader", "autograde", TOPIC, "--student=by_nbgrader"]
    done = subprocess.run(script, cwd=course.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    feedback = read_notebook(course.notebook("autograded", "by_nbgrader", TOPIC))
    assert feedback["causal_mask"].verdict.passed and not feedback["padding_mask"].verdict.points
    with course.gradebook() as gradebook:
        (notebook,) = gradebook.find_submission(TOPIC, "by_nbgrader").notebooks
        assert notebook.score == exercises_of(TOPIC)["causal_mask"].points()


def test_award_in_a_readers_own_notebook():
    names = {}
    exec("import torch\n" + LEAKY, names)
    points = award(TOPIC, "causal_mask", names)
    assert 0 < points < exercises_of(TOPIC)["causal_mask"].points()


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(CourseError, match="autograder release"):
        Course.opened(tmp_path / "nowhere")
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(CourseError, match="new or an empty directory"):
        Course.made(tmp_path)
    empty = Course.made(tmp_path / "course")
    with pytest.raises(CourseError, match="autograder release masks"):
        empty.students(TOPIC)
