"""Where submissions are read from: a folder or a zip archive, with limits on everything."""

import os
import stat
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from autograder.collect.handed_in import STAMP, Collected, Place, odd
from autograder.errors import CourseError
from autograder.intake.archives import ZIP_ENTRY, plain_path, refused
from autograder.intake.files import DIRECTORY, MIB, MOST_ENTRIES, File, Found, ignored, read_entry
from autograder.intake.submission import Unreadable, shown

MOST = 20_000  # files and folders of a class
LARGEST_CLASS = 8 * 2**30  # bytes
MOST_CHARACTERS = 1000  # in the name of an archive's member


class Entry(NamedTuple):
    """An entry of a folder, as far as it is known without reading it."""

    is_folder: bool
    time: float = 0
    owner: int | None = None


class Folder:
    """A folder on disk. No link in it is followed."""

    def __init__(self, path: Path):
        self.path = path
        self.odd: list[Collected] = []

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_) -> None:
        pass

    def entries(self, *inside: str) -> dict[str, Entry]:
        """What lies in it, or in a folder inside; Unreadable where that cannot be told."""
        found = {}
        with self._at(inside) as folder, os.scandir(folder) as entries:
            for entry in islice(entries, MOST):
                status = entry.stat(follow_symlinks=False)
                found[entry.name] = Entry(stat.S_ISDIR(status.st_mode), status.st_mtime, status.st_uid)
        if len(found) == MOST:
            raise Unreadable(f"{shown('/'.join(inside)) or self.path} holds more than {MOST} files")
        return dict(sorted(found.items()))

    def read(self, place: Place, found: Found) -> None:
        """Add the file there, or the files of the folder there, to those found."""
        left = iter(range(MOST_ENTRIES))
        try:
            with self._at(place[:-1]) as folder:
                read_entry(place[-1], "/".join(place), folder, len(place) - 1, found, left)
        except Unreadable as why:
            found.problems.append(str(why))
        if next(left, None) is None:
            found.problems.append(f"{shown('/'.join(place))} holds more than {MOST_ENTRIES} files")

    @contextmanager
    def _at(self, inside: Place) -> Iterator[int]:
        folders = []
        try:
            folders.append(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for part in inside:
                folders.append(os.open(part, DIRECTORY, dir_fd=folders[-1]))
            yield folders[-1]
        except OSError as error:
            raise Unreadable(f"{shown('/'.join(inside))} cannot be opened ({reason(error)})") from None
        finally:
            for folder in folders:
                os.close(folder)


class Zipped:
    """A zip archive. It is read in memory, a student at a time, from the folder `top` on."""

    def __init__(self, file: Path | BinaryIO, most: int = MOST):
        self.archive = zipfile.ZipFile(file)
        self.odd: list[Collected] = []
        self.top: Place = ()
        self.members: dict[Place, zipfile.ZipInfo] = {}
        self.tree: dict[Place, dict[str, Entry]] = {}
        members = self.archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if len(members) > most or unpacked > LARGEST_CLASS:
            self.archive.close()
            raise ValueError(f"it holds more than {most} files, or more than {LARGEST_CLASS >> 30} GiB")
        for member in members:
            if not member.filename.endswith(("/", "\\")):
                self._add(member)

    def __enter__(self) -> "Zipped":
        return self

    def __exit__(self, *_) -> None:
        self.archive.close()

    def entries(self, *inside: str) -> dict[str, Entry]:
        """What lies in it, or in a folder inside."""
        return dict(sorted(self.tree.get((*self.top, *inside), {}).items()))

    def read(self, place: Place, found: Found) -> None:
        """Add the file there, or the files of the folder there, to those found."""
        whole = (*self.top, *place)
        if whole in self.members:
            self._read(self.members[whole], "/".join(place), found)
        for name in self.entries(*place):
            if not ignored(name):
                self.read((*place, name), found)

    def _add(self, member: zipfile.ZipInfo) -> None:
        name = unicodedata.normalize("NFC", _decoded(member)).replace("\\", "/")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if any(ignored(part) for part in parts if part != STAMP):
            return
        inside = name.removesuffix(STAMP).replace(":", "-") or "x"
        if not parts or len(name) > MOST_CHARACTERS or not plain_path(inside):
            self.odd.append(odd(name, "its name leads elsewhere, or too deep"))
            return
        if parts in self.members:
            self.odd.append(odd(name, "it is in the archive twice: the last one is taken"))
        self.members[parts] = member
        for deep, part in enumerate(parts):
            last = deep == len(parts) - 1
            entry = Entry(not last, _time_of(member) if last else 0)
            self.tree.setdefault(parts[:deep], {}).setdefault(part, entry)

    def _read(self, member: zipfile.ZipInfo, name: str, found: Found) -> None:
        why = refused(member)
        try:
            if not why:
                found.add(File(name, self.archive.read(member), _time_of(member)))
        except Exception:  # zipfile and its decoders raise what they like when an archive is damaged
            why = "is damaged"
        if why:
            found.problems.append(f"{shown(name)} {why}")


def zipped_at(path: Path) -> Zipped:
    """The archive at a path; CourseError where there is none, or one of too many files."""
    if not path.exists():
        raise CourseError(f"there is nothing at {path}: give the folder or the zip archive to collect from")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise CourseError(f"{path} is no folder and no zip archive")
    with path.open("rb") as file:
        parts = iter(lambda: file.read(MIB), b"")
        if sum(part.count(ZIP_ENTRY) for part in parts) > 4 * MOST:  # zipfile would take them all into memory
            raise CourseError(f"{path} holds more than {MOST} files")
    return Zipped(path)


def reason(error: Exception) -> str:
    """Why something cannot be opened, in a few words."""
    return shown(getattr(error, "strerror", None) or str(error))


def _decoded(member: zipfile.ZipInfo) -> str:
    """A member's name. Many tools write UTF-8, or Windows in China GBK, and do not say so."""
    name = member.filename
    if not member.flag_bits & 0x800 and not name.isascii():
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                told = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            if encoding == "utf-8" or all(c.isascii() or "\u4e00" <= c <= "\u9fff" for c in told):
                return told
    return name


def _time_of(member: zipfile.ZipInfo) -> float:
    """When a member was written, in the local time that archives hold; 0 where they do not say."""
    try:
        return time.mktime((*member.date_time, 0, 0, -1)) if member.date_time[0] > 1980 else 0
    except (ValueError, OverflowError):
        return 0
