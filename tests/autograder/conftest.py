"""A sample class of which a few are graded, once for all tests that look at it."""

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from autograder.cli import app
from autograder.course import Course
from autograder.sample_class import RECORD

GRADED = {"aiko", "dana", "emre", "fatima", "zanele"}


def autograder(*arguments: object) -> Result:
    """Run a command as an instructor types it."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def command():
    return autograder


@pytest.fixture(scope="session")
def sample(tmp_path_factory, request) -> Course:
    """The sample class; graded are these few and one whose mistake spreads, with feedback and report.

    Grading all of them takes a minute; `make course` does that.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if hasattr(request.config, "workerinput") else base
    course = base / "sample"
    with FileLock(base / "sample.lock"):
        if not (base / "sample.done").exists():
            _carry_out(course, base / "away")
            (base / "sample.done").touch()
    return Course.opened(course)


def _carry_out(course: Path, away: Path) -> None:
    for name in ("release", "sample-class"):
        assert autograder(name, "masks", "--course", course).exit_code == 0
    shutil.copytree(course / "submitted", away)
    put_in = json.loads((course / RECORD).read_text())["masks"]
    inherits = [s for s, answers in put_in.items() if any(a["kind"] == "inherits" for a in answers.values())]
    for folder in (course / "submitted").iterdir():
        if folder.name not in {*GRADED, inherits[0]}:
            shutil.rmtree(folder)
    for name in ("grade", "feedback", "report"):
        done = autograder(name, "masks", "--course", course)
        assert done.exit_code == 0, done.output
        (course / f"{name}.txt").write_text(done.output)


@pytest.fixture(scope="session")
def handed_in(sample) -> Path:
    """What everybody handed in."""
    return sample.path.parent / "away"
