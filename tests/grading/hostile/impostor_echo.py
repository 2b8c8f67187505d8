"""Takes the channel over and sends each question's arguments back."""

from hostile import IMPOSTOR, first

STATES = ("graded", "flagged", "student fault")
CODE = """
impersonate(
    lambda call: frame(
        outcome(
            value=None, arguments=call["arguments"] if "tensor" not in json.dumps(call) else {"tuple": []}
        )
    )
)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
