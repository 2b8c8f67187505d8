"""Sends values of types and numbers that there are none of."""

from hostile import FRAMES, first

STATES = ("flagged", "student fault")
CODE = """
put(frame({"dtype": "nan"}))
put(frame({"float": "1e400"}))
put(frame(b'{"list": [NaN, -Infinity, 1e999]}'))
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
