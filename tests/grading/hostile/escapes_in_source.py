"""Has escapes and characters that turn the writing round in its answers."""

from hostile import answered

SOURCE = (
    "def causal_mask(length):\n    # \x1b[2J\x1b]0;owned\x07 \u202e \u2066 \x9b\n    return '\x1b[31m\u202e'"
)


def handed_in(notebook):
    return answered(notebook, causal_mask=SOURCE)
