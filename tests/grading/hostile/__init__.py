"""Notebooks that cheat, pry or do harm, one to a module; `test_hostile.py` hands them all in.

A module says in a line what it tries and has `handed_in(notebook)`, which gets the released notebook and
returns the hostile one (or a file's bytes), or `hand_in(folder, notebook)`, which writes into the folder
itself. It may say what its honest part deserves (`POINTS`, by exercise), how it may end (`STATES`), a word
that the instructor must be told (`TELLS`), under which name it is handed in (`NAME`), and for which chapter
(`TOPIC`, else masks).
"""

import copy
import json

from nbformat import NotebookNode

from autograder.chapters import solution_source


def first(notebook: NotebookNode, code: str, then: str = "") -> NotebookNode:
    """The notebook with this code above the first answer, so that it is run before all others.

    `then` takes the place of the first answer's stub.
    """
    cell = _answer(notebook := copy.deepcopy(notebook))
    cell.source = f"{code}\n\n{then or cell.source}"
    return notebook


def answered(notebook: NotebookNode, **sources: str) -> NotebookNode:
    """The notebook with these answers."""
    notebook = copy.deepcopy(notebook)
    for name, source in sources.items():
        _answer(notebook, name).source = source
    return notebook


def all_answered(notebook: NotebookNode, body: str) -> NotebookNode:
    """The notebook with the same body in every function, whose arguments are `given`."""
    names = [cell.metadata.nbgrader.grade_id.split("-")[1] for cell in notebook.cells if _is_answer(cell)]
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return answered(notebook, **{name: f"def {name}(*given):\n{lines}" for name in names})


def right(*names: str, topic: str = "masks") -> dict[str, str]:
    """The right answers to these exercises."""
    return {name: solution_source(topic, name) for name in names}


def as_bytes(notebook: NotebookNode) -> bytes:
    return json.dumps(notebook).encode()


def _answer(notebook: NotebookNode, name: str = "") -> NotebookNode:
    return next(cell for cell in notebook.cells if _is_answer(cell, name))


def _is_answer(cell: NotebookNode, name: str = "") -> bool:
    told = cell.metadata.get("nbgrader", {})
    return bool(told.get("solution")) and told["grade_id"].endswith(name)


# Frames as the wire has them, without the wire's own code.
FRAMES = '''
import json, os, struct, sys

def frame(value, blob=b""):
    """A frame of one answer, or of these bytes."""
    body = value if isinstance(value, bytes) else json.dumps({"tuple": [value]}).encode()
    return struct.pack("!II", len(body), len(blob)) + body + blob

def table(**items):
    return {"dict": [[name, value] for name, value in items.items()]}

def outcome(**said):
    plain = dict(value=None, error=None, arguments={"tuple": []}, gradients={"tuple": []}, device=None)
    return table(**{**plain, "steps": {"tuple": []}, **said})

def tensors(**shapes):
    """A safetensors blob of zeros: a type, a shape and a number of bytes for each name."""
    header, end = {}, 0
    for name, (kind, shape, length) in shapes.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + length]}
        end += length
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)

def put(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]

def take(number):
    data = b""
    while len(data) < number:
        part = os.read(3, number - len(data))
        if not part:
            getattr(os, "_ex" + "it")(0)
        data += part
    return data
'''

# Takes the grader's channel over from our own code: says that all cells ran, and answers as it likes.
IMPOSTOR = (
    FRAMES
    + """
def impersonate(answer, printed=""):
    above = getattr(sys, "_getf" + "rame")()
    while "cells" not in above.f_locals:
        above = above.f_back
    for index in range(above.f_locals["index"], len(above.f_locals["cells"])):
        put(frame(table(cell=index, error=None, output=printed)))
    while True:
        body, blob = struct.unpack("!II", take(8))
        message = json.loads(take(body))
        take(blob)
        kind, content = message["dict"][0]
        if kind == "defines":
            put(frame(content))
        else:
            for call in content["tuple"]:
                put(answer(dict(call["dict"])))
"""
)
