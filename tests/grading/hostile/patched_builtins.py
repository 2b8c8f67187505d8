"""Replaces isinstance, len, print, open, __import__ and BaseException."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import builtins

builtins.isinstance = lambda *a: True
builtins.len = lambda thing: 3
builtins.print = lambda *a, **k: None
builtins.open = lambda *a, **k: None
builtins.any = builtins.all = lambda *a: True
builtins.BaseException = builtins.Exception = ValueError
builtins.NotImplementedError = type("NotImplementedError", (int,), {})
builtins.__import__ = lambda *a, **k: None
"""


def handed_in(notebook):
    return first(notebook, CODE)
