"""Hands in a program."""

STATES = ("unreadable",)


def handed_in(notebook):
    return b"\x7fELF" + bytes(1000)
