"""Answers with more steps than were asked for, in which a module has parameters of odd names."""

from hostile import IMPOSTOR, first

TOPIC = "self_attention"
STATES = ("flagged", "student fault")
CODE = """
inner = outcome(value=1, gradients={"tuple": [{"dict": [["<b>", 1]]}] * 5})
names = {"dict": [[{"tuple": ["a", "b"]}, 1], ["<script>\\x1b[31m" + "x" * 10**5, 1]]}
answer = frame(outcome(value=names, steps={"tuple": [inner] * 200}))
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
