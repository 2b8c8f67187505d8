"""Points as a CSV file: for anybody with a spreadsheet, for Canvas and for Moodle.

Canvas and Moodle clear a grade where the cell that they import is empty. So who has no points here keeps
what the roster says, and is left out of the file where there is no roster: never a zero, nothing cleared.

Sources: Canvas's importer (canvas-lms, lib/gradebook_importer.rb); Moodle's grade import (docs.moodle.org,
"Grade import"; grade/import/csv) and offline grading worksheet (mod/assign/feedback/offline).
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.feedback import marked, points
from autograder.intake.submission import shown
from autograder.results import Result, settled_results
from autograder.store import write_whole

KINDS = ("csv", "canvas", "moodle")
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE = ["Username", "First name", "Last name", "Email address"]
# What Canvas and Moodle tell people apart by, what they call them, and what else they say about them.
KEYS = {"ID", "SIS User ID", "SIS Login ID", "Integration ID", "Identifier"}
KEYS |= {"Username", "ID number", "Email address"}
WHOLE_NAMES, FIRST_NAMES = ("Student", "Full name"), ("FirstName", "First name")
LAST_NAMES = ("LastName", "Last name", "Surname")
IDENTITY = {*KEYS, *WHOLE_NAMES, *FIRST_NAMES, *LAST_NAMES, "Institution", "Department"}
POINTS_POSSIBLE = "Points Possible"

LONGEST = 32_000  # characters; a cell in Excel holds 32 767
HARMLESS = re.compile(r"-|-?\d+([.,]\d+)?")

Table = list[list[str]]


class Exported(NamedTuple):
    """The file, who is not clearly one person in the roster, and who has no points to export."""

    path: Path
    unmatched: list[str]
    without_points: list[str]


def export(
    course: Course, topic: str, kind: str, roster: Path | None = None, column: str | None = None
) -> Exported:
    """Write everybody's points to `export/TOPIC-KIND.csv`.

    `roster` is the gradebook that Canvas exported, or Moodle's gradebook or offline grading worksheet, which
    is the better one: it knows the assignment, takes feedback along and skips empty cells. What identifies
    people in it stays as it is. `column` is the title of the assignment's column, where that is not called
    like the topic. Raises CourseError for an unknown kind, where grading has not begun, and for a roster that
    cannot be read or that gives the assignment another number of points.
    """
    if kind not in KINDS:
        raise CourseError(f"there is no export called {kind}: choose csv, canvas or moodle")
    if kind == "csv" and roster:
        raise CourseError("a roster comes from Canvas or Moodle: say which, with --to canvas or --to moodle")
    found = settled_results(course, topic)
    unmatched: list[str] = []
    if kind == "csv":
        table = as_table(found, topic)
    else:
        people = _people(course, found)
        if roster:
            sheet = read_roster(roster)
            matched, unmatched = match(sheet, people)
        else:
            people = [person for person in people if person.result.graded]
            sheet = _own_roster(kind, people)
            matched = dict(enumerate(people))
        fill = for_canvas if kind == "canvas" else for_moodle
        table = fill(sheet, {row: person.result for row, person in matched.items()}, topic, column)
    path = course.path / "export" / f"{topic}-{kind}.csv"
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    write_whole(path, file.getvalue().encode("utf-8-sig" if kind == "csv" else "utf-8"))
    return Exported(path, unmatched, [result.student for result in found if not result.graded])


def as_table(found: list[Result], topic: str) -> Table:
    """A row for everybody: state, points of each exercise, late penalty, total, why a person should look.

    Who has no points has empty cells, never zeros.
    """
    names = list(exercises_of(topic))
    table = [["student", "state", *names, "late penalty", "total", "needs a person"]]
    for result in found:
        cells = [""] * (len(names) + 2)
        if result.graded:
            given = [number(result.points[name]) if name in result.points else "" for name in names]
            cells = [*given, number(late_penalty(result)), number(result.total)]
        table.append([text(result.student), result.state, *cells, text(result.person)])
    return table


def text(told: str) -> str:
    """Text as a cell that no spreadsheet takes for a formula (OWASP, "CSV Injection").

    What is a number stays one.
    """
    line = shown(told, LONGEST)
    harmless = HARMLESS.fullmatch(line) or not unicodedata.normalize("NFKC", line).startswith(tuple("=+-@"))
    return line if harmless else f"'{line}"


def number(value: float) -> str:
    """A number as a cell: 3 or 2.5, never -0."""
    return f"{round(value, 6) + 0.0:.12g}"


def late_penalty(result: Result) -> float:
    """By how much the total is less than the points of the exercises."""
    return max(0.0, round(sum(result.points.values()) - result.total, 6))


def comment(result: Result, topic: str) -> str:
    """What was said of each exercise, as the HTML that Moodle keeps comments in; all text is escaped."""
    said = []
    for name, exercise in exercises_of(topic).items():
        got, feedback = result.points.get(name), result.feedback.get(name)
        if got is None:
            continue
        sentences = []
        if feedback and got < exercise.points():
            sentences = [feedback.why_nothing, *feedback.sentences]
            sentences += [f"What went wrong first: {feedback.shown.message}."] if feedback.shown else []
        told = " ".join(marked(shown(sentence, 500)) for sentence in sentences if sentence)
        said.append(f"<p><strong>{name}: {got:g} of {points(exercise.points())}</strong> {told}</p>")
    if penalty := late_penalty(result):
        said.append(f"<p>Handed in late: {points(penalty)} less.</p>")
    return "".join(said)


class Known(NamedTuple):
    """What somebody is known by: logins, numbers and addresses; what stands before an address's @; names."""

    keys: set[str]
    locals: set[str]
    names: set[tuple[str, ...]]

    @classmethod
    def by(cls, keys: list[str], names: list[str]) -> "Known":
        """From what is written. Case does not matter; `Lovelace, Ada` and `ada_lovelace` are one name."""
        folded = {_folded(key) for key in keys} - {""}
        words = {tuple(sorted(re.findall(r"[^\W_]+", _folded(name)))) for name in names} - {()}
        return cls(folded, {key.partition("@")[0] for key in folded if "@" in key}, words)

    def distance(self, other: "Known") -> int:
        """0 for the same key, 1 for a key that is the other's before its @, 2 for the same name, else 3."""
        near = self.keys & other.locals or self.locals & other.keys
        return 0 if self.keys & other.keys else 1 if near else 2 if self.names & other.names else 3


@dataclass(frozen=True)
class Roster:
    """What Canvas or Moodle exported: who is in the class, and perhaps what they have got so far."""

    header: list[str]
    rows: Table

    def cell(self, row: int, *titles: str) -> str:
        """A row's cell under the first of these titles that there is; empty where there is none."""
        return next((self.rows[row][self.header.index(t)] for t in titles if t in self.header), "")

    def known(self, row: int) -> Known:
        """Who is in a row."""
        keys = [self.cell(row, key) for key in KEYS]
        keys.append(self.cell(row, "Identifier").removeprefix("Participant "))
        first, last = self.cell(row, *FIRST_NAMES), self.cell(row, *LAST_NAMES)
        names = [self.cell(row, *WHOLE_NAMES), f"{first} {last}", f"{last}{first}"]  # 王小明 has no space
        return Known.by(keys, names)

    def kept(self, titles: list[str]) -> Table:
        """These columns of every row. Keys stay as they are, or nobody would be found by them again."""
        return [
            [self.cell(row, title) if title in KEYS else text(self.cell(row, title)) for title in titles]
            for row in range(len(self.rows))
        ]


class Person(NamedTuple):
    """A student as nbgrader's gradebook knows them."""

    result: Result
    first_name: str
    last_name: str
    email: str
    lms_id: str

    def known(self) -> Known:
        """Who they are."""
        names = [self.result.student, f"{self.first_name} {self.last_name}"]
        return Known.by([self.result.student, self.email, self.lms_id], names)


def read_roster(path: Path) -> Roster:
    """A CSV file in UTF-8 or UTF-16, with commas, semicolons or tabs; CourseError where it is no roster."""
    try:
        raw = Path(path).read_bytes()
        told = raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
        separator = max(",;\t", key=told.partition("\n")[0].count)
        header, *rows = csv.reader(io.StringIO(told, newline=""), delimiter=separator, strict=True)
    except (OSError, UnicodeError, csv.Error, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no CSV file in UTF-8"
        raise CourseError(f"the roster {path} cannot be read ({why}): export it again") from None
    header = [title.strip() for title in header]
    if not KEYS & set(header):
        raise CourseError(
            f"{path} has no column that tells students apart, such as ID or Email address: "
            "give the gradebook as Canvas exports it, or as Moodle exports it in English"
        )
    width = len(header)
    return Roster(header, [(row + [""] * width)[:width] for row in rows if any(map(str.strip, row))])


def match(roster: Roster, people: list[Person]) -> tuple[dict[int, Person], list[str]]:
    """Who is in which row; and who is in none, in several, or in another's.

    A login, number or address decides; where none does, the part of an address before its @; at last the
    name. Nobody is guessed.
    """
    rows = [roster.known(row) for row in range(len(roster.rows))]
    claims: dict[int, list[tuple[int, int, Person]]] = {}
    for person in people:
        own = person.known()
        far = [theirs.distance(own) for theirs in rows]
        nearest = min(far, default=3)
        hits = [row for row, distance in enumerate(far) if distance == nearest < 3]
        for row in hits:
            claims.setdefault(row, []).append((nearest, len(hits), person))
    matched = {}
    for row, claim in claims.items():
        nearest = min(distance for distance, _, _ in claim)
        (_, hits, person), *others = [one for one in claim if one[0] == nearest]
        if hits == 1 and not others:
            matched[row] = person
    clear = {person.result.student for person in matched.values()}
    return matched, [person.result.student for person in people if person.result.student not in clear]


def _own_roster(kind: str, people: list[Person]) -> Roster:
    """What nbgrader's gradebook knows of these people, in the columns that Canvas or Moodle look at."""
    if kind == "moodle":
        return Roster(MOODLE, [[p.result.student, p.first_name, p.last_name, p.email] for p in people])
    called = [f"{p.last_name}, {p.first_name}".strip(", ") or p.result.student for p in people]
    rows = [[name, p.lms_id, "", p.result.student, ""] for name, p in zip(called, people, strict=True)]
    return Roster(CANVAS, rows)


def _people(course: Course, found: list[Result]) -> list[Person]:
    with course.gradebook() as gradebook:
        known = {student.id: student for student in gradebook.students}
    told = ("first_name", "last_name", "email", "lms_user_id")
    return [Person(r, *(getattr(known.get(r.student), name, None) or "" for name in told)) for r in found]


def _folded(key: str) -> str:
    return unicodedata.normalize("NFKC", key).strip().casefold()


def for_canvas(roster: Roster, matched: dict[int, Result], topic: str, column: str | None = None) -> Table:
    """The roster's columns up to Section, the assignment's column, and the row of points possible."""
    if not {"ID", "Section"} <= set(roster.header):
        raise CourseError("this is no roster from Canvas: it has no columns ID and Section")
    titles = roster.header[: roster.header.index("Section") + 1]
    title = assignment(roster.header[len(titles) :], topic, column) or topic
    of = sum(exercise.points() for exercise in exercises_of(topic).values())
    table = [[*titles, text(title)], [f"    {POINTS_POSSIBLE}", *[""] * (len(titles) - 1), number(of)]]
    for row, cells in enumerate(roster.kept(titles)):
        if POINTS_POSSIBLE in cells[0]:
            _same_points(roster.cell(row, title), of, title)
        elif any(cells):
            table.append([*cells, _points(roster.cell(row, title), matched.get(row))])
    return table


def for_moodle(roster: Roster, matched: dict[int, Result], topic: str, column: str | None = None) -> Table:
    """The offline grading worksheet filled in; or what identifies people, points and feedback."""
    header = roster.header
    if not {"Identifier", "Username", "Email address", "ID number"} & set(header):
        raise CourseError(
            "this is no roster from Moodle in English: it has no column Identifier or Email address"
        )
    of = sum(exercise.points() for exercise in exercises_of(topic).values())
    if {"Identifier", "Grade"} <= set(header):
        titles, title, said = header, "Grade", "Feedback comments"
    else:
        titles = [title for title in header if title in IDENTITY]
        title = assignment([title for title in header if title not in IDENTITY], topic, column) or topic
        said = f"{title.removesuffix(' (Real)')} (Feedback)"
        titles = [*titles, title, said]
    table = [[text(title) for title in titles]]
    for row, cells in enumerate(roster.kept(titles)):
        _same_points(roster.cell(row, "Maximum Grade"), of, title)
        result = matched.get(row)
        cells[titles.index(title)] = _points(roster.cell(row, title), result)
        if said in titles:
            new = result and result.graded
            cells[titles.index(said)] = comment(result, topic) if new else roster.cell(row, said)
        table.append(cells)
    return table


def assignment(titles: list[str], topic: str, column: str | None = None) -> str | None:
    """The title of the assignment's column, if it is there; CourseError where `column` is not, or several."""
    named = [title for title in titles if column in (title, _bare(title))] if column else []
    named = named or [title for title in titles if _bare(title) == _bare(column or topic)]
    if column and not named:
        raise CourseError(f"the roster has no column {column}: it has {', '.join(titles) or 'no others'}")
    if len(named) > 1:
        raise CourseError(f"say with --column which one is meant: {', '.join(named)}")
    return named[0] if named else None


def _bare(title: str) -> str:
    """A title without what Canvas and Moodle put around it: `Assignment 3: Masks (1234)` is `masks`."""
    if title.endswith(("(Percentage)", "(Letter)", "(Feedback)")):
        return ""
    title = re.sub(r"\s*\((?:\d+|Real)\)$", "", title)
    title = re.sub(r"^(?:assignment\b[^:]*:\s*)?(?:\d+[\s_.-]+)?", "", title, flags=re.IGNORECASE)
    return " ".join(re.findall(r"[^\W_]+", title.casefold()))


def _points(before: str, result: Result | None) -> str:
    """What a person has got; what the roster says already where there is nothing new."""
    return number(result.total) if result and result.graded else "" if before == "-" else text(before)


def _same_points(told: str, of: float, title: str) -> None:
    """Points are not scaled: an assignment must give as many in both places."""
    if told.strip():
        try:
            same = float(told.replace(",", ".")) == of
        except ValueError:
            same = False
        if not same:
            raise CourseError(
                f"{title} gives {told.strip()} in the roster and {points(of)} here: "
                "change it there and export the roster again"
            )
