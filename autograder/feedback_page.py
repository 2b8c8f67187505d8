"""The page and the Markdown file that a student gets back, as a step of nbgrader's generate_feedback."""

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from pygments.formatters import HtmlFormatter
from traitlets import Unicode

from autograder.feedback import as_html, as_markdown, in_markdown, read
from autograder.steps import MARK
from autograder.text import safe


class FeedbackPage(NbGraderPreprocessor):
    """Leaves of a graded notebook what the student is to read: each exercise's answer and what is said of it.

    The chapter's own text and the outputs of other cells are left out: they are long, and what a student
    wrote there could be anything. The template `feedback` shows what is gathered here in `resources`; the
    same as Markdown becomes a second file beside the page.
    """

    book_url = Unicode("", help="Where the class reads the book; feedback then links to it.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        told = resources["nbgrader"]
        nb.cells = [c for c in nb.cells if c.cell_type == "code" and (is_grade(c) or is_solution(c))]
        answer, entries = None, []
        for cell in nb.cells:
            if not is_grade(cell):
                answer = cell
            elif feedback := read(cell):
                entries.append(self._entry(told["notebook"], cell, answer, feedback))
        repairs = [safe(repair) for repair in nb.metadata.get(MARK, {}).get("repairs", [])]
        resources["feedback"] = {
            "entries": entries,
            "repairs": repairs,
            "light": HtmlFormatter(style="default").get_style_defs("pre"),
            "dark": HtmlFormatter(style="github-dark").get_style_defs("pre"),
        }
        text = self._markdown(told, entries, repairs)
        resources.setdefault("outputs", {})[f"{told['notebook']}.md"] = text.encode()
        return nb, resources

    def _entry(self, notebook: str, cell: NotebookNode, answer: NotebookNode | None, feedback) -> dict:
        name = feedback.verdict.exercise
        link = f"{self.book_url.rstrip('/')}/chapters/{notebook}.html#ex-{name}" if self.book_url else ""
        comment = answer.metadata.nbgrader.get("comment") if answer else None
        return {
            "name": name,
            "score": float(cell.metadata.nbgrader["score"]),
            "of": float(cell.metadata.nbgrader["points"]),
            "html": as_html(feedback, headline=False),
            "markdown": as_markdown(feedback, link),
            "passed": feedback.verdict.passed,
            "answer": safe(answer.source) if answer else "",
            "comment": "" if comment in (None, "No response.") else safe(comment),
            "link": link,
        }

    def _markdown(self, told: dict, entries: list[dict], repairs: list[str]) -> str:
        parts = [f"# {told['notebook']}: {told['score']:g} of {told['max_score']:g} points\n"]
        if told["late_penalty"]:
            parts.append(f"Handed in late: {told['late_penalty']:g} points less.\n")
        parts += [f"Your file was mended: {in_markdown(repair)}\n" for repair in repairs]
        for entry in entries:
            parts.append(entry["markdown"])
            if entry["comment"]:
                parts.append(f"A person adds: {entry['comment']}\n")
        return "\n".join(parts)
