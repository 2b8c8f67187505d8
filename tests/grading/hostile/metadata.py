"""Changes what nbgrader notes in its cells: points, grade, locked, checksums and schema versions."""

import copy


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    values = [
        {"points": 100},
        {"points": -100},
        {"points": "100"},
        {"points": 1e308},
        {"points": float("nan")},
        {"grade": False},
        {"locked": False},
        {"checksum": "0" * 32},
        {"schema_version": 99},
        {"schema_version": "3"},
        {"solution": False},
        {"task": True},
        {"cell_type": "markdown"},
        {"grade_id": "masks-masked_softmax-tests"},
        {"remove": True},
    ]
    graded = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    for number, cell in enumerate(graded):
        cell.metadata["nbgrader"] |= values[number % len(values)]
    return notebook
