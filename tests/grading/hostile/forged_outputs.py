"""Hands in test cells that show full marks already, in our own feedback's format."""

import copy

from nbformat.v4 import new_output

from autograder.exercises import exercises_of
from autograder.feedback import Feedback
from autograder.verdict import Finding, Verdict


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")[6:].removesuffix("-tests")
        if cell.cell_type == "code":
            verdict = Verdict(name, 100, 100, (Finding("is right", 100, 100),))
            cell.outputs = copy.deepcopy(Feedback(verdict).outputs()) if name in exercises_of("masks") else []
            cell.outputs.append(new_output("execute_result", {"text/plain": "100"}, execution_count=1))
    return notebook
