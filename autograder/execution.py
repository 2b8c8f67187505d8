"""Running a submission as nbgrader does, except that the grade of an exercise is never left to its cell.

`Execute` takes the place of nbgrader's own (see `course.configure`). Stock nbgrader runs the hidden line of a
test cell instead, which calls `award` itself.
"""

import ast
import hashlib
import re
from dataclasses import replace
from pathlib import Path

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell
from nbgrader import preprocessors
from nbgrader.api import Gradebook
from traitlets import Unicode

from autograder.exercises import exercises_of
from autograder.exercises.specification import Exercise
from autograder.feedback import Feedback, read
from autograder.verdict import Finding, Verdict

HIDDEN = re.compile(r'^award\("(\w+)", "(\w+)", globals\(\)\)$', re.MULTILINE)
TIME_IS_UP = "CellTimeoutError"


class CheckingFailed(Exception):
    """An answer could not be checked at all: a person must look, since no points would be a guess."""


class Execute(preprocessors.Execute):
    """nbgrader's execution; in a graded cell of ours, the student's answer is judged instead.

    Which cells those are and what they ask is taken from nbgrader's database: nothing that the student
    wrote into the cell or its tags counts, and nothing the answer prints or warns of reaches the cell's
    output. The source the reader sees is left as it is.
    """

    key_file = Unicode("course_key", help="The file with the secret that random inputs are drawn from.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: dict, km=None) -> tuple[NotebookNode, dict]:
        told = resources["nbgrader"]
        self.student = told["student"]
        self.asked = asked_in(told["db_url"], told["notebook"], told["assignment"])
        self.key = Path(self.key_file).read_text(encoding="utf-8").strip()
        self.given: dict[str, Feedback] = {}
        return super().preprocess(nb, resources, km)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id not in self.asked:
            return super().preprocess_cell(cell, resources, index)
        topic, name = self.asked[grade_id]
        exercise = exercises_of(topic)[name]
        self.given[name] = self._judge(topic, exercise, index)
        self.nb.cells[index] = cell  # nbclient has put the cell it ran in its place
        cell.outputs = from_dict(self.given[name].outputs())
        return cell, resources

    def _judge(self, topic: str, exercise: type[Exercise], index: int) -> Feedback:
        """Have the answer judged in the kernel, and add what the rest of the notebook tells."""
        seed = seed_of(self.key, self.student, exercise.name)
        call = f"award({topic!r}, {exercise.name!r}, globals(), {seed!r})"
        cell = new_code_cell(f'__import__("autograder.award", fromlist=["award"]).{call}')
        self.execute_cell(cell, index, store_history=False)
        feedback = read(cell)
        if feedback is None or feedback.verdict.exercise != exercise.name:
            return self._stopped(exercise, cell)
        answer = self._answer(exercise.name)
        verdict = feedback.verdict
        if verdict.passed:
            return feedback
        used = names_used(answer.source) if answer else set()
        wrong = [n for n in exercise.builds_on if n in self.given and not self.given[n].verdict.passed]
        stops = _errors_of(answer) if answer and verdict.blank else []
        return replace(
            feedback, mend_first=tuple(n for n in wrong if n in used), stops=stops[0] if stops else ""
        )

    def _stopped(self, exercise: type[Exercise], cell: NotebookNode) -> Feedback:
        errors = _errors_of(cell)
        if not any(error.startswith(TIME_IS_UP) for error in errors):
            raise CheckingFailed(f"{exercise.name} could not be checked ({'; '.join(errors) or 'no error'})")
        message = f"checking it took more than {self.timeout} seconds and was stopped: does a loop never end"
        findings = tuple(Finding(b.title, 0, b.points, message) for b in exercise.behaviours)
        verdict = Verdict(exercise.name, 0, exercise.points(), findings)
        return Feedback(verdict, person=f"{exercise.name} did not end within {self.timeout} seconds")

    def _answer(self, name: str) -> NotebookNode | None:
        """The last cell that defines a name, or tries to."""
        defines = re.compile(rf"^\s*(async\s+def|def|class)\s+{name}\b|^{name}\s*=", re.MULTILINE)
        cells = [c for c in self.nb.cells if c.cell_type == "code" and defines.search(c.source)]
        return cells[-1] if cells else None


def asked_in(db_url: str, notebook: str, assignment: str) -> dict[str, tuple[str, str]]:
    """The graded cells of a released notebook: grade id to topic and exercise, from nbgrader's database."""
    with Gradebook(db_url) as gradebook:
        cells = gradebook.find_notebook(notebook, assignment).source_cells
        found = {cell.name: HIDDEN.search(cell.source or "") for cell in cells}
    return {grade_id: (match[1], match[2]) for grade_id, match in found.items() if match}


def seed_of(key: str, student: str, exercise: str) -> str:
    """The seed of a student's random inputs: the same in an appeal, unknown without the course's key."""
    return hashlib.sha256("\0".join([key, student, exercise]).encode()).hexdigest()


def names_used(source: str) -> set[str]:
    """The names that a cell reads; none where it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _errors_of(cell: NotebookNode) -> list[str]:
    """The errors that a cell ended with, each on one line."""
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    return [f"{e.ename}: {' '.join(str(e.evalue).split())[:200]}".rstrip(": ") for e in errors]
