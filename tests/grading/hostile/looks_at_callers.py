"""Looks through the callers' frames for what is expected."""

from hostile import all_answered

BODY = """
import inspect, torch

for frame in inspect.stack():
    for name, value in frame[0].f_locals.items():
        if name in ("expected", "reference", "answer", "solution", "wanted"):
            return value
        if isinstance(value, dict) and "expected" in value:
            return value["expected"]
return None
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
