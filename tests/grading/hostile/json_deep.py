"""Hands in JSON that is nested ten million deep."""

STATES = ("unreadable",)


def handed_in(notebook):
    return b'{"cells":' + b"[" * 10_000_000
