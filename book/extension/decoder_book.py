"""The Sphinx extension of the book: chapters are shown by `autograder.notebooks.page`.

A chapter's exercises become boxes with their solution folded beneath, and the solution is what runs.
Chapters are numbered by their file names, so that numbers stay when a chapter is left out of a build.
"""

import re
import sys
from pathlib import Path

import jupytext
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from autograder.chapters import ChapterError, chapter_paths, read_chapter  # noqa: E402
from autograder.notebooks import fingerprint, imported_files, page, student, write  # noqa: E402
from companion.explorers.translator import PAGE_FOLDER, page_files  # noqa: E402

CHAPTER = re.compile(r"chapters/(\d\d)_")


def show_chapter(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace a chapter's text by its page; have any page that runs code run again when the code changes."""
    if not CHAPTER.match(docname) and "{code-cell}" not in source[0]:
        return
    for imported in imported_files():
        app.env.note_dependency(str(imported))
    if CHAPTER.match(docname):
        path = Path(app.env.doc2path(docname))
        try:
            source[0] = jupytext.writes(page(read_chapter(path)), "md:myst")
        except ChapterError as error:
            sys.exit(f"\n{error}")  # the sentence alone: an exception would bring a traceback of the builder
    else:
        source[0] += f"\n```{{code-cell}}\n:tags: [remove-cell]\n{fingerprint()}\n```\n"


def number_by_file(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give chapter NN the number NN in its sections, figures, equations and exercises."""
    for docname, sections in env.toc_secnumbers.items():
        match = CHAPTER.match(docname)
        if not match:
            continue
        number = int(match[1])
        for anchor, numbers in sections.items():
            sections[anchor] = (number, *numbers[1:])
        for figures in env.toc_fignumbers.get(docname, {}).values():
            for label, numbers in figures.items():
                figures[label] = (number, *numbers[1:])
        env.titles[docname]["secnumber"] = (number,)
        for reference in env.tocs[docname].findall(nodes.reference):
            if reference.get("secnumber"):
                reference["secnumber"] = (number, *reference["secnumber"][1:])
    return []


def without_doubled_ids(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """sphinx-exercise gives the inside of every exercise the same id, which a page may hold once only."""
    for section in doctree.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if not name.startswith("exercise-content")]


def without_thebe(app: Sphinx, config) -> None:
    """Take out sphinx-thebe, which Jupyter Book always loads: it names another host on every page."""
    for listeners in app.events.listeners.values():
        for listener in [one for one in listeners if one.handler.__module__ == "sphinx_thebe"]:
            app.disconnect(listener.id)
    app.registry.css_files = [file for file in app.registry.css_files if file[0] != "sphinx-thebe.css"]


def hand_out_notebooks(app: Sphinx, error: Exception | None) -> None:
    """Let the download button give the student's notebook, not the page's, which holds the solutions."""
    for path in [] if error else chapter_paths():
        notebook = Path(app.outdir, "_sources", "chapters", f"{path.stem}.ipynb")
        if notebook.exists():
            notebook.write_text(write(student(read_chapter(path))), encoding="utf-8")


def lay_out_translator(app: Sphinx, error: Exception | None) -> None:
    """Put the model beside the pages, for its explorer to load when the reader asks for it."""
    if error or app.builder.format != "html":
        return
    files = page_files()
    for old in Path(app.outdir, PAGE_FOLDER).glob("*.js"):
        if f"{PAGE_FOLDER}/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        path = Path(app.outdir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.stat().st_size != len(text):
            path.write_text(text, encoding="ascii")


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", without_thebe)
    app.connect("build-finished", hand_out_notebooks)
    app.connect("build-finished", lay_out_translator)
    app.connect("source-read", show_chapter)
    app.connect("doctree-resolved", without_doubled_ids)
    app.connect("env-get-updated", number_by_file, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
