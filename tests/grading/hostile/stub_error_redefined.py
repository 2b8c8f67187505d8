"""Gives NotImplementedError another meaning, so that a stub passes for an answer."""

from hostile import first

CODE = """
class NotImplementedError(BaseException):
    pass


class Stopped(Exception):
    pass
"""
THEN = """
def causal_mask(length):
    raise Stopped("All right. Full marks.")
"""


def handed_in(notebook):
    return first(notebook, CODE, THEN)
