"""JSON that is damaged: whatever can be recognised in it is kept, nothing is ever refused."""

import json
import re
from typing import Any

MOST_TOKENS = 600_000
DEEPEST = 50
TOKEN = re.compile(r'"(?>[^"\\\n]+|\\.)*+"?|[\[\]{}:,]|[-+\w.]+')
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
WORDS = {"true": True, "false": False}
REPEATED = ("cell_type", "source")


def strictly(text: str) -> Any:
    """The value of a JSON text; ValueError or RecursionError where it is none.

    Of a name that is there twice, the last value that is not empty counts; of two lists of cells both do.
    """
    return json.loads(text, strict=False, parse_int=_whole_number, object_pairs_hook=_object)


def leniently(text: str) -> list:
    """The values of a text that is no JSON, as far as they can be made out.

    Commas and brackets may be missing, too many or wrong, the text may begin or end anywhere. A string
    ends at the end of its line, so that a missing quote spoils no more than that.
    """
    reader = _Lenient()
    for number, token in enumerate(TOKEN.finditer(text)):
        if number > MOST_TOKENS:
            break
        reader.take(token[0])
    return reader.values


def _whole_number(digits: str) -> int:
    return int(digits) if len(digits) < 20 else 0


def _object(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found = {}
    for key, value in pairs:
        before = found.get(key)
        if key in ("cells", "worksheets") and isinstance(before, list) and isinstance(value, list):
            before.extend(value)
        elif value or key not in found:
            found[key] = value
    return found


class _Lenient:
    """Builds values from tokens, closing what was left open where the next token makes it plain."""

    def __init__(self):
        self.values: list = []
        self.open: list[list | dict] = [self.values]
        self.keys: list[str | None] = [None]
        self.skipped = 0

    def take(self, token: str) -> None:
        match token[0]:
            case "{" | "[":
                self._begin({} if token == "{" else [])
            case "}" | "]":
                self._end(dict if token == "}" else list)
            case ":":
                self._colon()
            case ",":
                self.keys[-1] = None
            case '"':
                self._string(_text(token))
            case _:
                self._value(WORDS.get(token))

    def _begin(self, child: list | dict) -> None:
        if self.skipped or len(self.open) > DEEPEST:
            self.skipped += 1
            return
        while isinstance(self.open[-1], dict) and self.keys[-1] is None:
            self._close()
        top, key = self.open[-1], self.keys[-1]
        if key == "cells" and isinstance(top, dict) and isinstance(top.get(key), list) and child == []:
            child = top[key]
        self._value(child)
        self.open.append(child)
        self.keys.append(None)

    def _end(self, kind: type) -> None:
        if self.skipped:
            self.skipped -= 1
        elif any(isinstance(value, kind) for value in self.open[1:]):
            while not isinstance(self.open[-1], kind):
                self._close()
            self._close()

    def _close(self) -> None:
        if len(self.open) > 1:
            self.open.pop()
            self.keys.pop()

    def _colon(self) -> None:
        """A colon in a list: its last string was a name, and the list should have been closed before."""
        top = self.open[-1]
        if (
            not self.skipped
            and isinstance(top, list)
            and top
            and isinstance(top[-1], str)
            and len(self.open) > 1
        ):
            key = top.pop()
            self._close()
            if isinstance(self.open[-1], dict):
                self.keys[-1] = key

    def _string(self, text: str) -> None:
        if not self.skipped and isinstance(self.open[-1], dict) and self.keys[-1] is None:
            self.keys[-1] = text
        else:
            self._value(text)

    def _value(self, value: Any) -> None:
        if self.skipped:
            return
        top = self.open[-1]
        if isinstance(top, list):
            top.append(value)
        elif self.keys[-1] is not None:
            self._cell_for(self.keys[-1])[self.keys[-1]] = value
            self.keys[-1] = None

    def _cell_for(self, key: str) -> dict:
        """The open object, or a new one beside it where a second cell has begun without a bracket."""
        above = self.open[-2]
        if key in REPEATED and key in self.open[-1] and isinstance(above, list):
            self.open[-1] = {}
            above.append(self.open[-1])
        return self.open[-1]


def _text(token: str) -> str:
    """What a string of JSON says, cut off or not."""
    closed = len(token) > 1 and token.endswith('"')
    inside = token[1:-1] if closed else token[1:].rstrip(", ")
    return ESCAPE.sub(_character, inside) if "\\" in inside else inside


def _character(escape: re.Match) -> str:
    letter = escape[1]
    return chr(int(letter[1:], 16)) if len(letter) == 5 else ESCAPED.get(letter, letter)
