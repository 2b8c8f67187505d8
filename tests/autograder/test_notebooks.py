"""The views of a chapter: what is committed, what a student runs, what nbgrader reads."""

import ast
import re

import nbformat
import pytest

from autograder.chapters import chapter_paths, read_chapter
from autograder.notebooks import page, solved, source, student, student_path, write

CHAPTERS = [read_chapter(path) for path in chapter_paths()]
by_topic = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.topic)


def outputs(notebook, kind):
    return [o for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == kind]


@by_topic
def test_the_committed_notebook_is_the_one_the_chapter_makes(chapter):
    committed = student_path(chapter).read_text(encoding="utf-8")
    assert committed == write(student(chapter)), "stale: run `autograder notebooks` and commit the result"


@by_topic
def test_every_view_is_a_valid_notebook_without_outputs_and_the_same_each_time(chapter):
    for view in (student, solved, source):
        nbformat.validate(view(chapter))
        assert write(view(chapter)) == write(view(chapter))
        assert not [cell for cell in view(chapter).cells if cell.get("outputs")]


@by_topic
def test_nothing_of_the_books_markdown_is_left_in_the_students_notebook(chapter):
    text = "\n".join(cell.source for cell in student(chapter).cells if cell.cell_type == "markdown")
    left = re.findall(r"^:::.*|^`{3,}\{.*|\{[\w:]+\}`[^`]*`|^\([\w-]+\)=", text, re.MULTILINE)
    assert not left
    for task in chapter.tasks:
        assert f"### Exercise {task.number}: " in text
    assert text.count("<details>") == text.count("</details>") > 0


@by_topic
def test_the_students_notebook_holds_no_solution(chapter):
    written = "\n".join(cell.source for cell in student(chapter).cells)
    for task, cell in zip(
        chapter.tasks,
        [cell for cell in solved(chapter).cells if "exercise" in cell.metadata.get("tags", [])],
        strict=True,
    ):
        last = ast.parse(cell.source)
        while hasattr(last, "body"):
            last = last.body[-1]
        statement = ast.get_source_segment(cell.source, last)
        assert statement not in written, f"the end of {task.name} stands in the student's notebook"
    assert "BEGIN SOLUTION" not in written
    assert "HIDDEN" not in written


@by_topic
def test_the_solved_notebook_runs_to_its_end_without_a_word_on_stderr(chapter, tmp_path, run):
    done = run(solved(chapter), tmp_path)
    noise = [o.text for o in outputs(done, "stream") if o.name == "stderr"]
    assert not [text for text in noise if "Kernel is running over TCP" not in text]


@by_topic
def test_a_blank_notebook_runs_to_its_end_and_each_exercise_speaks_for_itself(chapter, tmp_path, run):
    """As "Run All" does it: cells that need an answer may fail, and only with the stub's own sentence."""
    done = run(student(chapter), tmp_path)
    errors = outputs(done, "error")
    sentences = {f"write {task.name} here" for task in chapter.tasks}
    assert {error.ename for error in errors} - meant_to_raise(chapter) == {"NotImplementedError"}
    assert {error.evalue for error in errors if error.ename == "NotImplementedError"} == sentences
    for cell in done.cells:
        if "tests" in cell.metadata.get("tags", []):
            (error,) = [output for output in cell.outputs if output.output_type == "error"]
            name = cell.metadata.nbgrader.grade_id.split("-")[1]
            assert error.evalue == f"write {name} here"


def meant_to_raise(chapter):
    cells = [c for c in chapter.notebook.cells if "raises-exception" in c.metadata.get("tags", [])]
    return {"RuntimeError"} if cells else set()


@by_topic
def test_nbgraders_source_runs_like_the_solution_and_gives_all_points(chapter, tmp_path, run):
    done = run(source(chapter), tmp_path)
    for task in chapter.tasks:
        (cell,) = [
            c
            for c in done.cells
            if c.metadata.get("nbgrader", {}).get("grade_id", "").endswith(f"-{task.name}-tests")
        ]
        (result,) = [o for o in cell.outputs if o.output_type == "execute_result"]
        assert float(result.data["text/plain"]) == task.specification.points()


@by_topic
def test_the_page_runs_the_solution_and_shows_the_stub(chapter):
    notebook = page(chapter)
    shown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for task in chapter.tasks:
        assert f'raise NotImplementedError("write {task.name} here")' in shown
        assert f":pyobject: {task.name}" in shown
    assert not [c for c in notebook.cells if c.cell_type == "code" and "NotImplementedError" in c.source]


@by_topic
def test_points_are_the_same_in_nbgraders_metadata_and_in_the_exercises(chapter):
    cells = [c.metadata.nbgrader for c in student(chapter).cells if "nbgrader" in c.metadata]
    points = {c.grade_id: c.points for c in cells if c.grade}
    assert points == {
        f"{chapter.topic}-{task.name}-tests": task.specification.points() for task in chapter.tasks
    }
    assert len({c.grade_id for c in cells}) == 2 * len(chapter.tasks)
