"""Bringing in what students handed in: to `submitted/STUDENT/TOPIC/`, where nbgrader looks for it.

`places.py` reads folders and zip archives, `layouts.py` tells by the names in them what is whose, `names.py`
what students are called here; `handed_in.py` is what passes between them. How what was read gets to its
place is below.

Whichever number of Moodle's or Canvas's is in a name is also given to nbgrader's gradebook as `lms_user_id`,
by which `export` finds people in a roster.
"""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from autograder.collect.handed_in import STAMP, Collected, HandedIn
from autograder.collect.layouts import Source, entered, of_topic, opened, possible, seconds, submissions
from autograder.collect.names import introduce, named, record_of, safe_file
from autograder.collect.places import Zipped
from autograder.course import Course
from autograder.errors import CourseError
from autograder.intake.archives import ZIP, ZIP_ENTRY
from autograder.intake.files import MOST_ENTRIES, REGULAR, File, Found, ignored, read_folder
from autograder.intake.submission import Unreadable, shown
from autograder.store import read_json, write_json, write_whole

__all__ = ["Collected", "collect"]


def collect(course: Course, topic: str, source: Path) -> Iterator[Collected]:
    """Bring what was handed in for a topic into the course; yield what becomes of each.

    What is there already and older goes to `superseded/STUDENT/TOPIC/TIME/`; the same again changes nothing;
    what is older than what is there stays out. Stopped at any moment, the same call goes on.
    Raises CourseError where the source is no folder and no zip archive, or holds nothing for the topic.
    """
    with opened(Path(source)) as place, course.alone():
        odd, everybody = list(place.odd), []
        try:
            for found in submissions(place, topic):
                (odd if isinstance(found, Collected) else everybody).append(found)
        except Unreadable as why:
            raise CourseError(str(why)) from None
        if not odd and not everybody:
            raise CourseError(
                f"{source} holds nothing for {topic}: give a folder of STUDENT.ipynb or STUDENT/{topic}/, a "
                "download from Moodle or Canvas, or nbgrader's exchange"
            )
        yield from odd
        students = named(course, topic, everybody)
        introduce(course, {students[one.who]: one for one in everybody})
        for one in everybody:
            yield from _brought_in(course, topic, students[one.who], one, place)


def _brought_in(
    course: Course, topic: str, student: str, one: HandedIn, source: Source
) -> Iterator[Collected]:
    """Read what a student handed in and put it where it belongs."""
    found, name = Found(), shown(one.name)
    files = _files(one, source, topic, found)
    problems = list(dict.fromkeys(found.problems))
    if not files and not problems:
        problems = ["there is nothing in it that counts" if one.places else "it is text, not a file"]
    for problem in problems:
        yield Collected(student, "not understood", name, problem)
    if not files:
        return
    target = course.folder("submitted", student, topic)
    if target.parent.is_symlink() or (target.parent.exists() and not target.parent.is_dir()):
        yield Collected(student, "not understood", name, f"submitted/{student} is no folder: move it away")
        return
    record = record_of(course, topic, student)
    kept = read_json(record)
    there = _there(target)
    before = kept["time"] if kept else _stamp(_beginning(target / STAMP)) if there is not None else 0
    handed_in = one.time or _stamped(one, source) or possible(max(file.time for file in files))
    same = there == {file.name: file.data for file in files}
    if there is not None and not same and 0 < handed_in < before:
        why = f"it is of {_utc(handed_in)}, what is there of {_utc(before)}"
        yield Collected(student, "older", name, why)
        return
    if not kept or handed_in > before:
        write_json(record, {"who": one.who, "time": max(handed_in, before)})
    if not same:
        _put(course, topic, student, files, handed_in if one.timed else 0, before)
    yield Collected(student, "same" if same else "new" if there is None else "newer", name, one.remark)


def _files(one: HandedIn, source: Source, topic: str, found: Found) -> list[File]:
    """A student's files, oldest first, each under the name that it gets. The newest has the first choice."""
    files: list[File] = []
    for where, kept in one.places.items():
        seen = len(found.files)
        source.read(where, found)
        read = [replace(file, name=kept or _last(file)) for file in found.files[seen:]]
        files += [inner for file in read if not ignored(file.name) for inner in _inside(file, topic, found)]
    taken: set[str] = set()
    newest_first = sorted(files, key=lambda file: file.time, reverse=True)
    return [replace(file, name=safe_file(file.name, taken)) for file in newest_first][::-1]


def _last(file: File) -> str:
    return file.name.rpartition("/")[2]


def _inside(file: File, topic: str, outer: Found) -> list[File]:
    """What a student's zip archive holds for a topic; the archive itself where anything is wrong with it."""
    if file.data.startswith(ZIP) and file.data.count(ZIP_ENTRY) <= 4 * MOST_ENTRIES:
        found = Found(room=outer.room + len(file.data))
        # zipfile raises what it likes when an archive is damaged.
        with suppress(Exception), Zipped(io.BytesIO(file.data), MOST_ENTRIES) as archive:
            stem = os.path.splitext(file.name)[0]
            for name in of_topic(topic, entered(archive, stem).entries()):
                archive.read((name,), found)
            if found.files and not found.problems and not archive.odd:
                outer.room = found.room
                return [replace(inner, name=_last(inner), time=file.time) for inner in found.files]
    return [file]


def _there(target: Path) -> dict[str, bytes] | None:
    """What has been handed in before, by name; None where nothing, and empty where it is no plain files."""
    if not os.path.lexists(target):
        return None
    try:
        found = read_folder(target, "")
    except Unreadable:
        return {}
    return {} if found.problems else {_last(file): file.data for file in found.files}


def _put(
    course: Course, topic: str, student: str, files: list[File], handed_in: float, before: float
) -> None:
    """Put files in the place of what is there, which is kept; at no moment is anything half written."""
    new, target = course.path / ".collecting", course.folder("submitted", student, topic)
    shutil.rmtree(new, ignore_errors=True)
    for file in files:
        write_whole(new / file.name, file.data)
    if handed_in:
        told = datetime.fromtimestamp(handed_in, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
        write_whole(new / STAMP, told.encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        old = course.folder("superseded", student, topic)
        old.mkdir(parents=True, exist_ok=True)
        moment = _utc(before or os.lstat(target).st_mtime).replace(":", "-")
        names = (f"{moment}{f' {number}' if number > 1 else ''}" for number in count(1))
        os.rename(target, next(old / name for name in names if not os.path.lexists(old / name)))
    os.rename(new, target)


def _stamped(one: HandedIn, source: Source) -> float:
    """The time that a `timestamp.txt` beside the files tells; 0 where there is none."""
    found = Found()
    if one.stamp:
        source.read(one.stamp, found)
    return _stamp(found.files[0].data) if found.files else 0


def _stamp(data: bytes) -> float:
    return seconds(data[:100].decode("utf-8", "replace").strip())


def _beginning(path: Path) -> bytes:
    try:
        with open(os.open(path, REGULAR), "rb") as file:
            return file.read(100)
    except OSError:
        return b""


def _utc(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
