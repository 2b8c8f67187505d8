"""A clean notebook of a submission, made from scratch, as nbgrader expects it."""

import copy
import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.intake.answers import bare, release_of
from autograder.intake.python import Reader
from autograder.intake.submission import Cell, Submission

MOST_CHARACTERS = 2_000_000
FENCED = re.compile(r"(`{3,})text\n(.*)\n\1", re.DOTALL)
CLEAN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def tidy(submission: Submission, released: NotebookNode) -> NotebookNode:
    """A notebook of what the student wrote, with each exercise's metadata and tests as released.

    The tests follow their answer. An exercise without an answer stands at the end as its stub. What the
    release holds unchanged is left out, but for what the answers need.
    """
    return _Tidier(submission, released).notebook()


class _Tidier:
    def __init__(self, submission: Submission, released: NotebookNode):
        self.submission = submission
        self.released = released
        self.reader = Reader()
        self.release = release_of(submission.topic, released)
        graded = {c.metadata.get("nbgrader", {}).get("grade_id", ""): c for c in released.cells}
        self.stubs = {name: graded[f"{submission.topic}-{name}"] for name in self.release.stubs}
        self.tests = {name: graded[f"{submission.topic}-{name}-tests"] for name in self.release.tests}
        self.ids = {cell["id"] for cell in [*self.stubs.values(), *self.tests.values()]}
        self.room = MOST_CHARACTERS

    def notebook(self) -> NotebookNode:
        cells = [cell for index in range(len(self.submission.cells)) for cell in self._cells(index)]
        for name, stub in self.stubs.items():
            if name not in self.submission.answers:
                cells += [self._answer(name, stub.source), *self._tests(name)]
        metadata = {k: copy.deepcopy(self.released.metadata[k]) for k in KEPT if k in self.released.metadata}
        return new_notebook(cells=cells, metadata=metadata)

    def _cells(self, index: int) -> Iterator[NotebookNode]:
        """What becomes of one of the student's cells: itself, the tests of what it answers, or nothing."""
        cell = self.submission.cells[index]
        answered = [n for n, answer in self.submission.answers.items() if answer == index and n in self.stubs]
        if not answered:
            if not self.release.is_tests(cell) and self._fits(index):
                yield self._other(cell, index)
            return
        first, *others = answered
        yield self._answer(first, cell.source)
        yield from self._tests(first)
        for name in others:
            yield self._answer(name, self.reader.definition(cell.source, name) or cell.source)
            yield from self._tests(name)

    def _other(self, cell: Cell, index: int) -> NotebookNode:
        """A cell that answers nothing. Prose is shown as it was typed: HTML and links in it do nothing."""
        if cell.kind == "code":
            return new_code_cell(cell.source, id=self._id(cell, index))
        shown = FENCED.fullmatch(cell.source)
        if shown and _longest_fence(shown[2]) < len(shown[1]):
            return new_markdown_cell(cell.source, id=self._id(cell, index))
        fence = "`" * max(3, _longest_fence(cell.source) + 1)
        return new_markdown_cell(f"{fence}text\n{cell.source}\n{fence}", id=self._id(cell, index))

    def _fits(self, index: int) -> bool:
        if index in self.submission.run:
            return True
        cell = self.submission.cells[index]
        if cell.source.strip() in self.release.prose or bare(cell.source) in self.release.bare_code:
            return False
        self.room -= len(self.submission.cells[index].source)
        return self.room >= 0

    def _answer(self, name: str, source: str) -> NotebookNode:
        stub = self.stubs[name]
        return new_code_cell(source, id=stub["id"], metadata=copy.deepcopy(stub.metadata))

    def _tests(self, name: str) -> list[NotebookNode]:
        if name not in self.tests:
            return []
        tests = self.tests[name]
        return [new_code_cell(tests.source, id=tests["id"], metadata=copy.deepcopy(tests.metadata))]

    def _id(self, cell: Cell, index: int) -> str:
        """The cell's own id where it is clean and its own, else one from its place."""
        wanted = cell.cell_id if CLEAN_ID.fullmatch(cell.cell_id) else f"cell-{index:04}"
        while wanted in self.ids:
            wanted = f"cell-{index:04}" if wanted == cell.cell_id else f"{wanted}-x"
        self.ids.add(wanted)
        return wanted


KEPT = ("kernelspec", "language_info")


def _longest_fence(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
