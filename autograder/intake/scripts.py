"""Cells of what is no notebook: a Python file, a text in Markdown, an exported web page."""

import re
from collections.abc import Iterator
from itertools import islice

from autograder.intake.python import Reader
from autograder.intake.submission import unescaped

MOST_MARKS = 20_000
CELL_MARK = re.compile(r"^# ?%%[^\n]*\n?|^# In ?\[[ \d*]{0,8}\]:?[ \t]*\n?", re.MULTILINE)
FENCED = re.compile(r"^[ \t]*+(?:```|~~~)[ \t]*+([^\n]*+)\n", re.MULTILINE)
TAG = re.compile(r"<[^<>]*>")


def cells_of_python(text: str, reader: Reader) -> Iterator[dict]:
    """The cells of a Python file: as its marks divide it, else a cell for each statement."""
    marks = list(islice(CELL_MARK.finditer(text), MOST_MARKS))
    if marks:
        ends = [mark.start() for mark in marks[1:]] + [len(text)]
        yield {"cell_type": "code", "source": text[: marks[0].start()]}
        for mark, end in zip(marks, ends, strict=True):
            prose = any(word in mark[0] for word in ("[markdown]", "[md]", "[raw]"))
            yield {"cell_type": "markdown" if prose else "code", "source": text[mark.end() : end].strip("\n")}
    elif tree := reader.parsed(text):
        lines, first = re.split(r"(?<=\n)", text), 0
        for statement in tree[0].body:
            if statement.end_lineno > first:
                yield {
                    "cell_type": "code",
                    "source": "".join(lines[first : statement.end_lineno]).strip("\n"),
                }
                first = statement.end_lineno
    else:
        yield {"cell_type": "code", "source": text}


def has_fences(text: str) -> bool:
    """Whether a text in Markdown holds code."""
    return len(list(islice(FENCED.finditer(text), 2))) == 2


def cells_of_markdown(text: str) -> Iterator[dict]:
    """The cells of a text in Markdown: what its fences hold is code."""
    end, inside = 0, False
    for fence in islice(FENCED.finditer(text + "\n"), MOST_MARKS):
        yield {
            "cell_type": "code" if inside else "markdown",
            "source": text[end : fence.start()].rstrip("\n"),
        }
        end, inside = fence.end(), not inside
    yield {"cell_type": "code" if inside else "markdown", "source": text[end:]}


def cells_of_page(text: str) -> Iterator[dict]:
    """The cells of an exported web page: whatever it shows as code, outputs among it."""
    return map(_shown, text.split("<pre", MOST_MARKS)[1:])


def _shown(part: str) -> dict:
    """What one `<pre>` of a web page shows."""
    shown_there = part.partition(">")[2].partition("</pre>")[0]
    return {"source": unescaped(TAG.sub("", shown_there)).strip("\n")}
