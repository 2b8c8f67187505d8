"""Raises errors that move the cursor, ring the bell, turn the writing round and look like formulas."""

from hostile import all_answered

BODY = r"""
raise ValueError(
    "=cmd|'/c calc'!A1 \x1b[2J\x1b[31m\x1b]8;;http://evil\x07 \u202e \u2066 \x9b31m \r\n\x00 \x08\x08"
)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
