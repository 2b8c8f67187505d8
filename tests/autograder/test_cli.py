"""The commands, as an instructor types them."""

import shutil
import time

import pytest

COMMANDS = ("release", "grade", "feedback", "report", "sample-class", "tour")


def test_the_tour_ends_with_points_and_with_what_to_open(tour):
    course, said = tour
    lines = [line for line in said.splitlines() if line.strip()]
    assert "report/masks.html" in lines[-1]
    assert any(line.split()[:1] == ["aiko"] and line.split()[-1] == "33" for line in lines)
    assert (course.path / "report" / "masks.html").is_file()
    assert len(list(course.path.glob("feedback/*/masks/03_masks.html"))) == 24
    assert len(list(course.path.glob("feedback/*/masks/03_masks.md"))) == 24


def test_the_tour_does_nothing_twice(tour, command):
    course, _ = tour
    watched = [
        path for step in ("release", "autograded", "feedback") for path in (course.path / step).rglob("*.*")
    ]
    before = {path: path.stat().st_mtime_ns for path in watched}
    began = time.perf_counter()
    again = command("tour", "masks", "--course", str(course.path))
    assert again.returncode == 0 and "24 of 24 are graded and unchanged." in again.stdout
    assert {path: path.stat().st_mtime_ns for path in watched} == before
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example(name, command):
    shown = command(name, "--help")
    assert shown.returncode == 0
    assert f"Example: autograder {name} masks" in shown.stdout


def test_list_names_the_exercises(command):
    shown = command("list")
    assert shown.returncode == 0 and "causal_mask (3)" in shown.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_topic_is_one_sentence(name, command, tmp_path):
    assert_one_sentence(command(name, "cooking", cwd=tmp_path), "There is no chapter 'cooking'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["grade", "feedback", "report"])
def test_no_course_no_release_no_submissions(name, command, tmp_path):
    assert_one_sentence(command(name, "masks", cwd=tmp_path), "There is no course in course: make one with")
    assert not list(tmp_path.iterdir())
    assert command("release", "masks", cwd=tmp_path).returncode == 0
    assert_one_sentence(
        command(name, "masks", cwd=tmp_path), "Nobody has handed in masks: put notebooks into"
    )
    shutil.rmtree(tmp_path / "course" / "release")
    assert_one_sentence(command(name, "masks", cwd=tmp_path), "Masks has not been released here: run")


@pytest.mark.parametrize("name", ["release", "sample-class", "tour"])
def test_another_directory_is_left_alone(name, command, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert_one_sentence(command(name, "masks", "--course", str(tmp_path)), "holds something else")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def assert_one_sentence(done, beginning: str) -> None:
    assert done.returncode == 1
    assert beginning in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.count("\n") == 1 and done.stderr.strip().endswith(".")
