"""Writing to the gradebook: a student whole or not at all, and never without a copy."""

import shutil
import sqlite3

import pytest

from autograder.course import Course
from autograder.gradebook import BACKUPS, back_up, mark_for_a_person, one_transaction

TOPIC = "masks"


@pytest.fixture
def course(sample, tmp_path) -> Course:
    return Course(shutil.copytree(sample.path, tmp_path / "course"))


def points_of(course: Course, student: str) -> float:
    with course.gradebook() as gradebook:
        return gradebook.find_submission(TOPIC, student).score


def test_an_error_half_way_leaves_nothing(course):
    before = points_of(course, "aiko")
    with course.gradebook() as gradebook, pytest.raises(RuntimeError), one_transaction(gradebook) as joined:
        for notebook in joined.find_submission(TOPIC, "aiko").notebooks:
            for grade in notebook.grades:
                grade.manual_score = 0
        joined.db.commit()
        raise RuntimeError
    assert points_of(course, "aiko") == before > 0


def test_what_nbgrader_opens_meanwhile_is_the_same_transaction(course):
    with course.gradebook() as gradebook, one_transaction(gradebook):
        with course.gradebook() as another:
            mark_for_a_person(another, TOPIC, "aiko", {"causal_mask"})
        with sqlite3.connect(course.path / "gradebook.db") as outside:
            assert outside.execute("SELECT sum(needs_manual_grade) FROM grade").fetchone() == (0,)
    with sqlite3.connect(course.path / "gradebook.db") as outside:
        assert outside.execute("SELECT sum(needs_manual_grade) FROM grade").fetchone() == (1,)


def test_a_copy_can_be_put_back(course):
    with course.gradebook() as gradebook:
        copies = [back_up(gradebook, course.path / "backups") for _ in range(BACKUPS + 3)]
    assert sorted((course.path / "backups").iterdir()) == copies[3:]
    before = points_of(course, "aiko")
    (course.path / "gradebook.db").write_bytes(b"")
    shutil.copy(copies[-1], course.path / "gradebook.db")
    assert points_of(course, "aiko") == before


def test_one_writer_at_a_time(course, command):
    with course.alone():
        done = command("grade", TOPIC, "--force", "--course", course.path)
    assert done.exit_code == 1
    assert done.stderr == "Another command is writing into this course: wait for it to end.\n"
