"""Claims the kept results of other students in the notebook's metadata."""

import copy


def handed_in(notebook):
    notebook = copy.deepcopy(notebook)
    notebook.metadata["decoder_from_scratch"] = {"key": "../../../store/00/00"}
    for cell in notebook.cells:
        cell.metadata["decoder_from_scratch"] = {"key": "b_all_right"}
    return notebook
