"""A believable class: right answers, every known mistake, one blank notebook, one half done.

What was put into each notebook is written to `sample_class.json` in the course, outside of `submitted/`,
so that what the grader says can be held against it.
"""

import ast
import builtins
import copy
import inspect
import json
import random
import symtable
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.answers import ways_of
from autograder.chapters import definition, solution_source
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.notebooks import write

SEED = 2017
RECORD = "sample_class.json"
ALL_RIGHT = ("aiko", "bruno", "chidi")
BLANK, HALF_DONE, NOISY = "dana", "emre", "fatima"
# How prone to mistakes each of the others is, and so how many each makes.
OTHERS = {
    "grace": 1, "hiro": 1, "ines": 1, "jonas": 2, "kavya": 2, "leila": 2, "mateo": 3, "nadia": 3, "olga": 3,
    "pedro": 4, "quynh": 4, "rafael": 4, "sofia": 5, "tomas": 5, "uma": 6, "viktor": 6, "wei": 7, "zanele": 7,
}  # fmt: skip
NOISE = "import sys\nimport warnings\n\n"
NOISY_LINES = 'warnings.warn("is this the right way?")\nprint("looking at", locals(), file=sys.stderr)\n'


@dataclass(frozen=True)
class Answer:
    """What stands in one exercise of one notebook: `kind` is right, mistake, inherits or blank.

    A right way that calls another exercise of the notebook inherits what is wrong there.
    """

    kind: str
    name: str
    source: str | None


def write_sample_class(course: Course, topic: str) -> list[str]:
    """Write the class into `submitted/` and say who is in it; what has not changed is not written again.

    Raises CourseError where a submission is in the way that this function has not written.
    """
    released = nbformat.read(course.released(topic), as_version=4)
    record = course.path / RECORD
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    students = {student: answers for student, answers in _class(topic, released)}
    for student in students:
        if course.folder("submitted", student, topic).exists() and student not in known.get(topic, {}):
            raise CourseError(f"submitted/{student}/{topic} is not from a sample class: move it away first")
    known[topic] = {
        student: {name: {"kind": a.kind, "name": a.name} for name, a in answers.items()}
        for student, answers in students.items()
    }
    record.write_text(json.dumps(known, indent=1), encoding="utf-8")
    for day, (student, answers) in enumerate(students.items()):
        notebook = _answered(released, topic, answers)
        if student == NOISY:
            notebook.cells.insert(len(notebook.cells) // 2, new_code_cell("1 + 1  # just trying", id="mine"))
        path = course.notebook("submitted", student, topic)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_if_changed(path, write(notebook))
        _write_if_changed(path.with_name("timestamp.txt"), f"2026-03-{day % 14 + 1:02} 18:{day:02}:00 UTC\n")
    return list(students)


def answer_source(stub: str, function: Callable, exercises: set[str]) -> str:
    """The stub with a function's body in it, standing on its own wherever the notebook has torch.

    Module-level constants are written out, modules the body needs are imported above it.
    """
    code = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(code).body[0]
    body = textwrap.dedent("\n".join(code.splitlines()[node.body[0].lineno - 1 :]))
    header = []
    for name in sorted(_globals_of(code) - exercises - {"torch"}):
        value = function.__globals__[name]
        if isinstance(value, ModuleType):
            header.append(f"import {value.__name__}")
        else:
            body = body.replace(name, f'float("{value}")' if isinstance(value, float) else repr(value))
    return "\n".join([*header, *[""] * 2 * bool(header), _with_body(stub, body)])


def _class(topic: str, released: NotebookNode):
    """Everybody in the class, with their answers."""
    rng = random.Random(SEED)
    exercises = exercises_of(topic)
    stubs = {name: _cell(released, name).source for name in exercises}
    right = {name: _right_ways(topic, name, stubs[name], set(exercises)) for name in exercises}

    def answers(chosen: dict[str, Answer]) -> dict[str, Answer]:
        full = {name: chosen.get(name) or rng.choice(right[name]) for name in exercises}
        return _inheriting(full)

    for student in ALL_RIGHT:
        yield student, answers({})
    yield BLANK, {name: Answer("blank", "", None) for name in exercises}
    written = len(exercises) // 2 + 1
    yield HALF_DONE, answers({name: Answer("blank", "", None) for name in list(exercises)[written:]})
    first = next(iter(exercises))
    noisy = NOISE + _with_body(stubs[first], NOISY_LINES + _body_of(solution_source(topic, first)))
    yield NOISY, answers({first: Answer("right", "with_a_warning", noisy)})
    for student, mistakes in _dealt(topic, rng).items():
        chosen = {
            name: Answer("mistake", m.name, answer_source(stubs[name], m.implementation, set(exercises)))
            for name, m in mistakes.items()
        }
        yield student, answers(chosen)


def _dealt(topic: str, rng: random.Random) -> dict[str, dict]:
    """Every known mistake given to somebody, and a few popular ones to those who make few others."""
    hands: dict[str, dict] = {student: {} for student in OTHERS}
    hardest_first = sorted(exercises_of(topic).values(), key=lambda exercise: -len(exercise.mistakes))
    for exercise in hardest_first:
        for mistake in rng.sample(exercise.mistakes, len(exercise.mistakes)):
            free = [student for student, hand in hands.items() if exercise.name not in hand]
            prone = min(free, key=lambda student: ((len(hands[student]) + 1) / OTHERS[student], rng.random()))
            hands[prone][exercise.name] = mistake
    popular = {exercise.name: exercise.mistakes[0] for exercise in hardest_first[:3]}
    for student, hand in hands.items():
        free = [name for name in popular if name not in hand]
        if OTHERS[student] <= 3 and free:
            name = rng.choice(free)
            hand[name] = popular[name]
    return hands


def _right_ways(topic: str, name: str, stub: str, exercises: set[str]) -> list[Answer]:
    reference = _with_body(stub, _body_of(solution_source(topic, name)))
    ways = ways_of(topic).get(name, {})
    others = [Answer("right", way, answer_source(stub, f, exercises)) for way, f in ways.items()]
    return [Answer("right", "reference", reference), *others]


def _inheriting(answers: dict[str, Answer]) -> dict[str, Answer]:
    """The same answers, where what calls a wrong or missing one is no longer said to be right."""
    told: dict[str, Answer] = {}
    for name, answer in answers.items():
        calls = _globals_of(answer.source or "") & {n for n, a in told.items() if a.kind != "right"}
        kind = "inherits" if answer.kind == "right" and calls else answer.kind
        told[name] = Answer(kind, answer.name, answer.source)
    return told


def _answered(released: NotebookNode, topic: str, answers: dict[str, Answer]) -> NotebookNode:
    notebook = copy.deepcopy(released)
    for name, answer in answers.items():
        if answer.source is not None:
            _cell(notebook, name).source = answer.source
    return notebook


def _cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell of a released notebook that holds an exercise's stub."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and definition(cell.source).name == name:
            return cell
    raise KeyError(name)


def _with_body(stub: str, body: str) -> str:
    """A stub whose body, after the docstring, is this one."""
    node = definition(stub)
    last = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    head = "\n".join(stub.splitlines()[:last])
    return f"{head}\n{textwrap.indent(body.rstrip(), '    ')}"


def _body_of(source: str) -> str:
    node = definition(source)
    first = node.body[1 if ast.get_docstring(node) else 0].lineno - 1
    return textwrap.dedent("\n".join(source.splitlines()[first : node.end_lineno]))


def _globals_of(source: str) -> set[str]:
    """The names that the functions of a source take from their module."""

    def inside(table: symtable.SymbolTable) -> set[str]:
        own = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        return own.union(*map(inside, table.get_children()))

    children = symtable.symtable(source, "<answer>", "exec").get_children()
    bodies = [child for child in children if child.get_type() == "function"]
    return set().union(*map(inside, bodies)) - set(vars(builtins))


def _write_if_changed(path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
