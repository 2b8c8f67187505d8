"""Hands in a notebook that says everything twice, differently."""

from hostile import as_bytes

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    text = as_bytes(notebook).decode()
    return (text[:-1] + ',"cells":[],"nbformat":2,"metadata":[],"nbformat_minor":-1}').encode()
