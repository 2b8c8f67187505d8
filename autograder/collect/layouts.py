"""How Moodle, Canvas, nbgrader's exchange and people name what students hand in.

- nbgrader's exchange: `STUDENT+TOPIC+TIME+RANDOM/`, of which the newest counts;
- what Moodle downloads: `First Last_123_assignsubmission_file_/name.ipynb`, or the same without folders;
- what Canvas downloads: `lastfirst_LATE_123_456_name-1.ipynb`;
- anything else: `STUDENT/TOPIC/name.ipynb`, `STUDENT/name.ipynb`, `STUDENT.ipynb`, `STUDENT_TOPIC.ipynb`,
  `NN_TOPIC_STUDENT.ipynb`, or an archive with any of these names.

Moodle's number belongs to the submission, not to the student: it is another one in each assignment. So who
comes from Moodle is called by name, and only where two share a name by name and number. Canvas's first number
is the student's own, and stays in the name.

Moodle and Canvas write the time of the download on every file. So their times tell which of two downloads is
newer, but are not passed on to nbgrader as the time of handing in.

Sources: Moodle, mod/assign/classes/downloader.php, mod/assign/locallib.php (assign_user_mapping) and
lib/zipstream; Canvas, lib/content_zipper.rb; nbgrader, exchange/default/submit.py and collect.py.
"""

import os
import pwd
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC
from functools import cache
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.chapters import chapter_path, chapter_paths
from autograder.collect.handed_in import STAMP, Collected, HandedIn, odd
from autograder.collect.places import Entry, Folder, Zipped, reason, zipped_at
from autograder.errors import CourseError
from autograder.intake.files import ignored
from autograder.intake.submission import Unreadable, shown

LAST_YEAR = 253_000_000_000  # 9987, as seconds

MOODLE = re.compile(
    r"(?P<who>(?P<name>.+?)(?:_(?P<number>\d+))?)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?"
)
CANVAS = re.compile(r"(?P<name>.*?)(?:_LATE)?_(?P<number>[1-9]\d*)_(?P<file_id>[1-9]\d*)_(?P<file>.+)")
CANVAS_HIDDEN = re.compile(r"(?:LATE_)?(?P<name>anon_[A-Za-z0-9]+)_(?P<file_id>[1-9]\d*)_(?P<file>.+)")
CANVAS_TEXT = re.compile(r".+_(?:text|link)\.html")
NUMBERED = re.compile(r"-\d+(?=(?:\.[^.]*)?$)")  # what Canvas puts behind a name that it has already
NOTEBOOK_OR_ARCHIVE = re.compile(
    r"(.+?)((?:\.(?:ipynb|json|py|zip|tar|tgz|gz|bz2|xz|7z|rar))(?:\.(?:zip|gz|bz2|xz|txt))?)"
)
COPY = re.compile(r"\s*\(\d+\)$")

Source = Folder | Zipped
Students = dict[str, HandedIn]
# A student's files that are versions of one another: by student and name, each a time or number, what the
# source calls it, and the name to be kept under.
Versions = dict[tuple[str, str], list[tuple[float, str, str]]]


def opened(path: Path) -> Source:
    """What is at a path, from the folder on that students are in; CourseError where it cannot be read."""
    try:
        return Folder(_inbound(path)) if path.is_dir() else entered(zipped_at(path), path.stem)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise CourseError(f"{path} cannot be read: {reason(error)}") from None


def _inbound(path: Path) -> Path:
    """Where students hand in, in nbgrader's exchange or a course in it; of any other folder, itself."""
    folders = [inside for inside in path.iterdir() if inside.is_dir() and not inside.name.startswith(".")]
    courses = [course / "inbound" for course in (path, *folders) if (course / "inbound").is_dir()]
    if courses and courses[0].parent != path and len(courses) < len(folders):
        return path  # only some of them look like courses: they are students
    if len(courses) > 1:
        raise CourseError(f"{path} is the exchange of {len(courses)} courses: give the folder of yours")
    return courses[0] if courses else path


def entered(archive: Zipped, name: str) -> Zipped:
    """An archive, from the folder on that all of it lies in, if that is no student's: many have one."""
    top, *others = archive.entries() or [""]
    inside = archive.entries(top)
    if inside and not others and not MOODLE.fullmatch(top) and not _exchanged(top):
        folders = all(entry.is_folder and not _chapters(told) for told, entry in inside.items())
        if folders or top == name or _is_chapter(top):
            archive.top = (top,)
    return archive


def submissions(source: Source, topic: str) -> Iterator[HandedIn | Collected]:
    """What everybody handed in for a topic, and what is odd; Unreadable where that cannot be told."""
    return _kind(source)(source, topic)


def of_topic(topic: str, entries: dict[str, Entry]) -> list[str]:
    """What of a student's folder is for a topic: the folder called like it, else what is for no other."""
    own = [name for name, entry in entries.items() if entry.is_folder and _is_chapter(name) == topic]
    seen = [name for name in entries if not ignored(name) and not name.startswith(".")]
    return own[:1] or [name for name in seen if not _chapters(name) or topic in _chapters(name)]


def seconds(told: str) -> float:
    """A time as nbgrader writes it, in seconds; 0 where it is none. It is a stranger's text."""
    if len(told) > 60 or not told[:4].isdecimal() or re.search(r" /|\.\.", told):  # a zone that is a path
        return 0
    try:
        return possible(parse_utc(told).replace(tzinfo=UTC).timestamp())
    except Exception:  # a parser that raises whatever comes
        return 0


def possible(time: float) -> float:
    """A time that can be written down; 0 where it cannot."""
    return time if 0 < time < LAST_YEAR else 0


def _kind(source: Source) -> Callable[[Source, str], Iterator[HandedIn | Collected]]:
    """Which of the four kinds a source is, as the function that reads its names."""
    entries = {name: entry for name, entry in source.entries().items() if not ignored(name)}
    if any(entry.is_folder and _exchanged(name) for name, entry in entries.items()):
        return _from_exchange
    enough = max(1, len(entries) / 2)
    if sum(MOODLE.fullmatch(name) is not None for name in entries) >= enough:
        return _from_moodle
    ids = [match["file_id"] for match in map(_canvas, entries) if match]
    all_differ = len(set(ids)) == len(ids)  # dates, which look like numbers of Canvas, come again
    return _from_canvas if len(ids) >= enough and all_differ else _from_folder


def _from_exchange(source: Source, topic: str) -> Iterator[HandedIn | Collected]:
    newest: Students = {}
    for name, entry in source.entries().items():
        who, _, rest = name.partition(f"+{topic}+")
        if time := seconds(rest.partition("+")[0]):
            if who not in newest or newest[who].time < time:
                remark = _of_another(who, entry)
                newest[who] = HandedIn(who, who, places={(name,): ""}, time=time, remark=remark)
        elif not _exchanged(name) and not ignored(name):
            yield odd(name, "nbgrader's exchange would not call a submission that")
    yield from newest.values()


def _exchanged(name: str) -> bool:
    """Whether nbgrader's exchange would call a submission that."""
    parts = name.rsplit("+", 3)
    return len(parts) > 2 and any(seconds(part) for part in parts[-2:])


def _of_another(who: str, entry: Entry) -> str:
    """What to say where a submission belongs to somebody else, as `nbgrader collect` does."""
    if entry.owner in (None, os.getuid()):
        return ""
    try:
        owner = pwd.getpwuid(entry.owner).pw_name
    except KeyError:
        owner = f"user {entry.owner}"
    return "" if owner == who else f"it says it is by {shown(who)}, but belongs to {owner} on this machine"


def _from_moodle(source: Source, topic: str) -> Iterator[HandedIn | Collected]:
    everybody: Students = {}
    for name in source.entries():
        if match := MOODLE.fullmatch(name):
            who, number = match["who"], match["number"] or ""
            one = everybody.setdefault(who, HandedIn(who, match["name"], who, number, timed=False))
            if match["kind"] == "file":
                one.places[(name,)] = match["file"] or ""
        elif not ignored(name):
            yield odd(name, "Moodle would not call a submission that")
    yield from everybody.values()


def _from_canvas(source: Source, topic: str) -> Iterator[HandedIn | Collected]:
    everybody: Students = {}
    versions: Versions = {}
    for name in source.entries():
        if match := _canvas(name):
            number = match.groupdict().get("number", "")
            who = f"{match['name']}_{number}" if number else match["name"]
            everybody.setdefault(who, HandedIn(who, who, who, number, timed=False))
            file = NUMBERED.sub("", match["file"])
            kept = file if file == _notebook(topic) else match["file"]
            versions.setdefault((who, file), []).append((int(match["file_id"][:18]), name, kept))
        elif not ignored(name):
            text = CANVAS_TEXT.fullmatch(name)
            yield odd(name, "it is text, not a file" if text else "Canvas would not call a submission that")
    yield from _older(versions, everybody)
    yield from everybody.values()


def _canvas(name: str) -> re.Match | None:
    return CANVAS_HIDDEN.fullmatch(name) or CANVAS.fullmatch(name)


def _from_folder(source: Source, topic: str) -> Iterator[HandedIn | Collected]:
    everybody: Students = {}
    versions: Versions = {}
    for name, entry in source.entries().items():
        if ignored(name):
            continue
        if name.startswith("."):
            yield odd(name, "it is hidden")
        elif entry.is_folder and _is_chapter(name):
            if _is_chapter(name) == topic:
                yield odd(name, "it is called like the chapter, not like a student: collect from inside it")
        elif entry.is_folder:
            try:
                ours = of_topic(topic, source.entries(name))
            except Unreadable as why:
                yield odd(name, str(why))
                continue
            if ours:
                places = {(name, inside): "" for inside in ours}
                everybody[name] = HandedIn(name, name, places=places, stamp=(name, ours[0], STAMP))
        elif not _chapters(name) or topic in _chapters(name):
            match = NOTEBOOK_OR_ARCHIVE.fullmatch(name)
            who = _without_topic(COPY.sub("", match[1]), topic) if match else ""
            if who:
                kept = _notebook(topic) if match[2] == ".ipynb" else f"{who}{match[2]}"
                versions.setdefault((who, ""), []).append((entry.time, name, kept))
            else:
                why = "its name does not say whose it is" if match else "it is no notebook and no archive"
                yield odd(name, why)
    yield from _older(versions, everybody)
    yield from everybody.values()


def _older(versions: Versions, everybody: Students) -> Iterator[Collected]:
    """Give everybody the newest version of each of their files; yield the others."""
    for (who, _), several in versions.items():
        *older, (_, name, kept) = sorted(several)
        everybody.setdefault(who, HandedIn(who, who)).places[(name,)] = kept
        for _, name, _ in older:
            yield Collected(who, "older", shown(name), "a newer one lies beside it")


@cache
def _mentioned() -> re.Pattern:
    """Finds a chapter's name, with or without its number."""
    stems = sorted((path.stem for path in chapter_paths()), key=len, reverse=True)
    names = "|".join(f"(?:{stem[:2]}[ _.-]*)?({re.escape(stem[3:])})" for stem in stems)
    return re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])", re.IGNORECASE)


def _chapters(name: str) -> set[str]:
    """Which chapters a name mentions."""
    return {match[match.lastindex].lower() for match in _mentioned().finditer(name)}


def _is_chapter(name: str) -> str:
    """The chapter that a folder is called like; empty where it is called otherwise."""
    match = _mentioned().fullmatch(name)
    return match[match.lastindex].lower() if match else ""


def _without_topic(name: str, topic: str) -> str:
    """What is left of a file's name without the chapter's: it should be a student's."""
    for match in _mentioned().finditer(name):
        if match[match.lastindex].lower() == topic:
            parts = (part.strip(" _-.()[]") for part in (name[: match.start()], name[match.end() :]))
            return "_".join(part for part in parts if part)
    return name


def _notebook(topic: str) -> str:
    return f"{chapter_path(topic).stem}.ipynb"
