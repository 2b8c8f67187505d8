"""What has been worked out, kept on disk by the hash of what it was worked out from.

Files are written whole or not at all: under another name first, and then renamed. Whoever is killed leaves
nothing half done, and the next one finds what is there.
"""

import functools
import hashlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from autograder.chapters import ROOT

# What a verdict depends on besides the submission: checks, solutions, and the code in between.
CODE = ("autograder/exercises", "autograder/sandbox", "autograder/verdict.py", "autograder/examination.py")


class Store:
    """Results by key, in a directory of a course."""

    def __init__(self, path: Path):
        self.path = path

    def get(self, key: str) -> dict | None:
        """The result kept under a key; None where there is none."""
        return read_json(self._file(key))

    def put(self, key: str, result: dict) -> None:
        write_json(self._file(key), result)

    def _file(self, key: str) -> Path:
        return self.path / key[:2] / f"{key}.json"


def key_of(*parts: str) -> str:
    """A key for results that depend on these texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def environment(topic: str) -> str:
    """A text that changes when the same answer may get another verdict: with code, solutions or torch."""
    digest = hashlib.sha256()
    solutions = ROOT / "solutions"
    places = [ROOT / place for place in CODE] + [solutions / f"{topic}.py"]
    files = [file for place in places for file in ([place] if place.is_file() else place.glob("*.py"))]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return f"{digest.hexdigest()} torch {version('torch')} python {platform.python_version()}"


def read_json(path: Path) -> Any:
    """What a file of ours holds; None where there is none, or none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is the old one or the new one at any moment, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
