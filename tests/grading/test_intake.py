"""Whatever is handed in: nothing is lost that can be recovered, nothing harms, nothing is slow."""

import contextlib
import functools
import json
import os
import random
import time

import nbformat
import pytest
from damaged import DAMAGED, answer, answers, code_cell, data, grade_id, released_stub, source, zipped
from nbgrader.converters import Autograde

from autograder.chapters import chapter_path, solution_source
from autograder.course import Course
from autograder.exercises import exercises_of
from autograder.exercises.namespace import Near
from autograder.intake import Submission, Unreadable, from_notebook, read_bytes, read_submission, tidy
from autograder.sandbox.student import _run, _Shell
from autograder.verdict import judge

TOPIC = "masks"
EXERCISES = exercises_of(TOPIC)


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    course = Course.made(tmp_path_factory.mktemp("course") / "course")
    course.release(TOPIC)
    return course


@pytest.fixture(scope="session")
def released(course):
    return nbformat.read(course.released(TOPIC), as_version=4)


@pytest.fixture(scope="session")
def right(released):
    """The released notebook with every exercise solved, as plain JSON. The stubs travel in its metadata."""
    notebook = json.loads(nbformat.writes(released))
    stubs = {grade_id(cell).removeprefix("masks-"): source(cell) for cell in answers(notebook)}
    notebook["metadata"]["stubs"] = stubs
    for cell in answers(notebook):
        cell["source"] = solution_source(TOPIC, grade_id(cell).removeprefix("masks-")).splitlines(
            keepends=True
        )
    return notebook


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "submitted" / "aiko" / TOPIC
    folder.mkdir(parents=True)
    return folder


def full_marks(submission: Submission) -> set[str]:
    """The exercises that earn all their points when the chosen cells are really run."""
    return _full_marks(tuple(submission.sources))


@functools.cache
def _full_marks(sources: tuple[str, ...]) -> frozenset[str]:
    names = {"__name__": "__main__"}
    names["get_ipython"] = lambda: _Shell(names)
    for _ in _run(sources, names):
        pass
    return frozenset(n for n, exercise in EXERCISES.items() if judge(exercise, Near(names), "seed").passed)


@pytest.fixture
def read(released):
    """Read a notebook given as cells of code, or as plain JSON."""

    def read(notebook):
        if isinstance(notebook, list):
            notebook = {
                "cells": [c if isinstance(c, dict) else code_cell(c) for c in notebook],
                "nbformat": 4,
            }
        return from_notebook(notebook, TOPIC, released)

    return read


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_what_can_be_recovered_is(damaged, right, released, folder):
    damaged.put_into(folder, right)
    began = time.process_time()
    if damaged.unreadable:
        with pytest.raises(Unreadable, match=damaged.unreadable):
            read_submission(folder, TOPIC, released)
    else:
        submission = read_submission(folder, TOPIC, released)
    assert time.process_time() - began < 4
    if damaged.unreadable:
        return
    assert set(EXERCISES) - full_marks(submission) == damaged.lost
    assert damaged.says in " ".join(submission.repairs)
    assert damaged.flag in " ".join(submission.flags)
    assert bool(submission.flags) == bool(damaged.flag), submission.flags
    check_tidy(submission, released)


def check_tidy(submission: Submission, released) -> None:
    """The tidied notebook is valid, whole, and says the same when it is read again."""
    notebook = tidy(submission, released)
    nbformat.validate(notebook)
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    expected = [
        cell.metadata["nbgrader"]["grade_id"] for cell in released.cells if "nbgrader" in cell.metadata
    ]
    assert sorted(filter(None, ids)) == sorted(expected)
    again = from_notebook(notebook, TOPIC, released)
    assert tidy(again, released) == notebook
    assert full_marks(again) == full_marks(submission)
    for name, index in submission.answers.items():
        before, after = submission.cells[index].source, again.cells[again.answers[name]].source
        assert after == before or after in before
        assert ids[again.answers[name]] == f"masks-{name}"


def test_the_set_of_damages_is_large():
    assert len(DAMAGED) >= 60


SEVERAL = [
    "utf16",
    "all_answers_in_one_cell",
    "metadata_stripped",
    "graded_cells_copied",
    "an_answer_deleted",
]
SEVERAL += [
    "converted_to_a_script",
    "ids_missing_doubled_and_invalid",
    "metadata_of_another_kind",
    "version_3",
]


def test_nbgrader_accepts_what_was_tidied(right, released, tmp_path):
    """Its own sanitising, overwriting, checking and saving, without running the cells."""
    course = Course.made(tmp_path / "course")
    course.release(TOPIC)
    with open(course.config_file, "a", encoding="utf-8") as config:
        kept = ("SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata")
        config.write(
            f"c.Autograde.autograde_preprocessors = {[f'nbgrader.preprocessors.{k}' for k in kept]}\n"
        )
    for name in SEVERAL:
        folder = course.folder("submitted", name, TOPIC)
        folder.mkdir(parents=True)
        DAMAGED[name].put_into(folder, right)
        submission = read_submission(folder, TOPIC, released)
        nbformat.write(tidy(submission, released), course.notebook("submitted", name, TOPIC))
    course.convert(Autograde, TOPIC)
    for name in SEVERAL:
        graded = nbformat.read(course.notebook("autograded", name, TOPIC), as_version=4)
        assert set(EXERCISES) - full_marks(from_notebook(graded, TOPIC, released)) == DAMAGED[name].lost
    with course.gradebook() as gradebook:
        for name in SEVERAL:
            grades = gradebook.find_submission(TOPIC, name).notebooks[0].grades
            assert {grade.cell.name for grade in grades} == {f"masks-{name}-tests" for name in EXERCISES}


# What is run


def test_only_what_matters_is_run(right, read):
    *helpers, last = [cell.strip() for cell in read(right).sources]
    imports = [cell for cell in [*helpers, last] if not cell.startswith("def ")]
    assert len(imports) == 1 and imports[0].startswith("import matplotlib.pyplot")
    defined = [
        cell.split("(")[0].removeprefix("def ") for cell in [*helpers, last] if cell.startswith("def ")
    ]
    assert defined == list(EXERCISES)


@pytest.mark.parametrize(
    "helper",
    [
        "def helper(n): return n",
        "helper = 3",
        "helper: int = 3",
        "from os import path as helper",
        "import os as helper",
        "class helper: pass",
        "for helper in range(3): pass",
        "with open('/dev/null') as helper: pass",
        "(first, [helper, *rest]) = 1, [2, 3]",
        "print(helper := 3)",
        "[helper := n for n in range(3)]",
        "helper += 1",
        "del helper",
        "try:\n    import helper\nexcept ImportError as helper:\n    pass",
        "def setup():\n    global helper\n    helper = 3\nsetup()",
        "helper.attribute = 3",
        "helper['key'][0].a = 3",
        "@add_to(helper)\ndef method(self): pass",
        "helper.update(key=3)",
        "from os.path import *",
        "async def helper(): pass",
        "match 3:\n    case helper: pass",
        "%%time\nhelper = 3",
        "%pip install helper\nhelper = 3",
        ">>> helper = 3",
        "    helper = 3",
        "helper = (3",
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        "def causal_mask(n):\n    return helper",
        "def causal_mask(n, m=helper):\n    return n",
        "def causal_mask(n: helper):\n    return n",
        "@helper\ndef causal_mask(n):\n    return n",
        "class causal_mask(helper): pass",
        "def causal_mask(n):\n    def inner():\n        return [helper for _ in n]\n    return inner",
        "causal_mask = lambda n: helper",
        "causal_mask = helper\ncausal_mask(3",
    ],
)
def test_what_an_answer_needs_is_run(read, helper, use):
    for cells in ([helper, use, "unused = 1"], ["unused = 1", use, helper]):
        assert read(cells).sources == [cell for cell in cells if cell != "unused = 1"]


@pytest.mark.parametrize(
    "use",
    [
        "def causal_mask(helper):\n    return helper",
        "def causal_mask(n):\n    helper = n\n    return helper",
        "def causal_mask(n):\n    return [helper for helper in n] + n.helper",
        "def causal_mask(n):\n    return n\nhelper = causal_mask(3)\nassert helper == 3",
        "def causal_mask(n):\n    'helper'  # helper\n    return n",
        "import helper as h\ndef causal_mask(n):\n    return h",
    ],
)
def test_what_an_answer_does_not_need_is_not_run(read, use):
    assert read(["helper = 3", use]).sources == [use]


def test_a_demonstration_is_run_only_where_nobody_else_brings_the_name(released, read):
    demonstration = next(
        c.source for c in released.cells if c.source.startswith("positions = ") or "future =" in c.source
    )
    use = "def causal_mask(n):\n    return future[:n, :n]"
    assert read([demonstration, use]).sources[-2:] == [demonstration, use]
    own = "future = 3"
    assert read([demonstration, own, use]).sources == [own, use]
    assert read([demonstration, "def causal_mask(n):\n    return n"]).sources == [
        "def causal_mask(n):\n    return n"
    ]


def test_imports_that_were_deleted_are_brought_back(released, read):
    use = "def causal_mask(n):\n    return torch.ones(n, n).tril().bool()"
    submission = read([use])
    assert full_marks(submission) == {"causal_mask"}
    assert "missing" in submission.repairs[0]
    assert read([f"import torch\n{use}"]).repairs == ()


def test_tests_are_never_run(right, read):
    cells = list(right["cells"])
    for name in EXERCISES:
        graded = next(c for c in cells if grade_id(c) == f"masks-{name}-tests")
        cells.append(code_cell(source(graded) + "\n# copied"))
    cells.append(code_cell("raise SystemExit\nmask = 3", metadata={"tags": ["tests"]}))
    cells.append(code_cell("def causal_mask(n):\n    return mask"))
    run = read({"cells": cells}).sources
    assert not any("visible tests pass" in cell or "SystemExit" in cell for cell in run)


def test_a_stub_is_run_where_nothing_else_is_there(released, read):
    submission = read(released)
    stubs = [cell for cell in submission.sources if "NotImplementedError" in cell]
    assert len(stubs) == len(EXERCISES) == len(submission.answers)
    assert full_marks(submission) == set()


def test_what_cannot_be_seen_has_everything_run(read):
    cells = ["a = 1", "exec('def causal' + '_mask(n): return a')", "b = 2"]
    assert read(cells).sources == cells
    with pytest.raises(Unreadable, match="nothing in it is of this chapter's exercises"):
        read(["a = 1", "c = 2", "b = 2"])


def test_the_answer_is_the_last_that_says_something(read, right):
    first, second = "def causal_mask(n):\n    return 1", "def causal_mask(n):\n    return 2"
    blank = 'def causal_mask(n):\n    """Text."""\n    raise NotImplementedError'
    broken = "def causal_mask(n):\n    return (2"
    stub = released_stub(right, "causal_mask")
    for cells, expected in (
        ([first, second], second),
        ([first, stub], first),
        ([first, blank], first),
        ([first, broken], first),
        ([broken, stub], broken),
        ([blank, stub], blank),
        ([stub, stub], stub),
    ):
        submission = read(cells)
        assert submission.cells[submission.answers["causal_mask"]].source == expected, cells
    assert read([first, second]).repairs == ("Two cells define causal_mask: the last one counts.",)
    assert stub not in read([stub, first]).sources


def test_what_is_run_last_is_what_is_said_to_count(read, released):
    """A later cell that is blank must not undo the answer."""
    answer = "import torch\n\ndef causal_mask(n):\n    return torch.ones(n, n).tril().bool()"
    blank = 'def causal_mask(n):\n    """Text."""\n    raise NotImplementedError'
    assert full_marks(read([answer, blank])) == {"causal_mask"}


def test_a_cell_of_several_answers_is_taken_apart_when_tidied(read, released):
    second = "def padding_mask(n):\n    return 2"
    merged = f"import math\n\n\n@math.cos\ndef causal_mask(n):\n    return 1\n\n\n# both\n{second}"
    submission = read([merged])
    assert submission.answers == {"causal_mask": 0, "padding_mask": 0}
    cells = {
        c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in tidy(submission, released).cells
    }
    assert cells["masks-causal_mask"] == merged
    assert cells["masks-padding_mask"] == second


# Classes, in their many pieces


@pytest.fixture(scope="session")
def modules():
    """The released notebook of chapter 04, and its class answered rightly."""
    topic = "self_attention"
    released = nbformat.read(chapter_path(topic).with_suffix(".ipynb"), as_version=4)
    return topic, released, solution_source(topic, "MultiHeadAttention")


def run_of(modules, *sources: str) -> Submission:
    topic, released, _ = modules
    return from_notebook({"cells": [*map(code_cell, sources)], "nbformat": 4}, topic, released)


@pytest.mark.parametrize(
    "later",
    [
        "def forward(self, x): return x\nMultiHeadAttention.forward = forward",
        "def forward(self, x): return x\nsetattr(MultiHeadAttention, 'forward', forward)",
        "class MultiHeadAttention(MultiHeadAttention):\n    def forward(self, x): return x",
        "@add_to(MultiHeadAttention)\ndef forward(self, x): return x",
        "vars(MultiHeadAttention)\nMultiHeadAttention.__init__.__doc__ = 'mine'",
    ],
)
def test_a_class_may_be_written_in_several_cells(modules, later):
    _, _, right = modules
    helper = "def add_to(cls):\n    return lambda f: setattr(cls, f.__name__, f)"
    begun = right[: right.index("    def forward")].rstrip()
    sources = run_of(modules, helper, begun, later).sources
    assert sources[-2:] == [begun, later]


def test_a_blank_class_below_undoes_no_answer(modules):
    _, released, right = modules
    stub = next(c.source for c in released.cells if "write MultiHeadAttention here" in c.source)
    for blank in (
        stub,
        stub.replace("Every", "Each"),
        "class MultiHeadAttention:\n    def __init__(self): pass",
    ):
        assert run_of(modules, right, blank).sources[-1] == right
    begun = "class MultiHeadAttention:\n    def __init__(self):\n        self.a = 1"
    assert run_of(modules, right, begun).sources[-1] == begun


def test_the_notebook_of_another_chapter_is_told_from_this_one():
    for theirs, ours in (("cross_attention", "self_attention"), ("self_attention", "embeddings")):
        handed_in, released = (
            nbformat.read(chapter_path(topic).with_suffix(".ipynb"), as_version=4) for topic in (theirs, ours)
        )
        with pytest.raises(Unreadable, match=f"another chapter, {theirs}"):
            from_notebook(json.loads(nbformat.writes(handed_in)), ours, released)


# What a person is told


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("import ctypes", "ctypes"),
        ("from gc import get_objects", "gc"),
        ("import sys; sys._getframe(1)", "_getframe"),
        ("open('/proc/self/maps')", "/proc"),
        ("torch._C._set_grad_enabled(True)", "torch._C"),
        ("import autograder.award", "autograder"),
        ("__import__('subprocess')", "subprocess"),
        ("getattr(torch, 'sock' 'et')", "socket"),
        ("object.__subclasses__()", "__subclasses__"),
        ("__builtins__['abs'] = None", "__builtins__"),
        ("import builtins", "builtins"),
        ("F.scaled_dot_product_attention(1)", "scaled_dot_product_attention"),
        ("getattr(torch, 'sock' + 'et')", "socket"),
        ("from companion.explorers.tokens import tokens_after", "explorers.tokens"),
        ("sdpa.__wrapped__(1)", "__wrapped__"),
        ("import asyncio", "asyncio"),
        ("ctypes.(", "ctypes"),
    ],
)
def test_a_person_looks_at_what_no_exercise_needs(read, line, word):
    submission = read([f"{line}\n\n\ndef causal_mask(n):\n    return n"])
    assert any(flag.startswith(f"It mentions {word}") for flag in submission.flags)


def test_nobody_looks_without_a_reason(read, right, released):
    assert read(right).flags == read(released).flags == ()
    innocent = (
        '# no ctypes\ndef causal_mask(magic, subprocessed):\n    """A socket, /proc."""\n    return magic.gcd'
    )
    assert read([innocent, "import ctypes"]).flags == ()


def test_what_a_person_reads_is_harmless(released, folder, right):
    nasty = "\u202e\u200b\x1b[31m<b>\n" + "x" * 150 + ".ipynb"
    (folder / nasty).write_bytes(data(right))
    other = json.loads(json.dumps(right))
    answer(other, "causal_mask")["source"] = "def causal_mask(n):\n    return 1"
    (folder / f"2{nasty}").write_bytes(data(other))
    submission = read_submission(folder, TOPIC, released)
    assert len(submission.flags) == 1
    for sentence in (submission.name, *submission.repairs, *submission.flags):
        assert sentence.isprintable() and len(sentence) <= 200
    with pytest.raises(Unreadable) as why:
        read_bytes(zipped({nasty: b"", "b" + nasty: b""}), TOPIC, released, nasty)
    assert str(why.value).isprintable() and len(str(why.value)) < 200


def test_another_chapter_is_told_by_its_exercises(monkeypatch, released, right):
    from autograder.intake import answers as module

    paths = [chapter_path(TOPIC), chapter_path(TOPIC).with_name("04_attention.md")]
    theirs = {"attend": object, "pay": object}
    monkeypatch.setattr(module, "chapter_paths", lambda: paths)
    monkeypatch.setattr(module, "exercises_of", lambda topic: EXERCISES if topic == TOPIC else theirs)
    with pytest.raises(Unreadable, match="another chapter, attention"):
        read_bytes(data({"cells": [code_cell("def attend(q, k, v):\n    return v")]}), TOPIC, released)
    with pytest.raises(Unreadable, match="another chapter, attention"):
        cell = code_cell("no python (", metadata={"nbgrader": {"grade_id": "attention-pay"}})
        read_bytes(data({"cells": [cell]}), TOPIC, released)
    both = [*right["cells"], code_cell("def attend(q, k, v):\n    return v")]
    assert len(read_bytes(data({"cells": both}), TOPIC, released).answers) == len(EXERCISES)


def test_the_digest_changes_with_what_is_run_and_with_nothing_else(read, right):
    before = read(right).digest
    more = json.loads(json.dumps(right))
    more["cells"].insert(0, code_cell("scratch = 1", outputs=[{"output_type": "stream", "text": "x"}]))
    more["cells"][1]["source"] = "# Mine"
    assert read(more).digest == before
    answer(more, "causal_mask")["source"] = "def causal_mask(n):\n    return 1"
    assert read(more).digest != before


# What is made to harm

MANY = 48_000
NASTY_SOURCES = {
    "minus signs": "x = " + "-" * MANY + "1",
    "attributes": "x" + ".a" * (MANY // 2),
    "calls": "x" + "()" * (MANY // 2),
    "sums": "x = 1" + "+1" * (MANY // 2),
    "brackets": "[" * MANY,
    "lambdas": "x = " + "lambda:" * (MANY // 7) + "1",
    "conditions": "x = " + "1 if 1 else " * (MANY // 12) + "1",
    "branches": "if 1: pass\n" + "elif 1: pass\n" * (MANY // 14),
    "blocks": "".join(" " * i + "if 1:\n" for i in range(300)),
    "decorators": "@a\n" * (MANY // 3),
    "escaped quotes": '"\\' * (MANY // 2),
    "quotes": '"' * MANY,
    "triple quotes": '"""\\' * (MANY // 4),
    "curly quotes": "“”" * (MANY // 2),
    "fences": "```\n" * (MANY // 4),
    "prompts": ">>> x\n... \n" * (MANY // 10),
    "magics": "%x\n" * (MANY // 3),
    "conflicts": "<<<<<<< a\n=======\n>>>>>>> b\n" * (MANY // 30),
    "spaces": "x" + " " * MANY + "y",
    "line ends": "\\\n" * (MANY // 2),
    "statements": "x=1;" * (MANY // 4),
    "giant number": "x = " + "9" * MANY,
}


@pytest.mark.parametrize("nasty", NASTY_SOURCES.values(), ids=NASTY_SOURCES)
@pytest.mark.parametrize("times", [1, 60])
def test_no_source_stops_or_slows_the_intake(read, released, nasty, times):
    good = "def causal_mask(n):\n    return 1"
    began = time.process_time()
    submission = read([good, *[nasty + "\n" * i for i in range(times)]])
    tidy(submission, released)
    assert time.process_time() - began < 4
    assert submission.cells[submission.answers["causal_mask"]].source == good


NASTY_FILES = {
    "open brackets": b"[" * 2**22,
    "open braces": b'{"a":' * 2**20,
    "quotes": b'"' * 2**22,
    "cells in cells": b'{"cells":[' * 2**19,
    "numbers": b"[" + b"1," * 2**21,
    "nothing": b'{"cells":[' + b"{}," * 2**20 + b"{}]}",
    "marks": b"# %%\n" * 2**20,
    "fences": b"```\n" * 2**20,
    "page": b"<html>" + b"<pre>" * 2**20,
    "tags": b"<html><pre>" + b"<" * 2**22,
    "conflicts": b"<<<<<<< a\n=======\n>>>>>>> b\n" * 2**17,
    "keys twice": b"{" + b'"cells":[1],' * 2**18 + b'"a":1}',
    "zips": b"PK\x03\x04" * 2**20,
    "zip entries": b"PK\x03\x04" + b"PK\x01\x02" * 1900 + b"PK\x05\x06" + bytes(18),
    "tar": (b"a" * 156 + b"0" + b"\0" * 100 + b"ustar" + b"\0" * 250) * 100,
    "gzip": b"\x1f\x8b\x08" + bytes(2**20),
}


@pytest.mark.parametrize("nasty", NASTY_FILES.values(), ids=NASTY_FILES)
def test_no_file_stops_or_slows_the_intake(released, nasty):
    began = time.process_time()
    with contextlib.suppress(Unreadable):
        assert not read_bytes(nasty, TOPIC, released).answers
    assert time.process_time() - began < 4


def test_no_noise_stops_the_intake(released, right):
    """A notebook with bytes changed, taken out and put in anywhere is still read."""
    whole, draw = data(right), random.Random(3)
    for _ in range(150):
        damaged = bytearray(whole)
        times = draw.choice([1, 3, 30, 300])
        for _ in range(times):
            at = draw.randrange(len(damaged))
            damaged[at : at + draw.choice([0, 1, 1, 50])] = draw.randbytes(draw.choice([0, 1, 3]))
        submission = read_bytes(bytes(damaged), TOPIC, released)
        nbformat.validate(tidy(submission, released))
        assert len(submission.answers) >= {1: 6, 3: 6, 30: 5, 300: 1}[times]


def test_a_notebook_is_read_at_once(released, right):
    whole = data(right)
    took = []
    for _ in range(10):
        began = time.process_time()
        read_bytes(whole, TOPIC, released)
        took.append(time.process_time() - began)
    assert min(took) < 0.02


def test_no_descriptor_is_left_open(released, folder, right):
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a_link_to_a_folder", "two_notebooks", "a_pipe"):
        inside = folder.parent / name / TOPIC
        inside.mkdir(parents=True)
        DAMAGED[name].put_into(inside, right)
        with contextlib.suppress(Unreadable):
            read_submission(inside, TOPIC, released)
    assert len(os.listdir("/proc/self/fd")) == before


def test_lines_are_counted_as_python_counts_them(read, released):
    """A form feed or a separator of lines within a line ends none."""
    second = "def padding_mask(n):\n    return 2"
    submission = read([f"x = 'a\u2028b\x0c'\n\ndef causal_mask(n):\n    return 1\n\n{second}"])
    cells = {
        c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in tidy(submission, released).cells
    }
    assert cells["masks-padding_mask"] == second
    script = f"x = 'a\u2028b'\ndef causal_mask(n):\n    return 1\n{second}\n"
    assert read_bytes(script.encode(), TOPIC, released).sources[-1] == second
