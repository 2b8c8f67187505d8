"""Adds graded cells with points of its own, and doubles those that are there."""

import copy

from nbformat.v4 import new_code_cell, new_output


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    tests = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for number, cell in enumerate(tests):
        told = {
            "grade": True,
            "grade_id": f"extra{number}",
            "points": 100,
            "locked": False,
            "solution": False,
        }
        extra = new_code_cell("100", metadata={"nbgrader": {**told, "schema_version": 3, "task": False}})
        extra.outputs = [new_output("execute_result", {"text/plain": "100"}, execution_count=1)]
        notebook.cells += [extra, copy.deepcopy(cell)]
    return notebook
