"""Whatever a student has handed in, as cells to be run: nothing is lost, and nothing is trusted.

`files.py` reads a folder, `archives.py` what is packed in it. `notebook.py` makes cells of bytes, with
`damaged_json.py` where they are no JSON and `scripts.py` where they are no notebook. `repair.py` mends code,
`python.py` tells what it binds and uses, `answers.py` finds the answers and what they need, `tidy.py` makes a
clean notebook for nbgrader.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.chapters import chapter_path
from autograder.intake import notebook
from autograder.intake.answers import answered, release_of, submission_of
from autograder.intake.archives import unpacked
from autograder.intake.files import File, Found, read_folder
from autograder.intake.python import Reader
from autograder.intake.submission import Cell, Submission, Unreadable, shown
from autograder.intake.tidy import tidy

__all__ = ["Cell", "Submission", "Unreadable", "from_notebook", "read_bytes", "read_submission", "tidy"]

MOST_CANDIDATES = 20


def read_submission(folder: Path, topic: str, released: NotebookNode) -> Submission:
    """What a student handed in, from `submitted/STUDENT/TOPIC`; Unreadable where that is impossible."""
    expected = f"{chapter_path(topic).stem}.ipynb"
    return _best(read_folder(folder, expected), topic, released, expected)


def read_bytes(data: bytes, topic: str, released: NotebookNode, name: str = "notebook") -> Submission:
    """A submission from one file's bytes, which may be an archive; Unreadable where that is impossible."""
    return _best(Found([File(name, data)]), topic, released, name)


def from_notebook(nb: dict[str, Any], topic: str, released: NotebookNode) -> Submission:
    """A submission from a parsed notebook of any version; Unreadable where it is none."""
    release, reader = release_of(topic, released), Reader()
    return submission_of(notebook.from_value(nb, release.marks, reader), release, reader, "notebook")


def _best(found: Found, topic: str, released: NotebookNode, expected: str) -> Submission:
    """The submission among the files found: the expected name first, then the one with most answers."""
    found = unpacked(found)
    release = release_of(topic, released)
    reader = Reader()
    read, problems = [], []
    files = sorted(found.files, key=lambda file: _promise(file, expected), reverse=True)
    for file in files[:MOST_CANDIDATES]:
        try:
            cells = notebook.read(file.data, release.marks, reader)
            submission = submission_of(cells, release, reader, file.name)
            read.append((file, submission, answered(submission, release)))
        except Unreadable as why:
            problems.append((file, why))
    if not read:
        raise Unreadable(_why_not(found, problems))
    submission = _chosen(read, expected)
    flags = [
        f"{shown(file.name)} could not be read: {why}. {submission.name} was graded instead."
        for file, why in problems
        if file.name == expected
    ]
    return replace(submission, flags=(*flags, *submission.flags))


def _promise(file: File, expected: str) -> tuple:
    """How likely a file is the notebook, judged by its name and place."""
    name = file.name.rsplit("/", 1)[-1].lower()
    return (
        name == expected.lower(),
        name.endswith(".ipynb"),
        ".ipynb" in name,
        -file.depth,
        file.time,
        file.name,
    )


def _chosen(read: list[tuple[File, Submission, dict[str, str]]], expected: str) -> Submission:
    """Of several that could be read, the one that counts, with a flag where another one says otherwise."""

    def worth(candidate: tuple[File, Submission, dict[str, str]]) -> tuple:
        file, _, answers = candidate
        exact, is_notebook, _, depth, time, name = _promise(file, expected)
        return bool(answers), exact, is_notebook, len(answers), time, depth, name

    file, submission, answers = max(read, key=worth)
    flags = [
        f"Two notebooks differ: {shown(file.name)} was graded, {shown(other.name)} was not."
        for other, _, others in read
        if others and others != answers
    ]
    repairs = list(submission.repairs)
    if file.name != expected:
        repairs.insert(0, f"The notebook was found in {shown(file.name)}.")
    return replace(submission, repairs=tuple(repairs), flags=(*flags[:3], *submission.flags))


def _why_not(found: Found, problems: list[tuple[File, Unreadable]]) -> str:
    """Why nothing could be read: about the most promising file, else about what else was found."""
    if problems:
        file, why = problems[0]
        return f"{shown(file.name)}: {why}" if len(found.files) > 1 else str(why)
    return "; ".join(found.problems[:2]) or "the folder is empty"
