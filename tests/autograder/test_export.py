"""Points as CSV files, read back as Canvas, Moodle, Python and pandas read them."""

import csv
import io
import re
import shutil
import subprocess
import sys

import pytest

from autograder import export as module
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.export import Person, Roster, export, match, number, read_roster, text
from autograder.feedback import Feedback
from autograder.results import Result
from autograder.verdict import Finding, Verdict

TOPIC = "masks"
EXERCISES = exercises_of(TOPIC)
OF = sum(exercise.points() for exercise in EXERCISES.values())
FORMULA = '=HYPERLINK("https://evil.example","click")'


def made_up(student: str, share: float = 1.0, penalty: float = 0.0, **told) -> Result:
    points = {name: share * exercise.points() for name, exercise in EXERCISES.items()}
    finding = Finding("is right", 0, 3, "shape <b>(3,)</b>", "causal_mask(3)")
    verdict = Verdict("causal_mask", 0, 3, (finding,), "inverted", "You inverted `mask`.")
    told = {"state": "graded", "person": ""} | told
    total = sum(points.values()) - penalty
    return Result(student, points=points, total=total, feedback={"causal_mask": Feedback(verdict)}, **told)


def without_points(student: str, state: str, person: str = "a person must look") -> Result:
    return Result(student, state, {}, 0.0, {}, person)


CLASS = [
    made_up("ada"),
    made_up("bob", 0.5, penalty=2.0),
    made_up("nil", 0.0),
    made_up("王小明", 0.5, state="flagged", person=f'{FORMULA}\r\n"quoted", \u202ereversed\x00'),
    without_points("eve", "unreadable", "the file is damaged"),
    without_points("gus", "grader fault"),
    without_points("wim", "waiting", "not graded yet"),
]
WITHOUT = ["eve", "gus", "wim"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    course = Course.made(tmp_path_factory.mktemp("export") / "course")
    course.release(TOPIC)
    return course


@pytest.fixture
def course(released, monkeypatch):
    """A course whose results are the class above."""
    monkeypatch.setattr(module, "settled_results", lambda course, topic: CLASS)
    return released


@pytest.fixture
def roster(tmp_path):
    """Writes a roster, as an LMS would export it."""

    def write(*rows: str, encoding: str = "utf-8", name: str = "roster.csv"):
        path = tmp_path / name
        path.write_bytes("\r\n".join([*rows, ""]).encode(encoding))
        return path

    return write


def rows_of(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_as_canvas(path) -> tuple[str, float, dict[str, str]]:
    """A second opinion on the file, by the rules of Canvas's importer: title, points possible, grades.

    Student and ID come first, Section last of what is known about people; a row with "Points Possible" in
    its first cell is about the assignment; people are found by ID, else by SIS Login ID, else by name.
    """
    header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines(), strict=True)
    assert "Student" in header[0] and "ID" in header[1] and len(header) == header.index("Section") + 2
    grades, possible = {}, None
    for row in rows:
        assert len(row) == len(header)
        if "Points Possible" in row[0]:
            possible = float(row[-1])
        else:
            login = row[header.index("SIS Login ID")] if "SIS Login ID" in header else ""
            grades[row[1] or login or row[0]] = row[-1]
    return header[-1], possible, grades


def test_csv_has_everybody_and_no_zero_for_who_has_no_points(course):
    path, unmatched, without = export(course, TOPIC, "csv")
    assert path == course.path / "export" / "masks-csv.csv" and unmatched == [] and without == WITHOUT
    rows = {row["student"]: row for row in rows_of(path)}
    assert list(rows) == [result.student for result in CLASS]
    for result in CLASS:
        row = rows[result.student]
        told = [row[name] for name in (*EXERCISES, "late penalty", "total")]
        if result.graded:
            late = float(told[-2])
            assert list(map(float, told[:-2])) == list(result.points.values())
            assert float(told[-1]) == result.total == sum(result.points.values()) - late
        else:
            assert told == [""] * len(told) and row["needs a person"]
        assert row["state"] == result.state
    assert rows["bob"]["late penalty"] == "2" and rows["nil"]["total"] == "0"


def test_csv_opens_in_excel_and_is_whole_or_not_there(course, monkeypatch):
    path = export(course, TOPIC, "csv").path
    before = path.read_bytes()
    assert before.startswith(b"\xef\xbb\xbf") and "王小明".encode() in before
    assert before.count(b"\n") == before.count(b"\r\n") == len(CLASS) + 1
    monkeypatch.setattr(module, "as_table", lambda found, topic: [["torn"], [object], 1])
    with pytest.raises(csv.Error):
        export(course, TOPIC, "csv")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if not file.name.startswith("masks-")] == []


def test_pandas_reads_the_same_numbers(course):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed.")
    table = pandas.read_csv(export(course, TOPIC, "csv").path).set_index("student")
    assert table["total"].dropna().to_dict() == {r.student: r.total for r in CLASS if r.graded}


@pytest.mark.parametrize(
    "told",
    [
        *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "-x", "+49 1", "＝1+1", "＋1+1", "－1+1", "＠SUM(A1)"),
        *(f"{before}=1+1" for before in "\t\r\n \u3000\xa0\u200b\u202e\x00\ufeff"),
    ],
)
def test_no_text_is_a_formula(told):
    cell = text(told)
    assert cell.startswith("'") and cell[1:] and cell.isprintable()


@pytest.mark.parametrize("told", ["-1", "-2.5", "3", "-", "ada", "a=b", "a-b@c.org", "007", "", "'=1"])
def test_harmless_text_stays(told):
    assert text(told) == told


@pytest.mark.parametrize(
    ("value", "cell"),
    [(3.0, "3"), (2.5, "2.5"), (0.1 + 0.2, "0.3"), (-0.0, "0"), (-1.5, "-1.5"), (1234567.25, "1234567.25")],
)
def test_numbers(value, cell):
    assert number(value) == cell


def test_hostile_text_keeps_to_its_cell(course):
    row = rows_of(export(course, TOPIC, "csv").path)[3]
    assert row["needs a person"] == f"""'{FORMULA} "quoted", reversed"""


def test_canvas_without_a_roster_leaves_out_who_has_no_points(course):
    title, possible, grades = read_as_canvas(export(course, TOPIC, "canvas").path)
    assert (title, possible) == (TOPIC, OF)
    assert {login: float(grade) for login, grade in grades.items()} == {
        r.student: r.total for r in CLASS if r.graded
    }


CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Notes,Quiz (7),Assignment 3: Masks (4711),Current Score",
    ",,,,,,,Manual Posting,",
    f"    Points Possible,,,,,,10,{OF:.2f},(read only)",
    '"Lovelace, Ada",101,007,ada,"Tue, 9:00",,1,,10',
    "\"=cmd|' /C calc'!A0\",102,008,BOB@uni.edu,Wed,,2,,20",
    "Nil,103,009,nil,Wed,,3,,",
    "小明 王,104,010,x104,Wed,,3,,",
    "Eve,105,011,eve,Wed,,3,,",
    "Gus,106,012,gus,Wed,,3,12.5,",
    "Zoe,107,013,+zoe@uni.edu,Wed,,3,,",
    '"Student, Test",999,,,Wed,,,,',
)


def test_canvas_with_its_own_gradebook(course, roster):
    path, unmatched, without = export(course, TOPIC, "canvas", roster(*CANVAS))
    title, possible, grades = read_as_canvas(path)
    assert (title, possible) == ("Assignment 3: Masks (4711)", OF)
    assert grades == {
        "101": "33",
        "102": "14.5",
        "103": "0",
        "104": "",  # 王小明 is not clearly the same as 小明 王
        "105": "",
        "106": "12.5",  # what a person has entered stays
        "107": "",
        "999": "",
    }
    assert unmatched == ["王小明", "wim"] and without == WITHOUT
    first, second, *_, zoe, _ = rows_of(path)[1:]
    assert zoe["SIS Login ID"] == "+zoe@uni.edu"  # what Canvas finds her by
    assert [first[title] for title in CANVAS[0].split(",")[:5]] == [
        "Lovelace, Ada",
        "101",
        "007",
        "ada",
        "Tue, 9:00",
    ]
    assert second["Student"].startswith("'=cmd") and second["SIS Login ID"] == "BOB@uni.edu"


def test_canvas_gets_a_new_assignment_where_it_has_none(course, roster):
    without = [row.replace("Assignment 3: Masks (4711)", "Quiz: masks (4711)") for row in CANVAS]
    title, possible, grades = read_as_canvas(export(course, TOPIC, "canvas", roster(*without)).path)
    assert (title, possible, grades["106"]) == (TOPIC, OF, "")
    title, _, grades = read_as_canvas(
        export(course, TOPIC, "canvas", roster(*without), column="Quiz: masks (4711)").path
    )
    assert (title, grades["106"]) == ("Quiz: masks (4711)", "12.5")


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16")], ids=str
)
def test_rosters_from_other_countries(course, roster, separator, encoding):
    cells = csv.reader(CANVAS)
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(cells)
    path = roster(*file.getvalue().splitlines(), encoding=encoding)
    assert read_as_canvas(export(course, TOPIC, "canvas", path).path)[2]["101"] == "33"


WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments",
    'Participant 21,Ada L,ada@uni.edu,Submitted,,33.00,Yes,"Monday, 1 June 2026, 9:00 AM",-,',
    f"Participant 22,{'@SUM(1)'},bob@uni.edu,Submitted,3.00,33.00,Yes,-,-,old",
    "Participant 23,Eve,eve@uni.edu,Submitted,7.00,33.00,Yes,-,-,by a person",
    "Participant 24,Zoe,zoe@uni.edu,No submission,,33.00,Yes,-,-,",
)


def test_moodle_worksheet_is_filled_in(course, roster):
    path, unmatched, _ = export(course, TOPIC, "moodle", roster(*WORKSHEET))
    assert unmatched == ["nil", "王小明", "gus", "wim"]
    before, after = list(csv.DictReader(WORKSHEET)), rows_of(path)
    assert [row["Grade"] for row in after] == ["33", "14.5", "7.00", ""]
    assert [row["Feedback comments"] for row in after][2:] == ["by a person", ""]
    said = after[1]["Feedback comments"]
    assert "<strong>causal_mask: 1.5 of 3 points</strong> You inverted <code>mask</code>." in said
    assert "shape &lt;b&gt;(3,)&lt;/b&gt;" in said and "Handed in late: 2 points less." in said
    assert after[1]["Full name"] == "'@SUM(1)"
    for old, new in zip(before, after, strict=True):
        kept = set(old) - {"Grade", "Feedback comments", "Full name"}
        assert {title: new[title] for title in kept} == {title: old[title] for title in kept}


def test_moodle_gradebook(course, roster):
    head = (
        "First name,Last name,ID number,Email address,Assignment: Masks (Real),Assignment: Masks (Feedback)"
    )
    path = roster(
        head, "Ada,L,007,ada@uni.edu,-,-", "Bob,B,008,b@uni.edu,1.00,x", "Gus,G,009,gus@x.org,5.00,mine"
    )
    after = rows_of(export(course, TOPIC, "moodle", path).path)
    assert list(after[0]) == head.split(",")
    assert [row["Assignment: Masks (Real)"] for row in after] == ["33", "1.00", "5.00"]
    assert after[2]["Assignment: Masks (Feedback)"] == "mine"
    assert [row["ID number"] for row in after] == ["007", "008", "009"]


def test_moodle_gradebook_finds_names_that_are_written_without_a_space(course, roster):
    rows = ("小明,王,a@x.org,-", "小红,王,b@x.org,-", "王,小明,c@x.org,-")
    path, unmatched, _ = export(
        course, TOPIC, "moodle", roster("First name,Last name,Email address,masks", *rows)
    )
    assert [row["masks"] for row in rows_of(path)] == ["16.5", "", ""] and "王小明" not in unmatched


def test_moodle_without_a_roster(course):
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="L", email="ada@uni.edu")
    rows = {row["Username"]: row for row in rows_of(export(course, TOPIC, "moodle").path)}
    assert list(rows) == [r.student for r in CLASS if r.graded]
    assert rows["ada"]["Email address"] == "ada@uni.edu" and rows["ada"][TOPIC] == "33"


def people(*students: str, **told) -> list[Person]:
    told = {"first_name": "", "last_name": "", "email": "", "lms_id": ""} | told
    return [Person(made_up(student), **told) for student in students]


MOODLE = ["Username", "Full name", "Email address"]


@pytest.mark.parametrize(
    ("rows", "students", "matched"),
    [
        ([["ada", "", ""], ["bob", "", ""]], ["bob", "ada"], {0: "ada", 1: "bob"}),
        ([["x1", "Lovelace, Ada", ""]], ["ada_lovelace"], {0: "ada_lovelace"}),
        ([["x1", "", "ada@uni.edu"]], ["ada"], {0: "ada"}),
        ([["ADA", "", ""]], ["ada@uni.edu"], {0: "ada@uni.edu"}),
        ([["x1", "", "ada@uni.edu"]], ["ada@else.org"], {}),
        ([["x1", "Wei Wang", ""], ["x2", "Wang Wei", ""]], ["wei.wang"], {}),
        ([["ada", "Bob B", ""]], ["ada", "bob b"], {0: "ada"}),
        ([["x1", "", "ada@a.edu"]], ["ada", "ADA"], {}),
        ([["ada", "", "bob@a.edu"], ["bob", "", ""]], ["bob"], {1: "bob"}),
        ([], ["ada"], {}),
    ],
)
def test_nobody_is_guessed(rows, students, matched):
    found, unmatched = match(Roster(MOODLE, rows), people(*students))
    assert {row: person.result.student for row, person in found.items()} == matched
    assert unmatched == [student for student in students if student not in matched.values()]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "no CSV"),
        (b"PK\x03\x04\xff\xfe\x00", "no CSV"),
        ("姓名,成绩".encode("gbk"), "no CSV"),
        (b'ID,"Name\n1,"x', "no CSV"),
        (b"Name,Points\nada,3", "no column"),
    ],
)
def test_unreadable_rosters_are_one_sentence(tmp_path, content, why):
    path = tmp_path / "roster.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CourseError, match=why) as caught:
        read_roster(path)
    assert re.fullmatch(".*: (export it again|give the gradebook .*)", str(caught.value))


def test_other_mistakes_are_one_sentence(course, roster):
    worksheet, gradebook = roster(*WORKSHEET, name="moodle.csv"), roster(*CANVAS, name="canvas.csv")
    twice = [re.sub("^(Student.*)Quiz", r"\1Masks", row) for row in CANVAS]
    hundred = [row.replace("33.00", "100") for row in CANVAS]
    for wrong, arguments in (
        ("choose csv, canvas or moodle", ("blackboard",)),
        ("comes from Canvas or Moodle", ("csv", gradebook)),
        ("no roster from Canvas", ("canvas", worksheet)),
        ("no roster from Moodle", ("moodle", gradebook)),
        ("no column Homework", ("canvas", gradebook, "Homework")),
        ("--column", ("canvas", roster(*twice, name="twice.csv"))),
        ("gives 100 in the roster and 33 points here", ("canvas", roster(*hundred, name="hundred.csv"))),
    ):
        with pytest.raises(CourseError, match=wrong):
            export(course, TOPIC, *arguments)


def test_the_sample_class_agrees_with_nbgraders_own_export(sample, tmp_path):
    """With a late penalty and with points that a person has changed; both come from nbgrader's gradebook."""
    course = Course(shutil.copytree(sample.path, tmp_path / "course"))
    late, mended = course.students(TOPIC)[:2]
    with course.gradebook() as gradebook:
        gradebook.find_submission(TOPIC, late).notebooks[0].late_submission_penalty = 2.5
        gradebook.find_submission(TOPIC, mended).notebooks[0].grades[0].manual_score = 0.5
        gradebook.db.commit()
    ours = {row["student"]: row for row in rows_of(export(course, TOPIC, "csv").path)}
    command = [sys.executable, "-m", "nbgrader", "export", "--assignment", f"['{TOPIC}']"]
    theirs = tmp_path / "grades.csv"
    done = subprocess.run([*command, "--to", theirs], cwd=course.path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    graded = {row["student_id"]: row for row in rows_of(theirs) if row["student_id"] in ours}
    assert len(graded) == len(ours) > 5
    for student, row in ours.items():
        assert float(row["total"]) == float(graded[student]["score"])
        assert float(row["late penalty"]) == float(graded[student]["late_submission_penalty"])
        assert sum(float(row[name]) for name in EXERCISES) == float(graded[student]["raw_score"])
    assert ours[late]["late penalty"] == "2.5" and "0.5" in ours[mended].values()
