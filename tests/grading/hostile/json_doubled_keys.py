"""Hands in a notebook with 200,000 names, one of them twice."""

from hostile import as_bytes

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    more = ",".join(f'"{number}":1' for number in range(200_000))
    return as_bytes(notebook)[:-1] + b"," + more.encode() + b',"0":2}'
