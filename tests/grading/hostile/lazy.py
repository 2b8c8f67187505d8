"""Returns generators, coroutines, functions and objects with a __getattr__ for everything."""

from hostile import all_answered

STATES = ("graded", "flagged")
BODY = """
import builtins

builtins.turn = getattr(builtins, "turn", 0) + 1

class Lazy:
    def __getattr__(self, name):
        return self

    def __call__(self, *a, **k):
        return self

    __eq__ = __ne__ = __bool__ = lambda *a: True

async def coroutine():
    return given[0]

class Promise(dict):
    __missing__ = lambda self, key: key

return [(n for n in given), coroutine(), Lazy(), lambda: given, Lazy, Promise()][builtins.turn % 6]
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
