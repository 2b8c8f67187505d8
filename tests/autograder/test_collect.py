"""Submissions as Moodle, Canvas, nbgrader and people hand them over, and what strangers may have put in."""

import contextlib
import io
import json
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect, ExchangeSubmit
from nbgrader.utils import parse_utc
from traitlets.config import Config

from autograder.collect import Collected, collect, layouts, names, places
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.export import Person, Roster, match
from autograder.grading import grade
from autograder.results import Result, results
from autograder.sample_class import RECORD, write_sample_class

TOPIC = "masks"
NOTEBOOK = "03_masks.ipynb"
MONDAY, TUESDAY, SUNDAY = (2026, 3, 2, 9, 0, 0), (2026, 3, 3, 9, 0, 0), (2026, 3, 1, 9, 0, 0)


@pytest.fixture
def course(tmp_path) -> Course:
    return Course.made(tmp_path / "course")


@pytest.fixture
def zipped(tmp_path):
    """Writes an archive, as an LMS or a person would."""

    def write(members: dict, name: str = "submissions.zip", date=MONDAY) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                told = member if isinstance(member, zipfile.ZipInfo) else zipfile.ZipInfo(member, date)
                archive.writestr(told, data)
        return tmp_path / name

    return write


@pytest.fixture
def folder(tmp_path):
    """Writes a folder of files."""

    def write(files: dict, name: str = "class", date=MONDAY) -> Path:
        for path, data in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data.encode() if isinstance(data, str) else data)
            os.utime(file, (time.mktime((*date, 0, 0, -1)),) * 2)
        return tmp_path / name

    return write


def collected(course: Course, source: Path) -> dict[str, Collected]:
    """What became of each, by student; what is not understood by its name."""
    found = list(collect(course, TOPIC, source))
    return {one.student if one.what in ("new", "newer", "same") else one.name: one for one in found}


def whats(course: Course, source: Path) -> dict[str, str]:
    return {key: one.what for key, one in collected(course, source).items()}


def handed_in(course: Course) -> dict[str, str]:
    """All files below `submitted/`, with what is in them, without times."""
    root = course.path / "submitted"
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "timestamp.txt")
    return {str(path.relative_to(root)): path.read_text("utf-8", "replace") for path in files}


def snapshot(root: Path) -> dict[str, tuple]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*")}


def archive_of(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


# Folders and archives that people make.


def test_folders_and_files_named_in_many_ways(course, folder):
    source = folder(
        {
            f"ada/{TOPIC}/{NOTEBOOK}": "ada",
            "ada/04_other/x.ipynb": "not this",
            "ada/.ipynb_checkpoints/x.ipynb": "not this",
            "ben/my own name.ipynb": "ben",
            "chen.ipynb": "chen",
            "dora_masks.ipynb": "dora",
            "03_masks_emil.ipynb": "emil",
            "03_masks (fay).ipynb": "fay",
            "gus.lee-Masks (1).ipynb": "gus",
            "王小明.ipynb": "wang",
            ".DS_Store": "",
            "ben/.git/config": "not this",
        }
    )
    assert set(whats(course, source).values()) == {"new"}
    assert handed_in(course) == {
        f"ada/masks/{NOTEBOOK}": "ada",
        "ben/masks/my own name.ipynb": "ben",
        **{
            f"{name}/masks/{NOTEBOOK}": told
            for name, told in (
                ("chen", "chen"), ("dora", "dora"), ("emil", "emil"), ("fay", "fay"), ("gus.lee", "gus"),
                ("王小明", "wang"),
            )
        },
    }  # fmt: skip


def test_a_zip_is_read_as_the_folder_that_it_was_made_of(course, zipped):
    source = zipped(
        {"lab/ada/masks/a.ipynb": "ada", "lab/ben.ipynb": "ben", "lab/__MACOSX/._ben.ipynb": ""}, "lab.zip"
    )
    assert whats(course, source) == {"ada": "new", "ben": "new"}
    assert handed_in(course) == {"ada/masks/a.ipynb": "ada", f"ben/masks/{NOTEBOOK}": "ben"}


def test_one_archive_per_student_is_opened_where_all_of_it_can_be_read(course, folder):
    damaged = bytearray(archive_of({"a.ipynb": "some text, long enough to be packed" * 20}))
    damaged[60:70] = b"\0" * 10
    source = folder(
        {
            "ada.zip": archive_of({"ada/masks/03_masks.ipynb": "ada", "ada/other/x.txt": "no"}),
            "ben.zip": bytes(damaged),
            "cy.zip": archive_of({"../../evil.ipynb": "evil", "03_masks.ipynb": "cy"}),
            "dan.7z": b"7z\xbc\xaf\x27\x1c",
        }
    )
    assert set(whats(course, source)) == {"ada", "ben", "cy", "dan"}
    files = handed_in(course)
    assert set(files) == {
        "ada/masks/03_masks.ipynb",
        "ben/masks/ben.zip",
        "cy/masks/cy.zip",
        "dan/masks/dan.7z",
    }
    assert (course.path / "submitted/ben/masks/ben.zip").read_bytes() == damaged


def test_a_time_of_handing_in_is_passed_on_as_nbgrader_writes_it(course, folder):
    source = folder(
        {"ada/masks/a.ipynb": "a", "ada/masks/timestamp.txt": "2026-02-03 04:05:06.5 UTC", "ben.ipynb": "b"}
    )
    collected(course, source)
    ada, ben = (course.folder("submitted", name, TOPIC) / "timestamp.txt" for name in ("ada", "ben"))
    assert ada.read_text() == "2026-02-03 04:05:06.500000 UTC"
    assert parse_utc(ben.read_text()).timestamp() == pytest.approx(
        parse_utc(
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.mktime((*MONDAY, 0, 0, -1))))
        ).timestamp()
    )


def test_what_is_not_understood_is_told_with_a_reason(course, folder, tmp_path):
    source = folder(
        {
            "ada.ipynb": "a",
            "notes.pdf": "",
            "03_masks.ipynb": "whose?",
            ".git/config": "",
            "masks/x.ipynb": "",
        }
    )
    (source / "link.ipynb").symlink_to("/etc/passwd")
    (source / "ben").mkdir()
    (source / "ben" / "a.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe.ipynb")
    found = collected(course, source)
    assert {name for name, one in found.items() if one.what == "new"} == {"ada"}
    assert {name: one.reason for name, one in found.items() if one.what != "new"} == {
        "notes.pdf": "it is no notebook and no archive",
        "03_masks.ipynb": "its name does not say whose it is",
        ".git": "it is hidden",
        "masks": "it is called like the chapter, not like a student: collect from inside it",
        "link.ipynb": "link.ipynb is a link, and links are not followed",
        "ben/a.ipynb": "ben/a.ipynb is a link, and links are not followed",
        "pipe.ipynb": "pipe.ipynb is a pipe",
    }
    assert list(handed_in(course)) == [f"ada/masks/{NOTEBOOK}"]


def test_what_is_for_other_chapters_stays_out(course, folder, monkeypatch):
    chapters = [Path(f"{stem}.md") for stem in ("03_masks", "04_attention", "05_masks_again")]
    monkeypatch.setattr(layouts, "chapter_paths", lambda: chapters)
    layouts._mentioned.cache_clear()
    source = folder(
        {
            "ada/03_masks.ipynb": "ada",
            "ada/04_attention.ipynb": "not this",
            "ben/05_masks_again/03_masks.ipynb": "not this",
            "cy/attention and masks.ipynb": "cy",
            "dan_05_masks_again.ipynb": "not this",
            "04_attention_ada.ipynb": "not this",
            "05_masks_again/ada.ipynb": "not this",
            "em_ma_masks.ipynb": "em_ma",
        }
    )
    assert whats(course, source) == {"ada": "new", "cy": "new", "em_ma": "new"}
    assert sorted(handed_in(course).values()) == ["ada", "cy", "em_ma"]
    layouts._mentioned.cache_clear()


# Moodle.


def test_moodle_download(course, zipped):
    source = zipped(
        {
            "Ada Lovelace_101_assignsubmission_file_/03_masks.ipynb": "ada",
            "Ada Lovelace_101_assignsubmission_onlinetext_/onlinetext.html": "<p>my answer</p>",
            "王小明_102_assignsubmission_file_/作业.ipynb": "wang",
            "José-María O'Neill_103_assignsubmission_file/sub/deep/03_masks.ipynb": "jose",
            "Kim Lee_104_assignsubmission_file_03_masks.ipynb": "flat",
            "Max Text_105_assignsubmission_onlinetext_/onlinetext.html": "<p>only this</p>",
            "Team Rocket_7_assignsubmission_file_/work.zip": archive_of({"03_masks.ipynb": "team"}),
            "grades.csv": "",
        }
    )  # fmt: skip
    found = collected(course, source)
    assert found["grades.csv"].reason == "Moodle would not call a submission that"
    assert found["Max Text_105"].reason == "it is text, not a file"
    assert handed_in(course) == {
        f"Ada Lovelace/masks/{NOTEBOOK}": "ada",
        "王小明/masks/作业.ipynb": "wang",
        f"José-María O'Neill/masks/{NOTEBOOK}": "jose",
        f"Kim Lee/masks/{NOTEBOOK}": "flat",
        f"Team Rocket/masks/{NOTEBOOK}": "team",
    }
    # All files of a download have its time, so this is not when they were handed in.
    assert not list(course.path.glob("submitted/*/*/timestamp.txt"))


def test_moodle_download_unpacked_is_the_same(course, zipped, tmp_path):
    source = zipped({"Ada Lovelace_101_assignsubmission_file_/03_masks.ipynb": "ada"})
    assert whats(course, source) == {"Ada Lovelace": "new"}
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert whats(course, tmp_path / "unpacked") == {"Ada Lovelace": "same"}


def test_two_of_the_same_name_are_told_apart_by_moodles_number_and_stay_so(course, zipped):
    one = {"Ada Lovelace_101_assignsubmission_file_/a.ipynb": "first"}
    two = {"Ada Lovelace_202_assignsubmission_file_/a.ipynb": "second"}
    assert whats(course, zipped(one)) == {"Ada Lovelace": "new"}
    assert whats(course, zipped(two)) == {"Ada Lovelace_202": "new"}
    assert whats(course, zipped({**one, **two})) == {"Ada Lovelace": "same", "Ada Lovelace_202": "same"}
    both = {"Kim Lee_1_assignsubmission_file_/a.ipynb": "1", "Kim Lee_2_assignsubmission_file_/a.ipynb": "2"}
    assert whats(course, zipped(both)) == {"Kim Lee_1": "new", "Kim Lee_2": "new"}


# Canvas.


def test_canvas_download(course, zipped):
    source = zipped(
        {
            "lovelaceada_4567_89001_03_masks.ipynb": "ada",
            "kimlee_LATE_4568_89002_03_masks.ipynb": "old",
            "kimlee_LATE_4568_89012_03_masks-1.ipynb": "older than",
            "kimlee_LATE_4568_89009_03_masks-2.ipynb": "not the newest",
            "王小明_4569_89003_my work.ipynb": "wang",
            "wangxiaoming_4570_text.html": "typed",
            "anon_aB3dE_89004_03_masks.ipynb": "hidden",
        }
    )
    found = collected(course, source)
    assert found["wangxiaoming_4570_text.html"].reason == "it is text, not a file"
    assert found["kimlee_LATE_4568_89002_03_masks.ipynb"].what == "older"
    assert found["kimlee_LATE_4568_89009_03_masks-2.ipynb"].what == "older"
    assert handed_in(course) == {
        f"lovelaceada_4567/masks/{NOTEBOOK}": "ada",
        f"kimlee_4568/masks/{NOTEBOOK}": "older than",
        "王小明_4569/masks/my work.ipynb": "wang",
        f"anon_aB3dE/masks/{NOTEBOOK}": "hidden",
    }


def test_names_with_dates_are_not_taken_for_canvas(course, folder):
    source = folder({"ada_2026_03_12.ipynb": "a", "ben_2026_03_12.ipynb": "b"})
    assert set(whats(course, source)) == {"ada_2026_03_12", "ben_2026_03_12"}


def test_everybody_is_found_again_in_the_roster(course, zipped):
    collected(
        course,
        zipped({"lovelaceada_4567_89001_a.ipynb": "a", "kimlee_4568_89002_a.ipynb": "k"}, "canvas.zip"),
    )
    moodle = {
        f"{who}_assignsubmission_file_/a.ipynb": who for who in ("Max Born_11", "Kim Lee_12", "Kim Lee_13")
    }
    collected(course, zipped(moodle, "moodle.zip"))
    with course.gradebook() as gradebook:
        numbers = {student.id: student.lms_user_id for student in gradebook.students}
    people = [
        Person(Result(path.name, "graded", {}, 0.0, {}, ""), "", "", "", numbers.get(path.name) or "")
        for path in sorted((course.path / "submitted").iterdir())
    ]
    canvas = Roster(["Student", "ID", "Section"], [["Lee, Kim", "4568", ""], ["Lovelace, Ada", "4567", ""]])
    assert [p.result.student for _, p in sorted(match(canvas, people)[0].items())] == [
        "kimlee_4568",
        "lovelaceada_4567",
    ]
    sheet = Roster(
        ["Identifier", "Full name"],
        [["Participant 13", "Kim Lee"], ["Participant 12", "Kim Lee"], ["Participant 11", "Max Born"]],
    )
    found = {row: person.result.student for row, person in match(sheet, people)[0].items()}
    assert found == {0: "Kim Lee_13", 1: "Kim Lee_12", 2: "Max Born"}


# nbgrader's exchange.


def through(step: type, config: Config) -> None:
    step(
        coursedir=CourseDirectory(config=config), authenticator=Authenticator(config=config), config=config
    ).start()


@pytest.fixture
def exchange(tmp_path):
    """Hands in through nbgrader itself, and returns the exchange."""
    config = Config()
    config.Exchange.root = str(tmp_path / "exchange")
    config.Exchange.cache = str(tmp_path / "cache")
    for place in ("outbound/masks", "inbound"):
        (tmp_path / "exchange/decoder" / place).mkdir(parents=True)

    def hand_in(student: str, text: str) -> Config:
        work = tmp_path / "work" / TOPIC
        work.mkdir(parents=True, exist_ok=True)
        (work / NOTEBOOK).write_text(text)
        config.CourseDirectory.update(course_id="decoder", assignment_id=TOPIC, student_id=student)
        config.Exchange.assignment_dir = str(work.parent)
        through(ExchangeSubmit, config)
        return config

    return hand_in


def test_nbgraders_exchange_and_nbgraders_own_collect(course, exchange, tmp_path):
    exchange("ada", "first")
    exchange("ada", "second")
    config = exchange("ben", "ben")
    root = tmp_path / "exchange"
    (root / "decoder/inbound/ben+attention+2026-03-01 10:00:00 UTC+x").mkdir()
    (root / "decoder/inbound/nonsense").mkdir()
    config.CourseDirectory.update(root=str(course.path), student_id="ben")
    through(ExchangeCollect, config)
    assert whats(course, root) == {
        "ada": "new",
        "ben": "same",
        "nonsense": "not understood",
    }
    assert handed_in(course)[f"ada/masks/{NOTEBOOK}"] == "second"
    newest = max(path.name.split("+")[2] for path in (root / "decoder/inbound").glob("ada+*"))
    assert (course.path / "submitted/ada/masks/timestamp.txt").read_text() == newest
    assert whats(course, root / "decoder") == whats(course, root / "decoder/inbound")
    exchange("ben", "better")
    assert whats(course, root)["ben"] == "newer"
    assert handed_in(course)[f"ben/masks/{NOTEBOOK}"] == "better"


def test_a_submission_in_anothers_name_is_told(course, exchange, tmp_path, monkeypatch):
    exchange("ada", "forged")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    found = collected(course, tmp_path / "exchange")["ada"]
    assert found.what == "new" and "belongs to" in found.reason


# Again and again.


def test_the_same_again_changes_nothing(course, zipped):
    members = {f"{who}_assignsubmission_file_/{NOTEBOOK}": who for who in ("Ada Lovelace_1", "Kim Lee_2")}
    collected(course, zipped(members))
    before = snapshot(course.path / "submitted")
    assert set(whats(course, zipped(members, date=TUESDAY)).values()) == {"same"}
    assert snapshot(course.path / "submitted") == before
    assert not (course.path / "superseded").exists()


def test_the_newer_takes_the_place_of_the_older_and_never_the_other_way_round(course, zipped):
    old, new = ({f"Kim Lee_2_assignsubmission_file_/{NOTEBOOK}": text} for text in ("old", "new"))
    assert whats(course, zipped(old)) == {"Kim Lee": "new"}
    assert whats(course, zipped(new, date=TUESDAY)) == {"Kim Lee": "newer"}
    (kept,) = course.path.glob(f"superseded/Kim Lee/masks/*/{NOTEBOOK}")
    assert kept.read_text() == "old" and kept.parent.name.startswith("2026-03-0")
    assert whats(course, zipped(old, date=MONDAY)) == {"Kim Lee_2_assignsubmission_file_": "older"}
    assert handed_in(course) == {f"Kim Lee/masks/{NOTEBOOK}": "new"}


def test_what_was_put_there_by_hand_is_kept_too(course, folder):
    path = course.notebook("submitted", "ada", TOPIC)
    path.parent.mkdir(parents=True)
    path.write_text("by hand")
    path.with_name("timestamp.txt").write_text("2026-03-02 23:00:00 UTC")
    assert whats(course, folder({"ada.ipynb": "x"}, date=SUNDAY)) == {"ada.ipynb": "older"}
    assert whats(course, folder({"ada.ipynb": "x"}, date=TUESDAY)) == {"ada": "newer"}
    (old,) = (course.path / "superseded/ada/masks").iterdir()
    assert old.name == "2026-03-02 23-00-00 UTC" and (old / NOTEBOOK).read_text() == "by hand"


@pytest.mark.parametrize("stop", range(1, 12))
def test_killed_at_any_moment_the_same_command_goes_on(course, folder, monkeypatch, stop):
    collected(course, folder({"ada.ipynb": "old", "ben.ipynb": "same"}))
    source = folder({"ada.ipynb": "new", "ben.ipynb": "same", "cy.ipynb": "cy"}, date=TUESDAY)
    left = iter(range(stop))
    rename, replace = os.rename, os.replace

    def killed(do):
        def perhaps(*arguments):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return do(*arguments)

        return perhaps

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed(rename))
        patch.setattr(os, "replace", killed(replace))
        with contextlib.suppress(KeyboardInterrupt):
            collected(course, source)
    collected(course, source)
    files = {
        f"{name}/masks/{NOTEBOOK}": text for name, text in (("ada", "new"), ("ben", "same"), ("cy", "cy"))
    }
    assert handed_in(course) == files
    assert [path.read_text() for path in course.path.glob(f"superseded/*/masks/*/{NOTEBOOK}")] == ["old"]
    assert set(whats(course, source).values()) == {"same"}


# What strangers call themselves and their files.


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("ada", "ada"),
        ("王小明", "王小明"),
        ("Jose\u0301", "José"),
        ("..", ""),
        ("../../etc", "etc"),
        ("--help", "help"),
        ("a/b\\c+d*e", "a-b-c-d-e"),
        ("\u202egnp.exe\x00\n", "gnp.exe--"),
        ("  a   b .", "a b"),
        ("长" * 200, "长" * 33),
        ("", ""),
    ],
)
def test_names_are_made_safe(told, name):
    assert names.safe(told).strip("-") == name.strip("-")


def test_names_that_some_systems_take_for_the_same_are_told_apart(course, zipped):
    source = zipped(
        {
            "ada.ipynb": "1",
            "ADA.ipynb": "2",
            "a+b.ipynb": "3",
            "a-b.ipynb": "4",
            "..ipynb": "5",
            "+.ipynb": "6",
        }
    )
    names = [one.student for one in collect(course, TOPIC, source) if one.what == "new"]
    assert len({name.casefold() for name in names}) == len(names) == 5
    assert all(re.match(r"(ada|a-b|student)-[0-9a-f]{6}", name.casefold()) for name in names), names
    assert set(whats(course, source).values()) == {"same", "not understood"}


def test_a_student_keeps_the_folder_of_other_topics(course, zipped):
    (course.path / "submitted/Ada Lovelace/attention").mkdir(parents=True)
    (course.path / "submitted/KIM LEE/attention").mkdir(parents=True)
    found = whats(
        course,
        zipped({f"{who}_assignsubmission_file_/a.ipynb": who for who in ("Ada Lovelace_1", "Kim Lee_2")}),
    )
    assert set(found) == {"Ada Lovelace", "Kim Lee_2"}


def test_hostile_members_touch_nothing_outside(course, zipped, tmp_path):
    link = zipfile.ZipInfo("Eve_3_assignsubmission_file_/link.ipynb", MONDAY)
    link.external_attr = 0o120777 << 16
    source = zipped(
        {
            "../../outside.ipynb": "x",
            "/tmp/absolute.ipynb": "x",
            "\0no name.ipynb": "x",
            "Bob_1_assignsubmission_file_/../../../up.ipynb": "x",
            "Bob_1_assignsubmission_file_/..\\..\\back.ipynb": "x",
            "Bob_1_assignsubmission_file_/fine\u202e.ipynb": "fine",
            "Bob_1_assignsubmission_file_/timestamp.txt": "1999-01-01 00:00:00 UTC",
            "Cy_2_assignsubmission_file_/bomb.ipynb": b"\0" * 19_000_000 + b"1",
            link: "/etc/passwd",
            "Dan_4_assignsubmission_file_timestamp.txt": "1999-01-01 00:00:00 UTC",
        }
    )
    everything = snapshot(tmp_path)
    told = list(collect(course, TOPIC, source))
    found = {one.name: one for one in told}
    assert {one.student for one in found.values() if one.what == "new"} == {"Bob", "Cy"}
    assert sum(one.reason == "its name leads elsewhere, or too deep" for one in told) == 5
    assert "links are not followed" in found["Eve_3_assignsubmission_file_"].reason
    assert set(handed_in(course)) == {"Bob/masks/fine-.ipynb", "Cy/masks/bomb.ipynb"}
    assert not list(course.path.rglob("timestamp.txt"))
    outside = {path for path in set(snapshot(tmp_path)) - set(everything) if "/course/" not in path}
    assert not outside and not Path("/tmp/absolute.ipynb").exists()


def test_bombs_and_damage_are_set_aside(course, zipped):
    bomb, secret = "Cy_2_assignsubmission_file_/bomb.ipynb", "Di_3_assignsubmission_file_/a.ipynb"
    source = zipped(
        {"Ada_1_assignsubmission_file_/a.ipynb": "a" * 1000, bomb: b"\0" * 21_000_000, secret: "s" * 99}
    )
    data = bytearray(source.read_bytes())
    place = data.index(b"Ada_1_assignsubmission_file_/a.ipynb") + 40
    data[place : place + 3] = b"\xff\xff\xff"
    source.write_bytes(data)
    found = collected(course, source)
    assert found["Cy_2_assignsubmission_file_"].reason.endswith("unpacks to too much")
    assert found["Ada_1_assignsubmission_file_"].reason.endswith("is damaged")
    assert set(handed_in(course)) == {"Di/masks/a.ipynb"}


def test_an_archive_of_too_much_is_refused(course, zipped, monkeypatch):
    source = zipped({f"{number}.ipynb": "x" for number in range(50)})
    monkeypatch.setattr(places, "MOST", 10)
    with pytest.raises(CourseError, match="holds more than 10 files"):
        collected(course, source)


def test_a_link_in_submitted_is_not_followed(course, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (course.path / "submitted").mkdir()
    (course.path / "submitted/ada").symlink_to(tmp_path / "elsewhere")
    found = collected(course, folder({"ada.ipynb": "x"}))
    assert found["ada.ipynb"].reason == "submitted/ada is no folder: move it away"
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_names_in_archives_that_do_not_say_their_encoding(course, zipped, encoding):
    name = "王小明.ipynb".encode(encoding)
    source = zipped({"x" * len(name): "wang"})
    source.write_bytes(source.read_bytes().replace(b"x" * len(name), name))
    assert whats(course, source) == {"王小明": "new"}


# What is refused in one sentence.


def test_sources_that_are_none(course, zipped, tmp_path):
    text = tmp_path / "text.zip"
    text.write_text("no archive")
    for source, why in {
        tmp_path / "nowhere": "there is nothing at",
        text: "is no folder and no zip archive",
        zipped({}, "empty.zip"): "holds nothing for masks",
    }.items():
        with pytest.raises(CourseError, match=why):
            list(collect(course, TOPIC, source))


def test_a_zipped_exchange(course, zipped):
    name = "ada+masks+2026-03-0{} 10:00:00.5 UTC+random"
    source = zipped({f"{name.format(n)}/{NOTEBOOK}": f"{n}" for n in (1, 3, 2)})
    assert whats(course, source) == {"ada": "new"}
    assert handed_in(course) == {f"ada/masks/{NOTEBOOK}": "3"}


def test_only_one_collects_at_a_time(course, folder):
    source = folder({"ada.ipynb": "a", "ben.ipynb": "b"})
    first = collect(course, TOPIC, source)
    next(first)
    with pytest.raises(CourseError, match="another command is writing"):
        list(collect(course, TOPIC, source))
    assert len(list(first)) == 1


# The whole way.


def test_from_moodle_to_points(course, zipped, tmp_path):
    course.release(TOPIC)
    school = Course.made(tmp_path / "school")
    school.release(TOPIC)
    write_sample_class(school, TOPIC)
    put_in = json.loads((school.path / RECORD).read_text())[TOPIC]
    names = {"aiko": "Aiko Abe_101", "dana": "Dana Doe_102", "grace": "王 Grace_103"}
    members = {
        f"{called}_assignsubmission_file_/{NOTEBOOK}": school.notebook("submitted", name, TOPIC).read_bytes()
        for name, called in names.items()
    }
    assert set(whats(course, zipped(members)).values()) == {"new"}
    students = course.students(TOPIC)
    assert students == ["Aiko Abe", "Dana Doe", "王 Grace"]
    assert {record.state for _, record in grade(course, TOPIC, students)} == {"graded"}
    got = {result.student: result.points for result in results(course, TOPIC)}
    of = {name: exercise.points() for name, exercise in exercises_of(TOPIC).items()}
    assert got["Aiko Abe"] == of
    assert set(got["Dana Doe"].values()) == {0}
    for name, answer in put_in["grace"].items():
        assert (got["王 Grace"][name] == of[name]) == (answer["kind"] == "right")
    shutil.rmtree(school.path)
