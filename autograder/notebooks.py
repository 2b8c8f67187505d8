"""The views of a chapter: for the student, solved, for nbgrader, and for the page.

A chapter is written once, in `chapters/NN_topic.md`. Every other form of it is computed here, from
its cells, from `solutions/topic.py` and from `autograder/exercises/topic.py`.
"""

import ast
import copy
import hashlib
import re
import textwrap
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.chapters import ROOT, STUB_COMMENT, Chapter, Task, definition, solution_source
from autograder.markdown import Translator

SETUP = '''\
# Where the course is not installed yet, in Colab for example, fetch what this chapter imports.
import importlib.util

if importlib.util.find_spec("companion") is None:
    %pip install --quiet "decoder-from-scratch @ git+{url}"'''


def student(chapter: Chapter) -> NotebookNode:
    """The notebook a student works in: plain Markdown, the stubs, the visible tests, nbgrader's metadata.

    Cells that need an answer may fail without stopping the rest, so that all of it can be run at any time.
    """
    translate = Translator(chapter)
    waiting = _cells_that_need_an_answer(chapter)
    cells = []
    for index, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type == "markdown":
            if source := translate(cell.source):
                cells.append(new_markdown_cell(source))
            continue
        if len(cells) == 1:
            cells.append(new_code_cell(SETUP.format(url=repository_url())))
        tags = [tag for tag in cell.metadata.get("tags", []) if tag in ("exercise", "tests")]
        if index in waiting or "raises-exception" in cell.metadata.get("tags", []):
            tags.append("raises-exception")
        cells.append(new_code_cell(cell.source, metadata={"tags": tags} if tags else {}))
        if {"hide-input", "remove-input"} & set(cell.metadata.get("tags", [])):
            cells[-1].metadata["jupyter"] = {"source_hidden": True}
        for task in chapter.tasks:
            if index in (task.stub, task.tests):
                cells[-1].metadata["nbgrader"] = _nbgrader_metadata(chapter, task, graded=index == task.tests)
        if caption := translate.caption(cell):
            cells.append(new_markdown_cell(caption))
    return _finished(chapter, cells)


def solved(chapter: Chapter) -> NotebookNode:
    """The student's notebook with every stub replaced by the source of its solution."""
    notebook = student(chapter)
    for task, cell in _exercise_cells(chapter, notebook):
        cell.source = solution_source(chapter.topic, task.name)
    for cell in notebook.cells:
        if "raises-exception" in cell.metadata.get("tags", []) and not _meant_to_raise(chapter, cell):
            cell.metadata.tags.remove("raises-exception")
    return notebook


def source(chapter: Chapter) -> NotebookNode:
    """The student's notebook as nbgrader's source: solutions and hidden checks between its markers.

    `nbgrader generate_assignment` makes the student's notebook of it again. The hidden part of a test
    cell only calls the grader; no check and no solution is ever written into a notebook.
    """
    notebook = student(chapter)
    for task, cell in _exercise_cells(chapter, notebook):
        cell.source = _with_solution(cell.source, solution_source(chapter.topic, task.name))
        tests = _cell_of(notebook, _grade_id(chapter, task, graded=True))
        tests.source += textwrap.dedent(f"""
            ### BEGIN HIDDEN TESTS
            from autograder.award import award
            award("{chapter.topic}", "{task.name}", globals())
            ### END HIDDEN TESTS""")
    return notebook


def page(chapter: Chapter) -> NotebookNode:
    """The chapter as the web book shows and runs it: each stub in a box with its solution folded beneath.

    The solution itself is run in a cell that is not shown, so that all that follows really ran.
    """
    notebook = new_notebook(metadata=copy.deepcopy(chapter.notebook.metadata))
    notebook.cells.append(new_code_cell(fingerprint(), metadata={"tags": ["remove-cell"]}))
    stubs = {task.stub: task for task in chapter.tasks}
    for index, cell in enumerate(chapter.notebook.cells):
        cell = copy.deepcopy(cell)
        if index in stubs:
            name = stubs[index].name
            box = (
                f"```{{code-block}} python\n{cell.source}\n```\n\n:::{{dropdown}} Solution\n:icon: check\n\n"
            )
            box += f"```{{literalinclude}} ../solutions/{chapter.topic}.py\n:pyobject: {name}\n```\n:::"
            notebook.cells.append(new_markdown_cell(box))
            cell.source = solution_source(chapter.topic, name)
            cell.metadata["tags"] = ["remove-cell"]
        elif "tests" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = ["tests", "hide-input"]
            prompts = {"code_prompt_show": "Show the tests", "code_prompt_hide": "Hide the tests"}
            cell.metadata["mystnb"] = prompts
        notebook.cells.append(cell)
    return notebook


def write(notebook: NotebookNode) -> str:
    """The notebook as text, the same text for the same notebook."""
    return nbformat.writes(notebook, version=4, indent=1, ensure_ascii=False) + "\n"


def student_path(chapter: Chapter) -> Path:
    """Where the student's notebook is committed: beside its chapter."""
    return chapter.path.with_suffix(".ipynb")


def repository_url() -> str:
    """The address the course is published at, from `_config.yml`."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def imported_files() -> list[Path]:
    """What a chapter may import from the course: the files of companion/ and solutions/."""
    rooms = [ROOT / "companion", ROOT / "solutions"]
    kinds = (".py", ".js", ".css", ".otf", ".tsv", ".gz", ".safetensors", ".txt", ".json")
    return sorted(path for room in rooms for path in room.rglob("*") if path.suffix in kinds)


def fingerprint() -> str:
    """A comment that changes with them: outputs of a page are cached by its code, and this is part of it."""
    digest = hashlib.sha256()
    for path in imported_files():
        digest.update(path.read_bytes())
    return f"# run with {digest.hexdigest()[:16]}"


def _finished(chapter: Chapter, cells: list[NotebookNode]) -> NotebookNode:
    """A notebook of these cells, with ids that stay the same from one generation to the next."""
    for index, cell in enumerate(cells):
        cell["id"] = cell.metadata.get("nbgrader", {}).get("grade_id", f"{chapter.topic}-{index:03}")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return notebook


def _grade_id(chapter: Chapter, task: Task, graded: bool) -> str:
    return f"{chapter.topic}-{task.name}" + ("-tests" if graded else "")


def _nbgrader_metadata(chapter: Chapter, task: Task, graded: bool) -> dict:
    metadata = {
        "grade": graded,
        "grade_id": _grade_id(chapter, task, graded),
        "locked": graded,
        "schema_version": 3,
        "solution": not graded,
        "task": False,
    }
    return metadata | ({"points": task.specification.points()} if graded else {})


def _cell_of(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def _exercise_cells(chapter: Chapter, notebook: NotebookNode) -> list[tuple[Task, NotebookNode]]:
    return [(t, _cell_of(notebook, _grade_id(chapter, t, graded=False))) for t in chapter.tasks]


def _meant_to_raise(chapter: Chapter, cell: NotebookNode) -> bool:
    return any(
        other.source == cell.source and "raises-exception" in other.metadata.get("tags", [])
        for other in chapter.notebook.cells
    )


def _cells_that_need_an_answer(chapter: Chapter) -> set[int]:
    """The code cells that use an exercise's name, or something made with one."""
    names = {task.name for task in chapter.tasks}
    stubs = {task.stub for task in chapter.tasks}
    waiting = set()
    for index, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type != "code" or index in stubs:
            continue
        for statement in ast.parse(cell.source).body:
            nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
            needs = bool(names & {node.id for node in nodes if isinstance(node.ctx, ast.Load)})
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                made = {statement.name}
            else:
                made = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
                waiting |= {index} if needs else set()
            names = names | made if needs else names - made
    return waiting


def _with_solution(stub: str, solution: str) -> str:
    """The stub with each `# Your code here` replaced by the solution's body, between nbgrader's markers.

    The stub's `raise` stays below: it is the student's again when nbgrader takes the solution out.
    """
    bodies = dict(_bodies(definition(solution), solution))
    lines = stub.splitlines()
    for qualified, node in reversed(list(_functions(definition(stub)))):
        rows = range(node.lineno - 1, node.end_lineno)
        row = next((r for r in rows if lines[r].strip() == STUB_COMMENT), None)
        if row is not None:
            indent = re.match(r"\s*", lines[row])[0]
            body = textwrap.indent(textwrap.dedent(bodies[qualified]), indent)
            if not isinstance(ast.parse(textwrap.dedent(bodies[qualified])).body[-1], ast.Return):
                body += f"\n{indent}return"
            lines[row : row + 1] = [f"{indent}### BEGIN SOLUTION", body, f"{indent}### END SOLUTION"]
    return "\n".join(lines)


def _functions(node: ast.AST, prefix: str = ""):
    if isinstance(node, ast.FunctionDef):
        yield prefix + node.name, node
    elif isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _functions(inner, f"{prefix}{node.name}.")


def _bodies(node: ast.AST, text: str):
    """The bodies of a function or of a class's methods, without their docstrings, by qualified name."""
    lines = text.splitlines()
    for qualified, function in _functions(node):
        statements = function.body[1:] if ast.get_docstring(function) else function.body
        yield qualified, "\n".join(lines[statements[0].lineno - 1 : function.end_lineno])
