"""Answers with numbers of 4,000 digits, which no float can hold."""

from hostile import IMPOSTOR, first

TOPIC = "self_attention"
STATES = ("flagged",)
CODE = """
said = json.dumps({"tuple": [outcome(value={"list": [12345]}, steps={"tuple": [outcome(value=12345)]})]})
answer = frame(said.replace("12345", "9" * 4_000).encode())
impersonate(lambda call: answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
