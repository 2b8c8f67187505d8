"""The student's notebook where only Colab's packages are installed: its first cell fetches the rest.

The cell installs from the address the course is published at; git is told to find it here instead.
"""

import os
import subprocess
import venv

import nbformat
import pytest

from autograder.chapters import ROOT, chapter_paths, read_chapter
from autograder.notebooks import repository_url, student, student_path

# Of what Colab brings, the part that a notebook's kernel, PyTorch and matplotlib need.
COLAB = ["torch", "numpy", "matplotlib", "ipywidgets", "ipykernel", "nbclient"]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A fresh Python environment with Colab's packages and nothing of ours."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    (torch,) = [line for line in constraints.read_text().splitlines() if line.startswith("torch==")]
    run(python, "-m", "pip", "install", "--quiet", torch)
    run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, *COLAB[1:])
    return python


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A repository with the files as they are now, uncommitted ones included."""
    folder = tmp_path_factory.mktemp("published")
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run("git", *who, "commit", "--quiet", "--message", "as it is", cwd=folder)
    return folder


def test_the_first_cell_installs_what_is_missing_and_the_notebook_runs(colab, published, tmp_path):
    (chapter, *_) = map(read_chapter, chapter_paths())
    assert student(chapter).cells[1].source.count("%pip install") == 1
    path = tmp_path / "notebook.ipynb"
    path.write_bytes(student_path(chapter).read_bytes())
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL", "PYTHON"))
    }
    environment |= {
        "PATH": f"{colab.parent}:{os.environ['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{published.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository_url(),
    }
    code = (
        "import nbformat, sys; from nbclient import NotebookClient; path = sys.argv[1]; "
        "notebook = nbformat.read(path, 4); "
        "NotebookClient(notebook, timeout=600, kernel_name='python3').execute(); "
        "nbformat.write(notebook, path)"
    )
    done = subprocess.run(
        [colab, "-c", code, path], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = nbformat.read(path, 4)
    errors = {
        (output.ename, "raises-exception" in cell.metadata.get("tags", []))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    }
    assert ("NotImplementedError", True) in errors and all(foreseen for _, foreseen in errors)
    widgets = [
        o for c in notebook.cells for o in c.get("outputs", []) if "data" in o and "text/html" in o.data
    ]
    assert any("explorer" in output.data["text/html"] for output in widgets)
