"""Notebooks that cheat, pry or do harm gain nothing, learn nothing and harm nobody."""

import contextlib
import ctypes
import importlib
import inspect
import json
import os
import pkgutil
import resource
import secrets
import shutil
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import hostile
import nbformat
import pytest
from hostile import answered, as_bytes, right
from markdown_it import MarkdownIt
from nbformat.v4 import new_code_cell

from autograder.chapters import ROOT
from autograder.course import Course
from autograder.exercises import exercises_of
from autograder.gradebook import Gradebook
from autograder.results import results
from autograder.sandbox.bubble import NOBODY, probed

pytestmark = pytest.mark.skipif(not probed().bubble, reason="Students' code cannot be walled in here.")

TOPIC = "masks"
ATTACKS = {
    name: importlib.import_module(f"hostile.{name}") for _, name, _ in pkgutil.iter_modules(hostile.__path__)
}
SETTINGS = "c.Sandbox.step = 2\nc.Sandbox.seconds = 6\nc.Sandbox.memory = 512 * 2**20\n"
STATES = ("graded", "flagged", "student fault", "unreadable")
TOPICS = {name: attack.TOPIC for name, attack in ATTACKS.items() if hasattr(attack, "TOPIC")}
LONGEST, LARGEST = 1200, 3 * 2**30  # seconds after which it counts as stuck, bytes that it may take
MISTAKE = "def causal_mask(length):\n    return torch.ones(length, length, dtype=torch.bool).triu()"
CHILD_SUBREAPER = 36


@dataclass
class Graded:
    """A course in which everybody was graded, and what was seen meanwhile."""

    course: Course
    found: dict
    printed: str
    memory: int
    left: list[str]
    written: list[str]
    secrets: list[str]


def topic_of(student: str) -> str:
    """The chapter that somebody hands in."""
    return TOPICS.get(student, TOPIC)


def handed_in(name: str, attack: ModuleType) -> str:
    """The name under which an attack is handed in."""
    return getattr(attack, "NAME", name)


def honest(released) -> dict:
    """What honest students hand in: all right, a known mistake, nothing, a half."""
    names = list(exercises_of(TOPIC))
    return {
        "b_all_right": answered(released, **right(*names)),
        "h_one_mistake": answered(released, **{**right(*names), "causal_mask": MISTAKE}),
        "n_blank": released,
        "t_half_done": answered(released, **right(*names[:4])),
    }


def hand_in(course: Course, student: str, notebook) -> None:
    path = course.notebook("submitted", student, topic_of(student))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(notebook if isinstance(notebook, bytes) else as_bytes(notebook))


def made(path: Path, *topics: str) -> Course:
    course = Course.made(path)
    for topic in (TOPIC, *topics):
        course.release(topic)
    with course.config_file.open("a") as file:
        file.write(SETTINGS)
    return course


def autograder(course: Course, environment: dict, topic: str, *commands: str) -> str:
    """What these commands print on the terminal."""
    program = [sys.executable, "-c", "from autograder.cli import app; app()"]
    printed = ""
    for command in commands:
        run = subprocess.run(
            [*program, command, topic, "--course", str(course.path)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=LONGEST,
        )  # fmt: skip
        printed += run.stdout.decode(errors="replace")
        assert run.returncode == 0, f"{command}: {printed[-3000:]}"
    return printed


def points_of(course: Course) -> dict:
    return {result.student: (result.state, result.points, result.total) for result in results(course, TOPIC)}


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Iterator[Graded]:
    """All attacks among honest students, graded, with feedback and report, in one go."""
    ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)  # so that whoever outlives the grader becomes ours
    marker = f"TOP-SECRET-{secrets.token_hex(8)}"
    others = sorted(set(TOPICS.values()))
    course = made(tmp_path_factory.mktemp("hostile") / "course", *others)
    for name, attack in ATTACKS.items():
        student = handed_in(name, attack)
        released = nbformat.read(course.released(topic_of(student)), as_version=4)
        if hasattr(attack, "hand_in"):
            (folder := course.folder("submitted", student, TOPIC)).mkdir(parents=True)
            attack.hand_in(folder, released)
        else:
            hand_in(course, student, attack.handed_in(released))
    released = nbformat.read(course.released(TOPIC), as_version=4)
    for student, notebook in honest(released).items():
        if student == "b_all_right":
            notebook.cells.append(new_code_cell(f"# {marker}"))
        hand_in(course, student, notebook)
    for name in ("secret.txt", "course_key.old", "source/secret.txt"):
        (course.path / name).write_text(marker)
    with course.gradebook() as gradebook:
        gradebook.add_student("victim", first_name=marker, last_name="unchanged")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {**os.environ, "GRADER_PASSWORD": marker, "TMPDIR": str(elsewhere), "OMP_NUM_THREADS": "1"}
    ours = children()
    commands = ("grade", "feedback", "report")
    printed = "".join(autograder(course, environment, topic, *commands) for topic in (TOPIC, *others))
    time.sleep(3)
    yield Graded(
        course,
        {result.student: result for topic in (TOPIC, *others) for result in results(course, topic)},
        printed,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        [left for process, left in children().items() if process not in ours],
        [str(path) for path in elsewhere.glob("*") if "torchinductor" not in path.name] + of_nobody(),
        [marker.rsplit("-", 1)[1], course.key(), *code_of_checks(TOPIC, *others)],
    )
    # pytest's own cleaning up goes no deeper than Python's recursion.
    subprocess.run(["rm", "-rf", course.path])


def children() -> dict[int, str]:
    """The processes below this one: number and command."""
    parents = {}
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{process}/stat").read_text()
            state, parent = told.rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(process)] = int(parent), told
    found = {os.getpid(): ""}
    while new := {p: told for p, (parent, told) in parents.items() if parent in found and p not in found}:
        found |= new
    return found


def of_nobody() -> list[str]:
    """What students' processes have left on this machine's disks, where they run as somebody else."""
    if os.getuid():
        return []
    command = ["find", "/tmp", "/dev/shm", "/var/tmp", str(ROOT), "-uid", str(NOBODY)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.split()


def code_of_checks(*topics: str) -> list[str]:
    """Lines that stand in checks or solutions and in no chapter."""
    modules = [f"{package}.{topic}" for topic in topics for package in ("autograder.exercises", "solutions")]
    sources = (inspect.getsource(importlib.import_module(name)) for name in modules)
    lines = {line.strip() for source in sources for line in source.splitlines()}
    chapters = "".join(path.read_text() for path in ROOT.glob("chapters/*.md"))
    return sorted(line for line in lines if len(line) > 40 and line not in chapters)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_gains_nothing(graded, figures, name):
    attack = ATTACKS[name]
    result = graded.found[handed_in(name, attack)]
    deserved = getattr(attack, "POINTS", {})
    if result.graded:
        expected = {name: deserved.get(name, 0) for name in result.points}
        assert result.points == expected, f"{result.state}, {result.person}"
    figures["attacks that gained nothing"] += 1


@pytest.mark.parametrize("name", ATTACKS)
def test_the_instructor_is_told(graded, name):
    result = graded.found[handed_in(name, ATTACKS[name])]
    assert result.state in getattr(ATTACKS[name], "STATES", STATES), result.person
    assert getattr(ATTACKS[name], "TELLS", "") in result.person
    assert (result.state == "graded") == (not result.person)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_learns_nothing(graded, name):
    student = handed_in(name, ATTACKS[name])
    wrote = texts(graded.course.folder("submitted", student, topic_of(student)))
    for step in ("intake", "autograded", "feedback"):
        text = texts(graded.course.folder(step, student, topic_of(student)))
        assert [s for s in graded.secrets if s in text and s not in wrote] == []


@pytest.mark.parametrize("name", ATTACKS)
def test_it_reaches_nothing(graded, name):
    """What attacks print where they were not stopped."""
    student = handed_in(name, ATTACKS[name])
    path = graded.course.notebook("autograded", student, topic_of(student))
    cells = json.loads(path.read_text())["cells"] if graded.found[student].graded else []
    printed = "\n".join(strings([cell.get("outputs") for cell in cells]))
    assert "REACHED" not in printed and "LEFT-OVER" not in printed


def texts(folder: Path) -> str:
    """All that stands in the files of a folder; nothing where it is none of ours."""
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return ""
    files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    return "".join(readable(path) for path in files if path.stat().st_size < 50 * 2**20)


def readable(path: Path) -> str:
    """A file's text; of a notebook the sources and outputs as they are, not as JSON writes them."""
    text = path.read_bytes().decode(errors="replace")
    if path.suffix == ".ipynb":
        with contextlib.suppress(ValueError, RecursionError):
            return "\n".join(strings(json.loads(text)))
    return text


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


@pytest.mark.parametrize("name", ATTACKS)
def test_its_feedback_is_harmless(graded, name):
    student = handed_in(name, ATTACKS[name])
    if graded.found[student].graded:
        page = graded.course.notebook("feedback", student, topic_of(student), ".html")
        text = page.with_suffix(".md")
        assert active(page.read_text()) == moving(page.read_text()) == []
        assert active(MarkdownIt("commonmark").render(text.read_text())) == moving(text.read_text()) == []
        assert page.stat().st_size + text.stat().st_size < 4 * 2**20
        autograded = graded.course.notebook("autograded", student, topic_of(student))
        assert autograded.stat().st_size < 16 * 2**20


ACTIVE = {"script", "iframe", "object", "embed", "form", "base", "svg", "b", "link", "input"}


def active(page: str) -> list[str]:
    """What in a page would act or fetch."""
    found = []

    class Watcher(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.extend([tag] if tag in ACTIVE else [])
            for name, value in attributes:
                fetches = name in ("href", "src", "srcset", "action", "style") and ":" in (value or "")
                allowed = (value or "").startswith("data:image/svg+xml;base64,") or tag == "span"
                if name.startswith("on") or (fetches and not allowed):
                    found.append(f"{tag} {name}={value}")

    Watcher().feed(page)
    return found


def moving(text: str) -> list[str]:
    """The control, format and bidi characters in a text."""
    return sorted(
        {repr(c) for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"}
    )


def test_what_the_instructor_sees_is_harmless(graded):
    pages = [path.read_text() for path in graded.course.path.joinpath("report").glob("*.html")]
    assert len(pages) == len({TOPIC, *TOPICS.values()})
    page = "".join(pages)
    assert active(page) == moving(page) == moving(graded.printed) == []
    assert [secret for secret in graded.secrets if secret in page + graded.printed] == []
    assert "Traceback" not in graded.printed and "Logging error" not in graded.printed


def test_nothing_secret_is_kept_with_results(graded):
    for folder in ("store", "records"):
        for path in graded.course.path.joinpath(folder).rglob("*.json"):
            text = path.read_text()
            assert [secret for secret in graded.secrets if secret in text] == []
            assert len(text) < 4 * 2**20, f"{path.name} has {len(text)} characters"


def test_honest_students_are_graded_as_alone(graded, tmp_path):
    course = made(tmp_path / "course")
    shutil.copy(graded.course.path / "course_key", course.path)
    released = nbformat.read(course.released(TOPIC), as_version=4)
    for student in honest(released):
        shutil.copytree(
            graded.course.folder("submitted", student, TOPIC), course.folder("submitted", student, TOPIC)
        )
    autograder(course, dict(os.environ), TOPIC, "grade")
    alone, among = points_of(course), points_of(graded.course)
    assert alone == {student: among[student] for student in alone}
    assert {student: total for student, (_, _, total) in alone.items()}["b_all_right"] == sum(
        exercise.points() for exercise in exercises_of(TOPIC).values()
    )


def test_the_gradebook_of_others_is_unchanged(graded):
    with graded.course.gradebook() as gradebook:
        assert isinstance(gradebook, Gradebook)
        assert gradebook.find_student("victim").last_name == "unchanged"
        assert {s.id for s in gradebook.students} == {"victim", *graded.found}


def test_nobody_survives_and_nothing_is_left(graded):
    assert graded.left == graded.written == []


def test_it_takes_no_more_memory_than_it_may(graded):
    assert graded.memory < LARGEST
