"""Hands in a line of spaces that a pattern goes through again and again."""

STATES = ("unreadable",)


def handed_in(notebook):
    return b"hello\n```" + b" " * 2_000_000
