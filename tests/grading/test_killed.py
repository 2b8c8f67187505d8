"""Killed at any moment, grader, worker or zygote, the same command ends with the same gradebook."""

import random
import shutil
import subprocess
import sys
import time

import psutil
import pytest
from nbgrader.api import SubmittedNotebook

from autograder.course import Course
from autograder.grading import record_of
from autograder.sample_class import BLANK, write_sample_class

TOPIC = "masks"
STUDENTS = 8
ROUNDS = 3
KILLED_IN_A_ROUND = ("worker", "zygote", "worker", "zygote", "grader", "worker", "zygote", "worker", "grader")


def rows(course: Course) -> list[tuple]:
    """All that the gradebook says of submissions, without the numbers it gives to rows."""
    found = []
    with course.gradebook() as gradebook:
        for notebook in gradebook.db.query(SubmittedNotebook).all():
            student = notebook.student.id
            found.append((student, str(notebook.assignment.timestamp), notebook.late_submission_penalty))
            for grade in notebook.grades:
                found.append(
                    (student, grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
                )
            for comment in notebook.comments:
                found.append((student, comment.name, comment.auto_comment, comment.manual_comment))
    return sorted(found, key=str)


def command(course: Course) -> list[str]:
    return [sys.executable, "-m", "autograder", "grade", TOPIC, "--course", str(course.path)]


def finished(course: Course) -> None:
    done = subprocess.run(command(course), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Course:
    """A small class that has handed in; one of it cannot be read, another one never ends."""
    course = Course.made(tmp_path_factory.mktemp("killed") / "fresh")
    with course.config_file.open("a") as config:
        config.write("c.Sandbox.step = 2\n")
    course.release(TOPIC)
    for student in write_sample_class(course, TOPIC)[STUDENTS:]:
        shutil.rmtree(course.path / "submitted" / student)
    course.notebook("submitted", "bruno", TOPIC).write_bytes(b"\x00\x01 no notebook")
    path = course.notebook("submitted", BLANK, TOPIC)
    text = path.read_text().replace(
        'raise NotImplementedError(\\"write causal', 'while True: pass  # (\\"write causal'
    )
    path.write_text(text)
    return course


@pytest.fixture(scope="module")
def undisturbed(handed_in) -> tuple[list, dict]:
    course = Course(shutil.copytree(handed_in.path, handed_in.path.with_name("undisturbed")))
    finished(course)
    return rows(course), states(course)


def states(course: Course) -> dict[str, tuple[str, str]]:
    found = {student: record_of(course, TOPIC, student) for student in course.students(TOPIC)}
    return {student: (record.state, record.person) for student, record in found.items()}


def victims(grader: psutil.Process, who: str) -> list[psutil.Process]:
    """The processes of a running grader that are meant by a word."""
    if who == "grader":
        return [grader]
    found = grader.children(recursive=True)
    zygotes = [child for child in found if "autograder.sandbox.zygote" in " ".join(child.cmdline())]
    return zygotes if who == "zygote" else [c for c in found if c.ppid() == grader.pid and c not in zygotes]


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_same_gradebook_whoever_is_killed(turn, handed_in, undisturbed, figures):
    rng = random.Random(turn)
    course = Course(shutil.copytree(handed_in.path, handed_in.path.with_name(f"round{turn}")))
    running = None
    for who in KILLED_IN_A_ROUND:
        victim = None
        while victim is None:
            if running is None or running.poll() is not None:
                running = psutil.Popen(
                    [*command(course), "--force"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            wait_a_while(rng, course, running)
            victim = next(iter(alive(running, who)), None)
        victim.kill()
        figures["kills that changed no grade"] += 1
    running.wait()
    finished(course)
    assert rows(course) == undisturbed[0]
    assert states(course) == undisturbed[1]
    assert not [p for p in psutil.process_iter() if str(course.path) in " ".join(command_line(p))]


def wait_a_while(rng: random.Random, course: Course, running: psutil.Popen) -> None:
    """Wait for a random moment, at times in the midst of writing."""
    moment = time.monotonic() + rng.uniform(0.2, 4)
    if rng.random() < 0.6:
        before = written(course)
        while running.poll() is None and written(course) == before:
            time.sleep(0.01)
        moment = time.monotonic() + rng.uniform(0, 1)
    while running.poll() is None and time.monotonic() < moment:
        time.sleep(0.01)


def written(course: Course) -> list[int]:
    return sorted(path.stat().st_mtime_ns for path in course.path.glob("records/*/*.json"))


def alive(grader: psutil.Process, who: str) -> list[psutil.Process]:
    try:
        return victims(grader, who)
    except psutil.NoSuchProcess:
        return []


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_class_has_what_it_should(undisturbed):
    _, found = undisturbed
    assert sorted({state for state, _ in found.values()}) == ["graded", "student fault", "unreadable"]
