"""Hands in a notebook with numbers of a million digits."""

from hostile import as_bytes

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    return as_bytes(notebook)[:-1] + b',"n":' + b"9" * 1_000_000 + b',"e":1e' + b"9" * 100_000 + b"}"
