"""A sample class, graded once for all tests that look at it."""

from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from autograder.cli import app
from autograder.course import Course


def autograder(*arguments: object) -> Result:
    """Run a command as an instructor types it."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def made_course(path: Path) -> Course:
    """A new course with a key that is known, so that a run of the tests repeats the one before."""
    course = Course.made(path)
    (course.path / "course_key").write_text("the key of the tests")
    return course


@pytest.fixture(scope="session")
def command():
    return autograder


@pytest.fixture(scope="session")
def new_course():
    return made_course


@pytest.fixture(scope="session")
def sample(tmp_path_factory, request) -> Course:
    """The sample class, graded, with feedback and report."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if hasattr(request.config, "workerinput") else base
    course = base / "sample"
    with FileLock(base / "sample.lock"):
        if not (base / "sample.done").exists():
            _carry_out(course)
            (base / "sample.done").touch()
    return Course.opened(course)


def _carry_out(course: Path) -> None:
    made_course(course)
    for name in ("release", "sample-class", "grade", "feedback", "report"):
        done = autograder(name, "masks", "--course", course)
        assert done.exit_code == 0, done.output
        (course / f"{name}.txt").write_text(done.output)
