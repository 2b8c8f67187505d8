"""nbgrader's own commands, typed in the course directory, and its late penalties."""

import csv
import datetime
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import Autograde

from autograder.course import Course
from autograder.grading import grade, write_feedback
from autograder.results import results

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
NBGRADER = Path(sysconfig.get_path("scripts"), "nbgrader")
DUE = datetime.datetime(2026, 3, 8, 12)
RIGHT, IN_TIME, LATE, LATE_TOO, THIEF = "aiko", "grace", "hiro", "ines", "jonas"


@pytest.fixture(scope="module")
def course(sample, tmp_path_factory):
    """A copy of the graded class with a due date, a penalty, and a place to exchange files."""
    course = Course(tmp_path_factory.mktemp("commands") / "course")
    shutil.copytree(sample.path, course.path)
    exchange = course.path.parent / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    with course.config_file.open("a") as config:
        config.write(
            f'\nc.Exchange.root = {str(exchange)!r}\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
        )
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("masks", duedate=DUE)
    return course


def nbgrader(course, *arguments):
    """Run a command as an instructor types it in the course directory; what it says."""
    done = subprocess.run([NBGRADER, *arguments], cwd=course.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def result_of(course, student):
    return next(result for result in results(course, "masks") if result.student == student)


@pytest.fixture(scope="module")
def regraded(course):
    """Two students graded by nbgrader: one in time, with right answers and files of her own, and one late."""
    folder = course.folder("submitted", IN_TIME, "masks")
    shutil.copy(course.notebook("submitted", RIGHT, "masks"), folder)
    (folder / "page.html").write_text("<script>window.pwned = 1</script>")
    (folder / "data.txt").symlink_to("../../../course_key")
    (folder / "more").mkdir()
    (folder / "more" / "notes.txt").write_text("mine")
    said = nbgrader(course, "autograde", "masks", "--student=[gh]*", "--force")
    said += nbgrader(course, "generate_feedback", "masks", "--student=[gh]*", "--force")
    return said


def test_autograde_and_generate_feedback(course, regraded):
    regraded_one = result_of(course, IN_TIME)
    assert regraded_one.total == 33
    assert regraded_one.state == "graded"
    told = course.notebook("feedback", IN_TIME, "masks", ".html").read_text()
    assert "33 of 33 points" in told
    assert "Handed in late" not in told
    assert "BEGIN HIDDEN" not in told
    ignored = set(re.findall(r"Config option `(\w+)` not recognized", regraded))
    assert ignored <= {"display_data_priority"}  # nbconvert's own


def test_only_the_notebook_is_kept_and_handed_back(course, regraded):
    notebook = {"03_masks.ipynb", "03_masks.html", "03_masks.md", "timestamp.txt"}
    for step in ("autograded", "feedback"):
        kept = {path.name for path in course.folder(step, IN_TIME, "masks").rglob("*")}
        assert "timestamp.txt" in kept
        assert kept <= notebook


def test_a_notebook_that_is_a_link_is_not_followed(course):
    path = course.notebook("submitted", THIEF, "masks")
    path.unlink()
    path.symlink_to(f"../../{RIGHT}/masks/{path.name}")
    before = result_of(course, THIEF).total
    assert before < 33
    with pytest.raises(Exception, match="is a link"):
        course.convert(Autograde, "masks", THIEF)
    assert result_of(course, THIEF).total < 33
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("masks", THIEF).score == before


def test_a_late_penalty_reaches_results_and_feedback(course, regraded, sample):
    before, late = result_of(sample, LATE), result_of(course, LATE)
    assert before.total > 0
    assert (late.total, late.points) == (0, before.points)
    told = course.notebook("feedback", LATE, "masks", ".html").read_text()
    assert "0 of 33 points" in told
    assert f"Handed in late: {before.total:g} points less." in told


def test_a_late_penalty_is_the_same_with_our_own_commands(course, sample):
    before = result_of(sample, LATE_TOO)
    assert [student for student, _ in grade(course, "masks", [LATE_TOO, "chidi"], 2)]
    assert (result_of(course, LATE_TOO).total, result_of(course, "chidi").total) == (0, 33)
    path = dict(write_feedback(course, "masks"))[LATE_TOO]
    assert f"Handed in late: {before.total:g} points less." in path.with_suffix(".md").read_text()


def test_export_and_lists(course):
    expected = {result.student: result.total for result in results(course, "masks") if result.graded}
    assert len(expected) > 20
    nbgrader(course, "export")
    with (course.path / "grades.csv").open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 24
    assert {student: float(rows[student]["score"]) for student in expected} == pytest.approx(expected)
    assert {row["max_score"] for row in rows.values()} == {"33.0"}
    said = nbgrader(course, "db", "student", "list")
    assert "There are 24 students" in said
    assert all(f"\n{student} (" in said for student in expected)


def test_release_and_list_through_the_exchange(course):
    nbgrader(course, "release_assignment", "masks")
    assert "decoder-from-scratch masks" in nbgrader(course, "list")
    given = [path for path in (course.path.parent / "exchange").rglob("*") if path.is_file()]
    assert [path.name for path in given] == ["03_masks.ipynb"]
    cells = nbformat.read(given[0], as_version=4).cells
    assert not any("HIDDEN" in cell.source for cell in cells)
