"""Replaces our own code in its process, so that every question is answered with yes."""

from hostile import first

STATES = ("graded", "flagged")
CODE = """
import importlib

student = importlib.import_module("auto" + "grader.sandbox.student")
names = importlib.import_module("auto" + "grader.exercises.namespace")
yes = lambda *a, **k: names.Outcome(value=True, device="input")
names.Near.ask = names.Near._called = names.Near._elsewhere = yes
names.Near.defines = lambda *a: True
names.plain = lambda value: True
names.Foreign = lambda kind: True
"""


def handed_in(notebook):
    return first(notebook, CODE)
