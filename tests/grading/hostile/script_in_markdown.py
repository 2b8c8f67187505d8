"""Has scripts in its Markdown cells, attachments, ids, tags and in comments of its answers."""

import copy

from nbformat.v4 import new_markdown_cell, new_raw_cell

from hostile import answered, right

EVIL = """<script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())"""
POINTS = {"causal_mask": 3}
STATES = ("graded", "flagged")


def handed_in(notebook):
    source = right("causal_mask")["causal_mask"] + f'\n# </pre>{EVIL}\n"""{EVIL}"""\n'
    notebook = copy.deepcopy(answered(notebook, causal_mask=source))
    cell = new_markdown_cell(EVIL, attachments={"x.svg": {"image/svg+xml": EVIL}})
    cell.metadata["tags"] = [EVIL]
    cell["id"] = "<b>"
    notebook.cells = [cell, new_raw_cell(EVIL, metadata={"format": "text/html"}), *notebook.cells]
    notebook.metadata["title"] = notebook.metadata["kernelspec"] = {
        "name": EVIL,
        "display_name": EVIL,
        "language": EVIL,
    }
    return notebook
