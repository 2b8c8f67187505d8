"""Hands in a web page of 16 MB of code that never ends."""

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    return b"<html><body>" + b"<pre" * 4_000_000 + b"&#" + b"9" * 10_000 + b";"
