"""The commands, as an instructor types them."""

import shutil
import subprocess
import sys

import pytest

import autograder.chapters
import autograder.sample_class
from autograder.doctor import LAYERS
from autograder.results import results
from autograder.sandbox.bubble import probed

COMMANDS = ("release", "collect", "grade", "feedback", "report", "export", "sample-class", "tour")


def test_commands_end_with_points_and_with_what_to_open(sample):
    graded, written, reported = (
        [line for line in (sample.path / f"{name}.txt").read_text().splitlines() if line.strip()]
        for name in ("grade", "feedback", "report")
    )
    rows = {line.split()[0]: line.split()[1:] for line in graded}
    assert rows["aiko"] == ["3", "4", "4", "3", "6", "5", "8", "33"]
    assert rows["dana"] == ["0"] * 8
    assert graded[-1].startswith("Next: autograder feedback masks --course ")
    assert written[-1].endswith("feedback/aiko/masks/03_masks.html is the first of 24 pages.")
    assert reported[-1].endswith("report/masks.html to see how the class did.")


def test_the_tour_does_nothing_twice(sample, command, monkeypatch):
    monkeypatch.setattr(autograder.sample_class, "write_sample_class", lambda course, topic: ["the same"])
    steps = ("source", "release", "submitted", "autograded", "feedback")
    files = [path for step in steps for path in (sample.path / step).rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) > 30
    again = command("tour", "masks", "--course", sample.path)
    assert again.exit_code == 0 and "24 of 24 are graded and unchanged." in again.output
    assert again.output.strip().splitlines()[-1].startswith("Open ")
    assert {path: path.stat().st_mtime_ns for path in files} == before


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example(name, command):
    shown = command(name, "--help")
    assert shown.exit_code == 0
    assert f"Example: autograder {name} masks" in shown.output


def test_list_names_the_exercises(command):
    shown = command("list")
    assert shown.exit_code == 0 and "causal_mask (3)" in shown.output


def test_help_imports_nothing_heavy():
    code = "import sys, autograder.cli; print({'torch', 'nbgrader', 'nbformat'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_explain_replays_what_was_recorded(sample, command):
    wrong = next(r for r in results(sample, "masks") if r.feedback["masked_softmax"].verdict.mistake)
    verdict = wrong.feedback["masked_softmax"].verdict
    shown = command("explain", wrong.student, "masked_softmax", "--course", sample.path).output
    assert f"The known mistake {verdict.mistake} does the same: {verdict.sentence}" in shown
    assert verdict.first_wrong.message in shown and "expected float" in shown
    assert "def masked_softmax(" in shown and "This is not what was recorded" not in shown
    for finding in verdict.findings:
        assert f"{finding.behaviour}: {finding.points} of {finding.of}" in shown


def test_explain_says_no_in_one_sentence(sample, command):
    for words, beginning in (
        (("aiko", "cooking"), "There is no exercise cooking"),
        (("Nobody", "causal_mask"), "Nobody has handed in nothing for masks"),
    ):
        assert_one_sentence(command("explain", *words, "--course", sample.path), beginning)


def test_doctor_names_the_layers(command):
    shown = command("doctor")
    assert shown.exit_code == (1 if any(probed().layers.values()) else 0)
    assert [line[2:] for line in shown.output.splitlines() if line[:1] in "✓✗"] == list(LAYERS)
    assert shown.output.splitlines()[-1].startswith("Students' code ")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_topic_is_one_sentence(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [name, "cooking", *["downloads.zip"] * (name == "collect")]
    assert_one_sentence(command(*words), "There is no chapter 'cooking'")
    assert not list(tmp_path.iterdir())


def test_no_course_no_release_no_submissions_no_grades(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("grade", "feedback", "report"):
        assert_one_sentence(command(name, "masks"), "There is no course in course: make one with")
    assert not list(tmp_path.iterdir())
    assert command("release", "masks").exit_code == 0
    for name in ("grade", "feedback", "report"):
        assert_one_sentence(command(name, "masks"), "Nobody has handed in masks: put notebooks into")
    assert command("sample-class", "masks").exit_code == 0
    for name in ("feedback", "report"):
        assert_one_sentence(command(name, "masks"), "Nobody has been graded for masks yet: run")
    shutil.rmtree(tmp_path / "course" / "release")
    for name in ("grade", "feedback", "report"):
        assert_one_sentence(command(name, "masks"), "The topic masks has not been released here: run")


@pytest.mark.parametrize("name", ["release", "sample-class", "tour"])
def test_another_directory_is_left_alone(name, command, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert_one_sentence(command(name, "masks", "--course", tmp_path), "holds something else")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def assert_one_sentence(done, beginning: str) -> None:
    """The command said no, in one sentence, without a traceback."""
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    errors = done.stderr.replace("Without feedback", "")
    assert beginning in errors
    assert errors.count("\n") == 1 and errors.strip().endswith(".")


def test_check_names_file_and_line_of_what_is_wrong(tmp_path, command, monkeypatch):
    assert command("check").exit_code == 0
    text = autograder.chapters.chapter_path("masks").read_text(encoding="utf-8")
    wrong = tmp_path / "03_masks.md"
    wrong.write_text(text.replace("5 minutes · 3 points", "5 minutes · 4 points", 1), encoding="utf-8")
    monkeypatch.setattr(autograder.chapters, "CHAPTERS", tmp_path)
    done = command("check")
    line = text[: text.index(":::{exercise-start} Only the past")].count("\n") + 1
    assert done.exit_code == 1
    sentence = f"{wrong}:{line}: the text of causal_mask says 4 points, in fact it has 3"
    assert done.output.splitlines() == [sentence]
    assert not (tmp_path / "03_masks.ipynb").exists()
