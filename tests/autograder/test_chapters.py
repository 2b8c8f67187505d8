"""Every way in which a chapter can be wrong is found, and said in one sentence with file and line."""

import pytest

from autograder.chapters import ChapterError, chapter_path, chapter_paths, read_chapter

MASKS = chapter_path("masks")
TEXT = MASKS.read_text(encoding="utf-8")
STUB = '    # Your code here\n    raise NotImplementedError("write causal_mask here")\n'
GIVEN = "    causal = causal_mask(document_ids.shape[1]).to(document_ids.device)\n"


def changed(old, new):
    assert TEXT.count(old) >= 1, f"the chapter no longer holds {old!r}"
    return TEXT.replace(old, new, 1)


def line_of(text, mark):
    return text[: text.index(mark)].count("\n") + 1


WRONG = {
    "no front matter": (TEXT.removeprefix("---\n"), 1, "a chapter begins with a front matter"),
    "malformed front matter": (
        changed("  name: python3\n", "  name: [python3\n"),
        9,
        "the front matter is no YAML",
    ),
    "front matter without a kernel": (
        changed("kernelspec:", "kernel:"),
        1,
        "the front matter needs `jupytext` and `kernelspec`",
    ),
    "malformed options": (
        text := changed(":tags: [given]", ":tags: [given"),
        line_of(text, ":tags: [given") - 1,
        "the options of a cell are no YAML",
    ),
    "unknown tag": (
        text := changed(":tags: [given]", ":tags: [gven]"),
        line_of(text, "def packed_mask"),
        "unknown tag 'gven'",
    ),
    "no Python": (
        text := changed("mask = causal_mask(3)", "mask = causal_mask(3"),
        None,
        "no Python",
    ),
    "own solution imported": (
        text := changed("from companion import figures", "from solutions.masks import causal_mask"),
        line_of(text, "from solutions.masks"),
        "solutions.masks belongs to this chapter or a later one",
    ),
    "own solution imported by another form": (
        text := changed("from companion import figures", "from solutions import masks"),
        line_of(text, "from solutions import"),
        "solutions.masks belongs to this chapter or a later one",
    ),
    "exercise without points": (
        TEXT.replace("causal_mask(length: int)", "triangle(length: int)"),
        None,
        "triangle has no points: autograder/exercises/masks.py does not name it",
    ),
    "exercise that is no definition": (
        changed(STUB, STUB + "\n\nanswer = 3\n\ndef other():\n    pass\n"),
        None,
        "an exercise cell defines one function or class",
    ),
    "stub with another signature": (
        TEXT.replace("causal_mask(length: int)", "causal_mask(size: int)"),
        None,
        "the signature of causal_mask is not that of its solution",
    ),
    "stub that is no stub": (
        changed(STUB, "    return None\n"),
        None,
        "the stub of causal_mask must end in",
    ),
    "exercise without tests": (
        changed(":tags: [tests]", ":tags: [hide-input]"),
        None,
        "the code cell after the exercise causal_mask must hold its tests",
    ),
    "points in prose that are not those in fact": (
        text := changed("5 minutes · 3 points", "5 minutes · 4 points"),
        line_of(text, ":::{exercise-start} Only the past"),
        "the text of causal_mask says 4 points, in fact it has 3",
    ),
    "no points in prose": (
        text := changed("5 minutes · 3 points", "5 minutes"),
        line_of(text, ":::{exercise-start} Only the past"),
        "the text of causal_mask says no number of points",
    ),
    "an exercise of the catalogue left out": (
        changed(":tags: [exercise]", ":tags: [hide-input]"),
        1,
        "no exercise for causal_mask of autograder/exercises/masks.py",
    ),
    "given function that is another": (
        changed(GIVEN, GIVEN + "    causal = causal.clone()\n"),
        None,
        "a given function must stand word for word in solutions/masks.py",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, text, line, message):
    path = tmp_path / "03_masks.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ChapterError) as caught:
        read_chapter(path)
    sentence = str(caught.value)
    assert message in sentence
    assert "\n" not in sentence
    file, number, _ = sentence.split(":", 2)
    assert file == str(path)
    assert line is None or int(number) == line


def test_a_doubled_exercise_is_found(tmp_path):
    start, end = TEXT.index(":::{exercise-start} Only the past"), TEXT.index("## Filling up")
    path = tmp_path / "03_masks.md"
    path.write_text(TEXT[:end] + TEXT[start:end] + TEXT[end:], encoding="utf-8")
    with pytest.raises(ChapterError, match="causal_mask is an exercise twice"):
        read_chapter(path)


def test_an_exercise_without_a_solution_is_found(tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "masks.py").write_text("import torch\n")
    monkeypatch.setattr("autograder.chapters.ROOT", tmp_path)
    with pytest.raises(ChapterError, match=r"causal_mask has no solution in solutions/masks.py"):
        read_chapter(MASKS)


def test_an_unknown_topic_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"there is no chapter 'msks'; there is .*masks"):
        chapter_path("msks")


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_code_fits_the_page_and_cells_are_short(path):
    chapter = read_chapter(path)
    code = [cell.source for cell in chapter.notebook.cells if cell.cell_type == "code"]
    assert all(len(line) <= 79 for source in code for line in source.splitlines())
    stubs = {chapter.notebook.cells[task.stub].source for task in chapter.tasks}  # all methods of a class
    assert all(len(source.splitlines()) <= (40 if source in stubs else 30) for source in code)
    assert 25 <= len(code) <= 45
