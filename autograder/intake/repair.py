"""Mending a cell that is no Python, where one of the usual accidents explains it.

A repair is kept only where the source, or a piece of it, is Python afterwards.
"""

import re
from collections.abc import Callable

from autograder.intake.python import MOST_PIECES, Reader, pieces_of
from autograder.intake.submission import unescaped

INVISIBLE = dict.fromkeys(
    [*range(0x00, 0x09), 0x0C, *range(0x0E, 0x20), 0x7F, 0xAD, 0x061C, 0x180E, *range(0x200B, 0x2010),
     *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFFD], None
)  # fmt: skip
BLANK = dict.fromkeys([0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
LINE_ENDS = dict.fromkeys([0x0B, 0x85, 0x2028, 0x2029], "\n")
CHARACTERS = INVISIBLE | BLANK | LINE_ENDS

QUOTES = str.maketrans("“”„‟«»＂″‘’‚‛＇′`´", '""""""""' + "''''''''")
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
PUNCTUATION = FULL_WIDTH | str.maketrans(
    {"、": ",", "。": ".", "【": "[", "】": "]", "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-",
     "…": "...", "≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "·": "*", "→": "->"}
)  # fmt: skip
TEXT = re.compile(
    r'"""(?>[^"\\]+|\\.|"(?!""))*+(?:"""|\Z)|\'\'\'(?>[^\'\\]+|\\.|\'(?!\'\'))*+(?:\'\'\'|\Z)'
    r'|"(?>[^"\\\n]+|\\.)*+"?|\'(?>[^\'\\\n]+|\\.)*+\'?|#[^\n]*',
    re.DOTALL,
)
FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$\n?", re.MULTILINE)
FENCED_CODE = re.compile(r"^[ \t]*```[^\n]*\n((?>(?![ \t]*```)[^\n]*\n?)*+)", re.MULTILINE)
CONFLICT = re.compile(r"^(<<<<<<<|\|\|\|\|\|\|\||=======|>>>>>>>)(?: .*)?$")


def mended(source: str, reader: Reader) -> tuple[str, tuple[str, ...]]:
    """A source, mended where it is no Python and can be, and what was wrong, each in a few words."""
    if reader.parsed(source) or not reader.affords(source):
        return source, ()
    whole, wrong = _mended(source, reader)
    if wrong:
        return whole, wrong
    pieces = list(pieces_of(source))
    if not 1 < len(pieces) <= MOST_PIECES:
        return source, ()
    parts, wrong = [], ()
    for piece in pieces:
        part, why = (piece, ()) if reader.parsed(piece) else _mended(piece, reader)
        parts.append(part)
        wrong += tuple(w for w in why if w not in wrong)
    return ("".join(parts), wrong) if wrong else (source, ())


def _mended(source: str, reader: Reader) -> tuple[str, tuple[str, ...]]:
    wrong = ()
    for words, repair in REPAIRS:
        after = repair(source)
        if after == source:
            continue
        source, wrong = after, (*wrong, words)
        if reader.parsed(source):
            return source, wrong
    return source, ()


def sides(text: str) -> tuple[str, str] | None:
    """The two sides of a text that git could not merge; None where there is no conflict in it."""
    if "<<<<<<<" not in text or ">>>>>>>" not in text:
        return None
    ours, theirs, side = [], [], ""
    marks = set()
    for line in text.split("\n"):
        if mark := CONFLICT.match(line.rstrip()):
            side = {"<": "ours", "|": "base", "=": "theirs", ">": ""}[mark[1][0]]
            marks.add(mark[1][0])
            continue
        if side in ("", "ours"):
            ours.append(line)
        if side in ("", "theirs"):
            theirs.append(line)
    return ("\n".join(ours), "\n".join(theirs)) if {"<", ">"} <= marks else None


def _one_side(source: str) -> str:
    both = sides(source)
    return both[0] if both else source


def _outside_texts(table: dict) -> Callable[[str], str]:
    """Translate characters except in strings and comments."""

    def translated(source: str) -> str:
        parts, end = [], 0
        for text in TEXT.finditer(source):
            parts += [source[end : text.start()].translate(table), text[0]]
            end = text.end()
        return "".join([*parts, source[end:].translate(table)])

    return translated


def _without_fences(source: str) -> str:
    """What stands between Markdown's fences; where there is only one, what is around it."""
    parts = FENCE.split(source)
    return "\n".join(parts[1::2]) if len(parts) > 2 else "".join(parts)


def _unescaped(source: str) -> str:
    return re.sub(r'\\([n"t\\])', lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), source)


def _one_line_unescaped(source: str) -> str:
    return _unescaped(source) if "\n" not in source.strip() else source


REPAIRS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("invisible characters", lambda source: source.translate(CHARACTERS)),
    ("tabs among spaces", lambda source: source.expandtabs(8) if "\t" in source else source),
    ("Markdown's fences", _without_fences),
    ("curly quotes", _outside_texts(QUOTES)),
    ("punctuation of another script", _outside_texts(PUNCTUATION)),
    ("curly quotes", lambda source: source.translate(QUOTES)),
    ("characters escaped for a web page", lambda source: unescaped(source) if "&" in source else source),
    ("line ends written as \\n", _one_line_unescaped),
    ("the marks of a git conflict", _one_side),
)
