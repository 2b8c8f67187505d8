"""Reading what strangers have put into a folder: regular files only, no links, nothing without a limit."""

import os
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from autograder.intake.submission import Unreadable, shown

MIB = 2**20
LARGEST = 20 * MIB
LARGEST_IN_ALL = 60 * MIB
MOST_ENTRIES = 500
DEEPEST = 4
IGNORED = (".ipynb_checkpoints", "__MACOSX", ".DS_Store", "__pycache__", "timestamp.txt")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
REGULAR = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
KINDS = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


@dataclass(frozen=True)
class File:
    """A file's bytes. `time` is when it was last written, in seconds, `depth` how many folders deep it is."""

    name: str
    data: bytes
    time: float = 0
    depth: int = 0


@dataclass
class Found:
    """The files of a submission, and why others could not be read, as fragments of a sentence."""

    files: list[File] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    room: int = LARGEST_IN_ALL

    def add(self, file: File) -> None:
        """Keep a file, as long as there is room for it."""
        if len(file.data) > self.room:
            self.problems.append("it is larger than 60 MiB in all")
            return
        self.room -= len(file.data)
        self.files.append(file)


def ignored(name: str) -> bool:
    """Whether a file or a folder is only what editors and systems leave behind."""
    return name in IGNORED or name.startswith("._") or name.endswith(("~", ".swp", ".bak"))


def read_folder(folder: Path, expected: str) -> Found:
    """What lies in `submitted/STUDENT/TOPIC`, the expected file first; Unreadable where that is no folder.

    The directory `submitted` is ours; what is below it is the student's, and no link in it is followed.
    """
    folder = Path(os.path.abspath(folder))
    above: list[int] = []
    try:
        above.append(os.open(folder.parent.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in (folder.parent.name, folder.name):
            above.append(_opened(part, above[-1]))
        found = Found()
        left = iter(range(MOST_ENTRIES))
        if expected:
            read_entry(expected, expected, above[-1], 0, found, left)
        _read_entries("", above[-1], 0, found, left, besides=expected)
        return found
    except FileNotFoundError:
        raise Unreadable("nothing was handed in") from None
    except PermissionError:
        raise Unreadable("its folder may not be read") from None
    finally:
        for descriptor in above:
            os.close(descriptor)


def _opened(name: str, above: int) -> int:
    try:
        return os.open(name, DIRECTORY, dir_fd=above)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError:
        raise Unreadable(f"{shown(name)} is {_kind(name, above)}, no folder") from None


def _kind(name: str, above: int) -> str:
    """What an entry of a folder is, with its article."""
    try:
        mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
    except OSError:
        return "gone"
    return "a " + KINDS.get(stat.S_IFMT(mode), "file" if stat.S_ISREG(mode) else "device")


def _read_entries(path: str, folder: int, depth: int, found: Found, left, besides: str = "") -> None:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in islice(entries, MOST_ENTRIES))
    for name in names:
        if name != besides and not ignored(name):
            if next(left, None) is None:
                return
            read_entry(name, path + name, folder, depth, found, left)


def read_entry(name: str, path: str, folder: int, depth: int, found: Found, left) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            _read_file(name, path, folder, depth, found)
        elif stat.S_ISDIR(status.st_mode) and depth < DEEPEST:
            inside = os.open(name, DIRECTORY, dir_fd=folder)
            try:
                before = len(found.files) + len(found.problems)
                _read_entries(path + "/", inside, depth + 1, found, left)
                if before == len(found.files) + len(found.problems):
                    found.problems.append(f"{shown(path)} is a folder with nothing in it")
            finally:
                os.close(inside)
        else:
            what = _kind(name, folder)
            found.problems.append(
                f"{shown(path)} is {what}" + ", and links are not followed" * (what == "a link")
            )
    except FileNotFoundError:
        pass
    except OSError as error:
        found.problems.append(f"{shown(path)} cannot be opened ({shown(error.strerror or '')})")


def _read_file(name: str, path: str, folder: int, depth: int, found: Found) -> None:
    descriptor = os.open(name, REGULAR, dir_fd=folder)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            found.problems.append(f"{shown(path)} is no file")
        elif status.st_size > LARGEST:
            found.problems.append(f"{shown(path)} is larger than {LARGEST // MIB} MiB")
        elif found.room <= 0:
            found.problems.append("it is larger than 60 MiB in all")
        else:
            found.add(File(path, file.read(LARGEST), status.st_mtime, depth))
