"""Hands in magics that run shells, write files and change folders."""

from hostile import first

STATES = ("graded", "flagged", "student fault")


def handed_in(notebook):
    return first(
        notebook,
        "%%bash\nid\n!id\n%cd /\n%run /etc/passwd\n%load_ext a\n%env A=1\n%%writefile /tmp/x\n%pip install x",
    )
