"""What students are called here: as before, else by a name that is safe and nobody else's."""

import hashlib
import os
import unicodedata
from collections import Counter
from itertools import count
from pathlib import Path

from autograder.collect.handed_in import HandedIn
from autograder.course import Course
from autograder.intake.files import ignored
from autograder.store import read_json

LONGEST = 100  # bytes of a name, so that there is room for what is put around it
FORBIDDEN = frozenset('/\\:*?"<>|+[]')


def named(course: Course, topic: str, everybody: list[HandedIn]) -> dict[str, str]:
    """What everybody is called here: as before, else by the plain name where only they have it."""
    records = {path.stem: read_json(path) for path in record_of(course, topic, "").parent.glob("*.json")}
    students = {record["who"]: student for student, record in records.items() if record}
    here = {path.name for path in (course.path / "submitted").glob("*")}
    spelt = {_folded(name): name for name in sorted(here)}
    taken = {_folded(student) for student in students.values()}
    new = [one for one in everybody if one.who not in students]
    exactly = Counter(safe(one.plain) for one in new)
    alike = Counter(_folded(safe(one.plain)) for one in new)
    for one in new:
        name = safe(one.plain)
        known = name in here and exactly[name] == 1
        alone = alike[_folded(name)] == 1 and spelt.get(_folded(name), name) == name
        if not name or _folded(name) in taken or not (known or alone):
            name = safe(one.full)
            if not name or _folded(name) in taken or spelt.get(_folded(name), name) != name:
                digest = hashlib.sha256(one.who.encode("utf-8", "surrogatepass")).hexdigest()
                name = f"{safe(one.plain, LONGEST - 7) or 'student'}-{digest[:6]}"
        taken.add(_folded(name))
        students[one.who] = name
    return students


def record_of(course: Course, topic: str, student: str) -> Path:
    """Where is kept what a student is called in the source, and of what time the newest is."""
    return course.path / "collected" / topic / f"{student}.json"


def introduce(course: Course, everybody: dict[str, HandedIn]) -> None:
    """Tell nbgrader's gradebook the numbers by which Canvas or Moodle know these students."""
    numbers = {name: one.lms for name, one in everybody.items() if one.lms and name.endswith(f"_{one.lms}")}
    if not numbers:
        return
    with course.gradebook() as gradebook:
        known = {student.id: student.lms_user_id for student in gradebook.students}
        for name, number in numbers.items():
            if not known.get(name):
                gradebook.update_or_create_student(name, lms_user_id=number)


def safe(name: str, longest: int = LONGEST) -> str:
    """A name that is safe for a folder, for nbgrader and for the eye; perhaps nothing is left of it."""
    told = unicodedata.normalize("NFC", name)
    told = "".join(c if c.isprintable() and c not in FORBIDDEN else "-" for c in told)
    told = " ".join(told.split()).lstrip(".-~ ")
    return told.encode()[:longest].decode(errors="ignore").rstrip(". ")


def safe_file(name: str, taken: set[str]) -> str:
    """A safe name for a file, which no other has."""
    stem, suffix = os.path.splitext(name)
    stem, suffix = safe(stem, LONGEST - 20) or "file", safe(f"x{suffix}", 16)[1:]
    told = f"{stem}{suffix}"
    for number in count(2):
        if _folded(told) not in taken and not ignored(told):
            taken.add(_folded(told))
            return told
        told = f"{stem}-{number}{suffix}"


def _folded(name: str) -> str:
    """The same for names that some file system takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()
