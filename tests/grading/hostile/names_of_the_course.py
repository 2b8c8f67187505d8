"""Looks for the course by the names that its files have."""

from autograder.chapters import ROOT
from hostile import first

CODE = """
import os

names = {"gradebook.db", "course_key", "submitted", "autograded", "records", "nbgrader_config.py", "release"}
for place, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("usr", "lib", "lib64", ".venv", ".pyenv", "share")]
    for name in names & {*folders, *files}:
        print("REACHED", place, name)
for place in (
    "COURSE",
    "/root",
    "/home",
    "/etc/shadow",
    "/etc/passwd",
    "/var",
    "/mnt",
    "/srv",
    "../..",
    "/tmp/..",
):
    try:
        print(place, os.listdir(place) if os.path.isdir(place) else open(place).read())
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE.replace("COURSE", str(ROOT)))
