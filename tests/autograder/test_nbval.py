"""The solved notebooks give the same outputs twice: an unseeded cell is found by nbval."""

import subprocess
import sys

import pytest

from autograder.chapters import chapter_paths, read_chapter
from autograder.notebooks import solved, write

CHAPTERS = [read_chapter(path) for path in chapter_paths()]


def compare_with_itself(notebook, tmp_path, run):
    """Run a notebook, then let nbval run it again and hold the outputs against one another."""
    run(notebook, tmp_path)
    path = tmp_path / "solved.ipynb"
    path.write_text(write(notebook), encoding="utf-8")
    options = ["--nbval", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *options, str(path)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.topic)
def test_a_solved_notebook_gives_the_same_outputs_twice(chapter, tmp_path, run):
    result = compare_with_itself(solved(chapter), tmp_path, run)
    assert result.returncode == 0, result.stdout[-3000:]


def test_an_unseeded_cell_is_found(tmp_path, run):
    notebook = solved(CHAPTERS[0])
    notebook.cells = notebook.cells[:3]
    notebook.cells[-1].cell_type = "code"
    notebook.cells[-1] |= {"source": "import random\nprint(random.random())", "outputs": []}
    notebook.cells[-1].execution_count = None
    notebook.cells[-1].metadata = {}
    result = compare_with_itself(notebook, tmp_path, run)
    assert result.returncode == 1
    assert "random.random()" in result.stdout
