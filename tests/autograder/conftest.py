"""The sample class, graded once for all tests that look at it."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from autograder.course import Course


def autograder(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Run a command as an instructor does."""
    code = "from autograder.cli import app; app(prog_name='autograder')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="session")
def command():
    return autograder


@pytest.fixture(scope="session")
def tour(tmp_path_factory, worker_id) -> tuple[Course, str]:
    """The sample class, released, graded, with feedback and report, and what the command said."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent
    said = shared / "tour.txt"
    with FileLock(shared / "tour.lock"):
        if not said.exists():
            done = autograder("tour", "masks", "--course", str(shared / "sample"))
            assert done.returncode == 0, done.stderr
            said.write_text(done.stdout)
    return Course.opened(shared / "sample"), said.read_text()
