"""From a file's bytes to the cells of a notebook, whatever has happened to them on the way."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from autograder.intake import scripts
from autograder.intake.damaged_json import leniently, strictly
from autograder.intake.python import Reader, pieces_of
from autograder.intake.repair import sides
from autograder.intake.submission import Cell, Unreadable, unescaped

MOST_CELLS = 3000
MOST_CHARACTERS = 8_000_000
LONGEST_CELL = 200_000
LONGEST_PIECE = 50_000
MOST_RAW_CELLS = 120_000

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Where the zero bytes stand in the first characters of a text in ASCII.
ZERO_BYTES = (
    (b"\1\0\0\0", "utf-32-le"), (b"\0\0\0\1", "utf-32-be"),
    (b"\1\0\1\0", "utf-16-le"), (b"\0\1\0\1", "utf-16-be"),
)  # fmt: skip
KINDS_OF_FILES = {
    b"%PDF": "a PDF", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"\x7fELF": "a program", b"{\\rtf": "a text of a word processor", b"SQLite format 3": "a database",
}  # fmt: skip
WORDS_OF_A_NOTEBOOK = (
    "cells|cell_type|worksheets|nbformat|nbformat_minor|metadata|source|type|content|notebook"
)
EMBEDDED = re.compile(rf'[\[{{]\s{{0,80}}(?:\{{\s{{0,80}})?\\?"(?:{WORDS_OF_A_NOTEBOOK})\\?"')
NAMES = ("cell_type", "execution_count", "id", "metadata", "outputs", "attachments")
SOURCES = ("source", "input", "code", "text", "value", "content")


@dataclass
class Notebook:
    """The cells found in a file, and what was wrong with it, a sentence each."""

    cells: list[Cell] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    damaged: bool = False


def read(data: bytes, matters: frozenset[str], reader: Reader) -> Notebook:
    """The notebook in a file's bytes; `matters` are names and ids by which its cells can be told.

    Raises Unreadable where there is none.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("the file is empty")
    for start, kind in KINDS_OF_FILES.items():
        if data.startswith(start):
            raise Unreadable(f"it is {kind}, no notebook")
    notebook = Notebook()
    text = _decoded(data, notebook)
    both = sides(text)
    if both:
        notebook.flags.append("It holds two versions that git could not merge.")
        ours, theirs = (_cells_in(side, matters, reader, notebook) for side in both)
        notebook.cells = _merged(ours, theirs)
    else:
        notebook.cells = _cells_in(text, matters, reader, notebook)
    if not any(cell.source.strip() for cell in notebook.cells):
        raise Unreadable("all of its cells are empty" if notebook.cells else "the notebook has no cells")
    return notebook


def from_value(value: Any, matters: frozenset[str], reader: Reader) -> Notebook:
    """The notebook in a value that JSON has given; Unreadable where there is none."""
    notebook = Notebook()
    raw = _raw_cells(value)
    if raw is None:
        raise Unreadable("it is no notebook")
    notebook.cells = _cells(raw, matters, reader, notebook)
    if not any(cell.source.strip() for cell in notebook.cells):
        raise Unreadable("all of its cells are empty" if notebook.cells else "the notebook has no cells")
    return notebook


def _decoded(data: bytes, notebook: Notebook) -> str:
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), "")
    if not encoding and data[:4].count(0):
        zeros = bytes(bool(byte) for byte in data[:4])
        encoding = next((name for pattern, name in ZERO_BYTES if zeros == pattern), "")
    if encoding:
        text = data.decode(encoding, "replace")
    else:
        encoding = "utf-8"
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text, encoding = _decoded_badly(data)
    if encoding != "utf-8":
        notebook.repairs.append(f"The file was not in UTF-8; it was read as {encoding}.")
    return _clean(text.removeprefix("\ufeff"))


def _decoded_badly(data: bytes) -> tuple[str, str]:
    """UTF-8 where most of it is, else the encoding of old Windows programs."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    if wrong < sum(not character.isascii() for character in text) - wrong:
        return text, "damaged UTF-8"
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def _clean(text: str) -> str:
    """Text with plain line ends, without zero characters and without halves of a surrogate pair."""
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\0" in text:
        text = text.replace("\0", "")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _cells_in(text: str, matters: frozenset[str], reader: Reader, notebook: Notebook) -> list[Cell]:
    raw = _raw_cells_in(text, reader, notebook)
    if raw is not None:
        return _cells(raw, matters, reader, notebook)
    if "<pre" in text and re.search(r"<(?:!doctype|html|body|div)\b", text[:20_000], re.IGNORECASE):
        notebook.repairs.append("It is a web page; its code was read from there.")
        return _cells(scripts.cells_of_page(text), matters, reader, notebook)
    if scripts.has_fences(text) and not reader.parsed(text):
        notebook.repairs.append("It is a text in Markdown; its code was read from there.")
        return _cells(scripts.cells_of_markdown(text), matters, reader, notebook)
    if not _is_python(text, matters, reader):
        raise Unreadable("it is no notebook")
    notebook.repairs.append("It is a Python file, not a notebook; it was divided into cells.")
    return _cells(scripts.cells_of_python(text, reader), matters, reader, notebook)


def _raw_cells_in(text: str, reader: Reader, notebook: Notebook) -> list | None:
    """The cells of a text that is JSON, or holds some."""
    begin = text.lstrip()[:1]
    try:
        if begin and begin in '{["':
            value = strictly(text)
            raw = _raw_cells(value)
            if raw is None and isinstance(value, dict | list):
                raise Unreadable("it is JSON, but no notebook")
            if raw is not None:
                return raw
    except (ValueError, RecursionError):
        pass
    if begin not in '{["' and reader.parsed(text):
        return None
    for candidate in (text, unescaped(text) if "&quot;" in text or "&#34;" in text else ""):
        if not (match := EMBEDDED.search(candidate)):
            continue
        part = candidate[match.start() :]
        if part.find('"') == part.find('\\"') + 1:
            part = part.replace('\\"', '"').replace("\\\\", "\\")
        if raw := _all_cells(leniently(part)):
            notebook.repairs.append("The file was damaged; what can be read of it was read.")
            notebook.damaged = True
            return raw
    return None


def _all_cells(values: list) -> list[dict]:
    """Everything in these values that looks like a cell, wherever damage has put it, each once, in order."""
    cells, todo = {}, [values]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            if _is_cell(value) and ("cell_type" in value or len(value) > 2):
                cells.setdefault((str(value.get("cell_type"))[:20], _source_of(value)), value)
            value = list(value.values())
        if isinstance(value, list):
            todo += [inside for inside in reversed(value) if isinstance(inside, dict | list)]
    return list(cells.values())


def _raw_cells(value: Any, depth: int = 0) -> list | None:
    """The cells of a notebook of any version, wherever it is in a value; None where there is none."""
    if depth > 4:
        return None
    if isinstance(value, str):
        return _raw_cells_in_text(value, depth)
    if isinstance(value, dict):
        for key in ("cells", "worksheets"):
            inside = value.get(key)
            if isinstance(inside, dict):
                inside = [inside[k] for k in sorted(inside, key=_as_number)]
            if isinstance(inside, list) and key == "worksheets":
                sheets = [_raw_cells(sheet, depth + 1) or [] for sheet in inside[:100]]
                return [cell for sheet in sheets for cell in sheet]
            if isinstance(inside, list):
                return inside
        if _is_cell(value):
            return [value]
        found = (
            _raw_cells(inside, depth + 1)
            for inside in list(value.values())[:50]
            if isinstance(inside, dict | str)
        )
        return next((cells for cells in found if cells is not None), None)
    if isinstance(value, list):
        if any(_is_cell(item) for item in value):
            notebooks = [item for item in value if isinstance(item, dict) and "cells" in item]
            return (
                [item for item in value if _is_cell(item)]
                if not notebooks
                else _raw_cells(notebooks[0], depth + 1)
            )
        found = (_raw_cells(item, depth + 1) for item in value[:50] if isinstance(item, dict | list))
        return next((cells for cells in found if cells is not None), None)
    return None


def _raw_cells_in_text(text: str, depth: int) -> list | None:
    """The cells of a notebook that was written as a string of JSON, or in base64."""
    if '"cell' not in text and '"worksheets"' not in text and '\\"cell' not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode() if len(text) > 200 else ""
        except (binascii.Error, ValueError):
            return None
    try:
        return _raw_cells(strictly(text), depth + 1) if text else None
    except (ValueError, RecursionError):
        return None


def _as_number(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() and len(key) < 10 else (10**10, key)


def _is_cell(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "cells" not in value
        and ("cell_type" in value or "source" in value or "input" in value)
    )


def _cells(raw: Iterable[Any], matters: frozenset[str], reader: Reader, notebook: Notebook) -> list[Cell]:
    """The cells themselves, as many as may be kept; those that matter are kept first."""
    cells = [_cell(item, matters, reader, notebook) for item in islice(raw, MOST_RAW_CELLS)]
    if len(cells) <= MOST_CELLS and sum(len(cell.source) for cell in cells) <= MOST_CHARACTERS:
        return cells
    notebook.repairs.append("The notebook was too long; cells that no exercise needs were left out.")
    order = sorted(range(len(cells)), key=lambda index: (not _matters(cells[index], matters), index))
    kept, characters = [], 0
    for index in order:
        characters += len(cells[index].source)
        if characters <= MOST_CHARACTERS and cells[index].source.strip():
            kept.append(index)
        if len(kept) == MOST_CELLS:
            break
    return [cells[index] for index in sorted(kept)]


def _matters(cell: Cell, matters: frozenset[str]) -> bool:
    return cell.grade_id in matters or cell.cell_id in matters or any(name in cell.source for name in matters)


def _cell(raw: Any, matters: frozenset[str], reader: Reader, notebook: Notebook) -> Cell:
    if not isinstance(raw, dict):
        raw = {"source": raw}
    source = _clean(_source_of(raw))
    if len(source) > LONGEST_CELL:
        source = _shortened(source)
        notebook.repairs.append("A cell was too long; its longest parts were left out.")
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    graded = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    tags = metadata.get("tags") if isinstance(metadata.get("tags"), list) else []
    kind = raw.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        kind = "markdown" if kind in ("heading", "html") else _guessed_kind(raw, source, matters, reader)
    return Cell(
        kind,
        source,
        _id(graded.get("grade_id")),
        _id(raw.get("id")) or _id(metadata.get("id")),
        tuple(tag for tag in tags[:20] if isinstance(tag, str) and len(tag) < 50),
    )


def _id(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 200 else ""


def _source_of(raw: dict) -> str:
    """A cell's source, under whatever name; where the name is damaged, whatever looks like lines."""
    source = next((raw[key] for key in SOURCES if raw.get(key) is not None), None)
    if source is None:
        source = max(
            (v for k, v in raw.items() if k not in NAMES and isinstance(v, list)), key=len, default=""
        )
    return _joined(source)


def _joined(source: Any, depth: int = 0) -> str:
    """A source of any shape as a text; lines without line ends get them."""
    if isinstance(source, str):
        return source
    if isinstance(source, dict):
        source = [source[key] for key in sorted(source, key=lambda key: _as_number(str(key)))]
    if isinstance(source, list | tuple) and depth < 5:
        parts = [_joined(part, depth + 1) for part in source]
        ended = any(part.endswith("\n") for part in parts[:-1])
        return ("" if ended else "\n").join(parts)
    return "" if source is None or isinstance(source, list) else str(source)


def _shortened(source: str) -> str:
    kept, room = [], LONGEST_CELL
    for piece in pieces_of(source):
        if len(piece) <= min(LONGEST_PIECE, room):
            kept.append(piece)
            room -= len(piece)
    return "".join(kept) or source[:LONGEST_CELL]


def _guessed_kind(raw: dict, source: str, matters: frozenset[str], reader: Reader) -> str:
    """The kind of a cell that does not say it, or says something unknown."""
    if "outputs" in raw or "execution_count" in raw or raw.get("kind") == 2 or "input" in raw:
        return "code"
    return "code" if _is_python(source, matters, reader) else "markdown"


def _is_python(text: str, matters: frozenset[str], reader: Reader) -> bool:
    defined = re.findall(
        r"^[ \t>.]*(?:def|class)[ \t]+(\w+)|^(\w+)[ \t]*=", text[:MOST_CHARACTERS], re.MULTILINE
    )
    return any(matters & set(names) for names in defined) or reader.parsed(text) is not None


def _merged(ours: list[Cell], theirs: list[Cell]) -> list[Cell]:
    """All cells of two versions, in order: what is only in the second stands after what it followed there."""
    place = {cell.source: index for index, cell in enumerate(ours)}
    after: dict[int, list[Cell]] = {}
    last = -1
    for cell in theirs:
        if cell.source in place:
            last = place[cell.source]
        else:
            after.setdefault(last, []).append(cell)
    merged = list(after.get(-1, []))
    for index, cell in enumerate(ours):
        merged += [cell, *after.get(index, [])]
    return merged
