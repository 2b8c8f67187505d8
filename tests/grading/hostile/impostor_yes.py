"""Takes the channel over and says yes to everything."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
impersonate(lambda call: frame(outcome(value=True, device="input")))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
