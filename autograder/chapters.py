"""Reading a chapter: its cells, its exercises, and whatever is wrong with them, by file and line."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from autograder.exercises import exercises_of
from autograder.exercises.specification import Exercise

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"

TAGS = {
    "exercise": "the stub of an exercise",
    "tests": "the visible tests of the exercise before it",
    "given": "a function the reader is given, word for word as in solutions/",
    "hide-input": "code folded on the page",
    "hide-output": "output folded on the page",
    "remove-input": "code left out of the page",
    "remove-output": "output left out of the page",
    "remove-cell": "run, but left out of the page",
    "raises-exception": "meant to raise",
}
STUB_COMMENT = "# Your code here"
PROSE_POINTS = re.compile(r"(\d+) points?\b")


class ChapterError(Exception):
    """Something is wrong in a chapter: one sentence, with the file and the line."""

    def __init__(self, path: Path, line: int, message: str):
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        super().__init__(f"{shown}:{line}: {message}")


@dataclass(frozen=True)
class Task:
    """An exercise as it stands in a chapter: which cells hold it, and its specification."""

    name: str
    number: str
    stub: int
    tests: int
    specification: type[Exercise]


@dataclass(frozen=True)
class Chapter:
    """A chapter as read from its file. `lines` holds the line each cell starts at."""

    path: Path
    number: int
    topic: str
    notebook: NotebookNode
    lines: tuple[int, ...]
    tasks: tuple[Task, ...]


def chapter_paths() -> list[Path]:
    """The chapters' files, in the order of the book."""
    return sorted(CHAPTERS.glob("[0-9][0-9]_*.md"))


def chapter_path(topic: str) -> Path:
    """The file of a topic; an unknown topic raises ValueError with the names there are."""
    paths = {path.stem[3:]: path for path in chapter_paths()}
    if topic not in paths:
        raise ValueError(f"there is no chapter '{topic}'; there is {', '.join(paths) or 'none yet'}")
    return paths[topic]


def read_chapter(path: Path) -> Chapter:
    """Read a chapter and hold it against its solution and its exercises.

    Raises ChapterError where the front matter is malformed, a tag is unknown, an exercise has no tests,
    no solution, no points or another signature than its solution, points in the prose are not those
    in fact, a given function differs from its solution, or a later chapter's solution is imported.
    """
    from jupytext.myst import MystMetadataParsingError, myst_to_notebook  # slow to load, and seldom needed

    text = path.read_text(encoding="utf-8")
    _check_front_matter(path, text)
    try:
        notebook = myst_to_notebook(text, add_source_map=True)
    except MystMetadataParsingError:
        raise ChapterError(path, _line_of_bad_options(text), "the options of a cell are no YAML") from None
    lines = _first_lines(text.splitlines(), notebook)
    number, topic = int(path.stem[:2]), path.stem[3:]
    _check_tags(path, notebook, lines)
    _check_code(path, notebook, lines, number)
    tasks = _find_tasks(path, notebook, lines, number, topic)
    _check_given(path, notebook, lines, topic)
    return Chapter(path, number, topic, notebook, lines, tasks)


def definition(code: str) -> ast.FunctionDef | ast.ClassDef | None:
    """The one function or class that a cell defines; None where it defines none or several."""
    defined = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return defined[0] if len(defined) == 1 else None


def solution_source(topic: str, name: str) -> str:
    """The source text of a public name in `solutions/topic.py`, its decorators included.

    KeyError where there is none.
    """
    text = (ROOT / "solutions" / f"{topic}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "\n".join(text.splitlines()[begin - 1 : node.end_lineno])
    raise KeyError(name)


def _check_front_matter(path: Path, text: str) -> None:
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if not match:
        raise ChapterError(path, 1, "a chapter begins with a front matter between two lines of ---")
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        line = error.problem_mark.line + 2 if getattr(error, "problem_mark", None) else 1
        raise ChapterError(path, line, f"the front matter is no YAML: {error.problem}") from None
    if not isinstance(front, dict) or "kernelspec" not in front or "jupytext" not in front:
        raise ChapterError(path, 1, "the front matter needs `jupytext` and `kernelspec`, as in 03_masks.md")


def _first_lines(text: list[str], notebook: NotebookNode) -> tuple[int, ...]:
    """The line, counted from 1, at which the source of each cell begins in the chapter's file."""
    begins = notebook.metadata.pop("source_map")
    first = [cell.source.split("\n")[0] for cell in notebook.cells]
    return tuple(text.index(line, begin) + 1 for line, begin in zip(first, begins, strict=True))


def _line_of_bad_options(text: str) -> int:
    """The line of the first code cell whose options are no YAML."""
    for match in re.finditer(r"^```\{code-cell\}.*\n((?::[\w-]+:.*\n)*)", text, re.MULTILINE):
        options = "\n".join(line[1:] for line in match[1].splitlines())
        try:
            yaml.safe_load(options)
        except yaml.YAMLError:
            return text[: match.start()].count("\n") + 1
    return 1


def _check_tags(path: Path, notebook: NotebookNode, lines: tuple[int, ...]) -> None:
    for cell, line in zip(notebook.cells, lines, strict=True):
        for tag in cell.metadata.get("tags", []):
            if tag not in TAGS:
                raise ChapterError(path, line, f"unknown tag '{tag}'; known are {', '.join(TAGS)}")


def _check_code(path: Path, notebook: NotebookNode, lines: tuple[int, ...], number: int) -> None:
    numbers = {other.stem[3:]: int(other.stem[:2]) for other in chapter_paths()}
    for cell, line in zip(notebook.cells, lines, strict=True):
        if cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            raise ChapterError(path, line + (error.lineno or 1) - 1, f"no Python: {error.msg}") from None
        for node in ast.walk(tree):
            for module in _modules(node):
                if module.startswith("solutions.") and numbers.get(module.split(".")[1], 0) >= number:
                    message = f"{module} belongs to this chapter or a later one: import earlier ones only"
                    raise ChapterError(path, line + node.lineno - 1, message)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return [f"solutions.{alias.name}" for alias in node.names] if module == "solutions" else [module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def _find_tasks(
    path: Path, notebook: NotebookNode, lines: tuple[int, ...], number: int, topic: str
) -> tuple[Task, ...]:
    tasks: list[Task] = []
    cells = notebook.cells
    stubs = [i for i, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    specifications = exercises_of(topic) if stubs else {}
    for index in stubs:
        line = lines[index]
        node = definition(cells[index].source)
        if node is None:
            raise ChapterError(path, line, "an exercise cell defines one function or class, and nothing else")
        if node.name in [task.name for task in tasks]:
            raise ChapterError(path, line, f"{node.name} is an exercise twice: its grade id would be too")
        if node.name not in specifications:
            where = f"autograder/exercises/{topic}.py"
            raise ChapterError(path, line, f"{node.name} has no points: {where} does not name it")
        _check_stub(path, line, topic, node, cells[index].source)
        tests = next((i for i in range(index + 1, len(cells)) if cells[i].cell_type == "code"), None)
        if tests is None or "tests" not in cells[tests].metadata.get("tags", []):
            message = f"the code cell after the exercise {node.name} must hold its tests (tag `tests`)"
            raise ChapterError(path, line, message)
        points = specifications[node.name].points()
        _check_prose(path, lines[index - 1], cells[index - 1].source, node.name, points)
        tasks.append(Task(node.name, f"{number}.{len(tasks) + 1}", index, tests, specifications[node.name]))
    missing = set(specifications) - {task.name for task in tasks}
    if missing:
        message = f"no exercise for {', '.join(sorted(missing))} of autograder/exercises/{topic}.py"
        raise ChapterError(path, 1, message)
    return tuple(tasks)


def _check_stub(path: Path, line: int, topic: str, node: ast.AST, source: str) -> None:
    try:
        solution = definition(solution_source(topic, node.name))
    except (KeyError, FileNotFoundError):
        message = f"the exercise {node.name} has no solution in solutions/{topic}.py"
        raise ChapterError(path, line, message) from None
    # A solution may have methods of its own.
    if not _signatures(node).items() <= _signatures(solution).items():
        raise ChapterError(path, line, f"the signature of {node.name} is not that of its solution")
    expected = f'{STUB_COMMENT}\n    raise NotImplementedError("write {node.name} here")'
    if isinstance(node, ast.FunctionDef) and expected not in source:
        message = f'the stub of {node.name} must end in "{STUB_COMMENT}" and '
        raise ChapterError(path, line, message + f'raise NotImplementedError("write {node.name} here")')


def _signatures(node: ast.AST) -> dict[str, str]:
    """The public signatures of a function, or of a class and its methods, without their bodies."""
    if isinstance(node, ast.FunctionDef):
        returns = ast.unparse(node.returns) if node.returns else ""
        return {node.name: f"({ast.unparse(node.args)}) -> {returns}"}
    methods = [method for method in node.body if isinstance(method, ast.FunctionDef)]
    public = [m for m in methods if not m.name.startswith("_") or m.name == "__init__"]
    bases = ", ".join(map(ast.unparse, node.bases))
    return {node.name: bases} | {f"{node.name}.{m.name}": _signatures(m)[m.name] for m in public}


def _check_prose(path: Path, line: int, prose: str, name: str, points: int) -> None:
    task = prose.rsplit("{exercise-start}", 1)
    if len(task) < 2:
        raise ChapterError(path, line, f"the text before the stub of {name} has no {{exercise-start}}")
    start = line + task[0].count("\n")
    said = [int(number) for number in PROSE_POINTS.findall(task[1])]
    if said != [points]:
        stated = " and ".join(map(str, said)) or "no number of"
        raise ChapterError(path, start, f"the text of {name} says {stated} points, in fact it has {points}")


def _check_given(path: Path, notebook: NotebookNode, lines: tuple[int, ...], topic: str) -> None:
    for cell, line in zip(notebook.cells, lines, strict=True):
        if "given" not in cell.metadata.get("tags", []):
            continue
        node = definition(cell.source)
        try:
            same = node is not None and cell.source.strip() == solution_source(topic, node.name)
        except KeyError:
            same = False
        if not same:
            raise ChapterError(
                path, line, f"a given function must stand word for word in solutions/{topic}.py"
            )
