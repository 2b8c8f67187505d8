"""Says that a module was built and answers none of its steps."""

from hostile import IMPOSTOR, first

TOPIC = "embeddings"
STATES = ("flagged",)
CODE = """
impersonate(lambda call: frame(outcome(value={"dict": []})))
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
