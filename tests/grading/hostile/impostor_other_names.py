"""Says that it defines more than was asked, with values that are no names."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
send = put


def put(data):
    send(data.replace(b'"causal_mask"', b'true, 1.5, null, {"list": []}, "causal_mask"'))


impersonate(lambda call: frame(outcome(value=1)))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
