"""Files that are known by their SHA-256, and the place for those that are not shipped."""

import hashlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


class DataError(Exception):
    """Data that is missing or damaged: one sentence that says what to do."""


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def shipped(name: str, expected: str) -> bytes:
    """A file that is part of the course, held against its SHA-256.

    Raises DataError where it is missing or is not what was published.
    """
    path = HERE / name
    if not path.is_file():
        raise DataError(f"companion/data/{name} is missing: install the course again")
    data = path.read_bytes()
    if sha256(data) != expected:
        raise DataError(f"companion/data/{name} is not the file that was published: install the course again")
    return data


def cache() -> Path:
    """The folder of what is not shipped: `DECODER_DATA`, or else where the platform keeps caches."""
    if chosen := os.environ.get("DECODER_DATA"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        caches = "~/Library/Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "decoder-from-scratch"
