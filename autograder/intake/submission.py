"""A submission as the grader sees it: repaired cells, which of them answer, and which are to be run."""

import hashlib
import html
import json
from dataclasses import dataclass


class Unreadable(Exception):
    """A submission that cannot be read; its text is a fragment of a sentence that says why."""


@dataclass(frozen=True)
class Cell:
    """A cell of a student's notebook. `kind` is code, markdown or raw."""

    kind: str
    source: str
    grade_id: str = ""
    cell_id: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Submission:
    """What was handed in for a topic.

    `name` is the file it was read from, `answers` the index of the cell that answers each exercise, `run`
    the indices of the code cells that matter, in order. `repairs` say what was put right, for the student and
    the instructor; `flags` say why a person should look. Both are a sentence each.
    """

    topic: str
    name: str
    cells: tuple[Cell, ...]
    answers: dict[str, int]
    run: tuple[int, ...]
    repairs: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def sources(self) -> list[str]:
        """The sources to be run, in order."""
        return [self.cells[index].source for index in self.run]

    @property
    def digest(self) -> str:
        """The SHA-256 of all that grading depends on: the topic and the sources to be run."""
        return hashlib.sha256(json.dumps([self.topic, self.sources]).encode()).hexdigest()


def unescaped(text: str) -> str:
    """A web page's text with its characters written out; as it is where one has a number too long to read."""
    try:
        return html.unescape(text)
    except ValueError:
        return text


def shown(text: str, longest: int = 60) -> str:
    """A stranger's text as a person may see it: on one line, short, without control or bidi characters."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
