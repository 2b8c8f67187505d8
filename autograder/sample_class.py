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
import re
import symtable
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.answers import ways_of
from autograder.chapters import definition, solution_source
from autograder.course import Course
from autograder.errors import CourseError
from autograder.examination import names_reached
from autograder.exercises import exercises_of
from autograder.exercises.specification import Mistake
from autograder.intake.python import Reader
from autograder.notebooks import write

SEED = 2017
RECORD = "sample_class.json"
ALL_RIGHT = ("aiko", "bruno", "chidi")
BLANK, HALF_DONE, NOISY = "dana", "emre", "fatima"
SENT_BACK = "grace"  # makes one mistake, and calls it in an answer that is right otherwise
# How prone to mistakes each of the others is, and so how many each makes.
OTHERS = {
    "hiro": 1, "ines": 1, "jonas": 2, "kavya": 2, "leila": 2, "mateo": 3, "nadia": 3, "olga": 3,
    "pedro": 4, "quynh": 4, "rafael": 4, "sofia": 5, "tomas": 5, "uma": 6, "viktor": 6, "wei": 7, "zanele": 7,
}  # fmt: skip
# Where an exercise has more known mistakes than they are, these hand in as well: a class for every mistake.
LATECOMERS = (
    "abena", "bilal", "carmen", "dmitri", "elif", "farid", "giulia", "hanna", "isamu", "jamila", "kofi",
    "lucia", "marek", "ngozi", "oskar", "priya", "rosa", "samir", "tala", "ulla", "vera", "yusuf", "zoe",
    "anouk", "boris", "celia", "diego", "esra", "felix", "greta", "hugo", "ivana", "jana", "karim", "lars",
    "maren", "nils", "odile", "pavel", "qiang", "renata", "sven", "tariq", "umar", "vilma", "wanda", "xenia",
    "yara", "zeno", "amara", "bram", "chiara", "david", "emeka", "fatou",
)  # fmt: skip
PRONE = 4
CALLS_THE_CHANGED = re.compile(r"super\(\)\.(?!__init__\(\))")
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


def answer_source(stub: str, implementation: Callable, known: set[str]) -> str:
    """The stub with an implementation in it, standing on its own wherever the notebook has the known names.

    A class that changes methods of the reference is written as the reference with these methods in it.
    """
    code = textwrap.dedent(inspect.getsource(implementation))
    base = getattr(implementation, "__base__", implementation)
    names = vars(inspect.getmodule(base)) | vars(inspect.getmodule(implementation))
    above: dict[str, str] = {}
    if isinstance(implementation, type):
        source = _class_source(definition(stub).name, code, implementation)
        source = _written_out(source, names, known, above)
    else:
        code = _written_out(code, names, known, above)
        node = ast.parse(code).body[0]
        source = _with_body(stub, textwrap.dedent("\n".join(code.splitlines()[node.body[0].lineno - 1 :])))
    imports = [line for line in above.values() if line.startswith(("import ", "from "))]
    helpers = [text for text in above.values() if text not in imports]
    return "\n\n\n".join(filter(None, ["\n".join(imports), *helpers, source]))


def _written_out(source: str, names: dict, known: set[str], above: dict[str, str]) -> str:
    """The source, with constants written out; what it needs besides is put into `above`, in order.

    Right answers of the same chapter are written out under another name, so that they are right here too.
    """
    for name in sorted(_globals_of(source) - known):
        value = names[name]
        module = getattr(value, "__module__", "")
        if isinstance(value, float):
            source = re.sub(rf"\b{name}\b", f'float("{value}")', source)
        elif isinstance(value, ModuleType):
            above[name] = f"import {value.__name__}" + ("" if name == value.__name__ else f" as {name}")
        elif module.startswith(("autograder.", "solutions.")):
            new = name if module.startswith("autograder.") else f"right_{value.__name__}"
            source = re.sub(rf"\b{name}\b", new, source)
            if new not in above:
                text = textwrap.dedent(inspect.getsource(value))
                text = re.sub(rf"\b{value.__name__}\b", new, text)
                above[new] = _written_out(text, vars(inspect.getmodule(value)), known | {new}, above)
        elif module:
            above[name] = f"from {module} import {name}"
        else:
            source = re.sub(rf"\b{name}\b", repr(value), source)
    return source


def _class_source(name: str, code: str, implementation: type) -> str:
    """A class under this name; where it only changes methods of another one, that one with its methods.

    Where it calls what it changes, or descends from several, these stand above it under other names.
    """
    changed = _without_decorators(code)
    base = implementation.__base__
    line = [c for c in implementation.__mro__ if c.__module__.startswith(("autograder.", "solutions."))]
    if len(line) > 1 and (len(line) > 2 or base.__name__ != name or CALLS_THE_CHANGED.search(changed)):
        return "\n\n\n".join(_one_above_the_other(name, line[::-1]))
    if base.__name__ == name:
        lines = textwrap.dedent(inspect.getsource(base)).splitlines()
        old = {m.name: m for m in definition("\n".join(lines)).body if isinstance(m, ast.FunctionDef)}
        new = changed.splitlines()
        methods, others = {}, []
        for statement in definition(changed).body:
            its = new[statement.lineno - 1 : statement.end_lineno]
            if isinstance(statement, ast.FunctionDef):
                methods[statement.name] = its
            else:
                others += its
        for method, node in sorted(old.items(), key=lambda item: -item[1].lineno):
            if method in methods:
                lines[node.lineno - 1 : node.end_lineno] = methods.pop(method)
        for method in [others, *methods.values()]:
            lines += ["", *method] if method else []
        return "\n".join(lines)
    return re.sub(rf"\bclass {implementation.__name__}\b", f"class {name}", changed, count=1)


def _one_above_the_other(name: str, line: list[type]) -> Iterator[str]:
    """The classes of a line of descent, the last under this name and each based on the one above it."""
    above = ""
    for generation, one in enumerate(line):
        last = one is line[-1]
        new = name if last else f"right_{name}" + f"_{generation}" * bool(generation)
        code = _without_decorators(textwrap.dedent(inspect.getsource(one)))
        bases = f"({above})" if above else r"\1"
        yield re.sub(r"\Aclass \w+(\([^)]*\))?:", f"class {new}{bases}:", code, count=1)
        above = new


def _without_decorators(code: str) -> str:
    return "\n".join(code.splitlines()[definition(code).lineno - 1 :])


def _class(topic: str, released: NotebookNode):
    """Everybody in the class, with their answers."""
    rng = random.Random(SEED)
    exercises = exercises_of(topic)
    stubs = {name: _cell(released, name).source for name in exercises}
    given_cells = _given_cells(released)
    given = set().union(*(Reader().code(cell).binds for cell in given_cells))
    right = {name: _right_ways(topic, name, stubs[name], given | set(exercises)) for name in exercises}

    def answers(chosen: dict[str, Answer]) -> dict[str, Answer]:
        full = {name: chosen.get(name) or rng.choice(right[name]) for name in exercises}
        return _inheriting(full, given_cells)

    for student in ALL_RIGHT:
        yield student, answers({})
    yield BLANK, {name: Answer("blank", "", None) for name in exercises}
    written = len(exercises) // 2 + 1
    yield HALF_DONE, answers({name: Answer("blank", "", None) for name in list(exercises)[written:]})
    first = next(iter(exercises))
    noisy = NOISE + _noisy(stubs[first], solution_source(topic, first))
    yield NOISY, answers({first: Answer("right", "with_a_warning", noisy)})

    def made(mistakes: dict[str, Mistake]) -> dict[str, Answer]:
        return {
            name: Answer("mistake", m.name, answer_source(stubs[name], m.implementation, given))
            for name, m in mistakes.items()
        }

    base, calling = next(_calls_among(right), (first, None))
    called = {calling: right[calling][0]} if calling else {}
    yield SENT_BACK, answers(made({base: exercises[base].mistakes[0]}) | called)
    for student, mistakes in _dealt(topic, rng).items():
        yield student, answers(made(mistakes))


def _dealt(topic: str, rng: random.Random) -> dict[str, dict[str, Mistake]]:
    """Every known mistake given to somebody, and a few popular ones to those who make few others."""
    most = max(len(exercise.mistakes) for exercise in exercises_of(topic).values())
    prone = OTHERS | dict.fromkeys(LATECOMERS[: max(0, most - len(OTHERS))], PRONE)
    hands: dict[str, dict] = {student: {} for student in prone}
    hardest_first = sorted(exercises_of(topic).values(), key=lambda exercise: -len(exercise.mistakes))
    for exercise in hardest_first:
        for mistake in rng.sample(exercise.mistakes, len(exercise.mistakes)):
            free = [student for student, hand in hands.items() if exercise.name not in hand]
            maker = min(free, key=lambda student: ((len(hands[student]) + 1) / prone[student], rng.random()))
            hands[maker][exercise.name] = mistake
    popular = {exercise.name: exercise.mistakes[0] for exercise in hardest_first[:3]}
    for student, hand in hands.items():
        free = [name for name in popular if name not in hand]
        if prone[student] <= 3 and free:
            name = rng.choice(free)
            hand[name] = popular[name]
    return hands


def _right_ways(topic: str, name: str, stub: str, known: set[str]) -> list[Answer]:
    solution = solution_source(topic, name)
    reference = solution if _is_class(stub) else _with_body(stub, _body_of(solution))
    ways = ways_of(topic).get(name, {})
    others = [Answer("right", way, answer_source(stub, f, known)) for way, f in ways.items()]
    return [Answer("right", "reference", reference), *others]


def _calls_among(right: dict[str, list[Answer]]) -> Iterator[tuple[str, str]]:
    """Pairs of exercises of which the reference of the second calls the first."""
    for calling, (reference, *_) in right.items():
        called = _globals_of(reference.source)
        yield from ((base, calling) for base in right if base in called)


def _inheriting(answers: dict[str, Answer], given_cells: list[str]) -> dict[str, Answer]:
    """The same answers, where what calls a wrong or missing one is no longer said to be right.

    Some call it through what the notebook gives.
    """
    told: dict[str, Answer] = {}
    for name, answer in answers.items():
        reached = names_reached(_globals_of(answer.source or ""), given_cells)
        calls = reached & {n for n, a in told.items() if a.kind != "right"}
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
        marked = cell.metadata.get("nbgrader", {})
        if marked.get("solution") and marked["grade_id"].partition("-")[2] == name:
            return cell
    raise KeyError(name)


def _given_cells(notebook: NotebookNode) -> list[str]:
    """The code of a released notebook without its exercises."""
    return [c.source for c in notebook.cells if c.cell_type == "code" and "nbgrader" not in c.metadata]


def _is_class(source: str) -> bool:
    return isinstance(definition(source), ast.ClassDef)


def _noisy(stub: str, solution: str) -> str:
    """A right answer that warns and prints: where it is called, or a class where it is defined."""
    if _is_class(stub):
        return f"{NOISY_LINES}\n\n{solution}"
    return _with_body(stub, NOISY_LINES + _body_of(solution))


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
    """The names that the functions and classes of a source take from their module."""

    def inside(table: symtable.SymbolTable) -> set[str]:
        own = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        return own.union(*map(inside, table.get_children()))

    children = symtable.symtable(source, "<answer>", "exec").get_children()
    bodies = [child for child in children if child.get_type() in ("function", "class")]
    return set().union(*map(inside, bodies)) - set(vars(builtins))


def _write_if_changed(path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
