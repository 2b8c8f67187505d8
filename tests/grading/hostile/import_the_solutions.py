"""Imports the reference solutions and the checks, by name, by path and by the editable install's finder."""

from hostile import first

CODE = """
import importlib, importlib.util, sys, os

for name in (
    "solutions.masks",
    "autograder.exercises.masks",
    "autograder.verdict",
    "autograder.answers.masks",
):
    try:
        module = importlib.import_module(name)
        print(open(module.__file__).read())
    except Exception as error:
        pass
for finder in list(sys.meta_path) + list(sys.path_hooks):
    places = getattr(finder, "MAPPING", None) or getattr(
        sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", {}
    )
    for place in dict(places).values():
        for file in ("masks.py", "exercises/masks.py", "__pycache__/masks.cpython-311.pyc"):
            try:
                print(open(os.path.join(place, file), "rb").read())
            except Exception:
                pass
"""
THEN = """
try:
    from solutions.masks import *
except Exception:

    def causal_mask(length):
        raise NotImplementedError
"""


def handed_in(notebook):
    return first(notebook, CODE, THEN)
