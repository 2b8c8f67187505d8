"""What is said about an answer: to the student in HTML, Markdown and text, to programs in JSON.

A verdict becomes the outputs of a graded cell here, and is read back from them here. Cells are plain
dictionaries: this is imported in every student's kernel, and nbformat alone would take a second.
"""

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

from autograder.verdict import Finding, Verdict

MIME = "application/vnd.decoder-from-scratch.feedback+json"
LONGEST = 2000


@dataclass(frozen=True)
class Feedback:
    """A verdict, with what only the rest of the notebook tells.

    `mend_first` names the exercises that the answer builds on and that are wrong themselves; `stops` is the
    error that stops the answer's own cell; `person` is why a person should look at it, where one should.
    """

    verdict: Verdict
    mend_first: tuple[str, ...] = ()
    stops: str = ""
    person: str = ""

    @property
    def headline(self) -> str:
        verdict = self.verdict
        return f"{verdict.exercise}: {verdict.points} of {points(verdict.of)}"

    @property
    def sentences(self) -> list[str]:
        """What helps most comes first; empty where all is right."""
        verdict, said = self.verdict, []
        if verdict.passed:
            return []
        if self.mend_first:
            bases = " and ".join(self.mend_first)
            said.append(f"Mend {bases} first: {verdict.exercise} is built on it.")
        if verdict.sentence:
            said.append(verdict.sentence)
        if self.stops:
            said.append(f"Its cell stops with {self.stops}")
        if self.person:
            said.append("A person will look at this one.")
        return said

    @property
    def shown(self) -> Finding | None:
        """The behaviour whose example is shown: the first that failed, unless nothing could be tried."""
        return None if self.verdict.blank or self.person else self.verdict.first_wrong

    @property
    def why_nothing(self) -> str:
        """The one sentence for an answer of which nothing could be tried."""
        wrong = self.verdict.first_wrong
        return f"{wrong.message}." if wrong and (self.verdict.blank or self.person) else ""

    def as_dict(self) -> dict:
        """The feedback as JSON carries it."""
        rest = {"mend_first": list(self.mend_first), "stops": self.stops, "person": self.person}
        return {"verdict": self.verdict.as_dict(), **rest}

    @classmethod
    def from_dict(cls, fields: dict) -> "Feedback":
        rest = {**fields, "mend_first": tuple(fields["mend_first"])}
        return cls(**{**rest, "verdict": Verdict.from_dict(fields["verdict"])})

    def bundle(self) -> dict:
        """The feedback as a notebook displays it."""
        data = json.loads(json.dumps(self.as_dict()))
        return {"text/html": as_html(self), "text/plain": as_text(self), MIME: data}

    def outputs(self) -> list[dict]:
        """The outputs of a graded cell: what is shown, then the points, nbgrader's partial credit."""
        shown = {"output_type": "display_data", "data": self.bundle(), "metadata": {}}
        award = {"text/plain": str(self.verdict.points)}
        given = {"output_type": "execute_result", "data": award, "metadata": {}, "execution_count": None}
        return [shown, given]


def read(cell: dict) -> Feedback | None:
    """The feedback among a cell's outputs; None where there is none that can be read."""
    for output in reversed(cell.get("outputs", [])):
        data = output.get("data", {}).get(MIME)
        if data is not None:
            try:
                return Feedback.from_dict(json.loads(data) if isinstance(data, str) else data)
            except (KeyError, TypeError, ValueError, AttributeError):
                return None
    return None


def read_notebook(path: Path) -> dict[str, Feedback]:
    """The feedback in a graded notebook, by exercise; empty where it is missing or was never finished."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return {}
    found = [feedback for cell in cells if (feedback := read(cell))]
    return {feedback.verdict.exercise: feedback for feedback in found}


def as_text(feedback: Feedback) -> str:
    """The feedback as plain text."""
    lines = [feedback.headline, *filter(None, [feedback.why_nothing]), *feedback.sentences]
    if not feedback.verdict.blank and not feedback.verdict.passed and not feedback.person:
        lines += [f"  {_tick(f)} {f.behaviour} ({f.points}/{f.of})" for f in feedback.verdict.findings]
    if shown := feedback.shown:
        lines += [f"First: {clipped(shown.message)}", *clipped(shown.example).splitlines()]
    return "\n".join(lines)


def as_html(feedback: Feedback, headline: bool = True) -> str:
    """The feedback as HTML: few tags and no styles, so that sanitisers let it pass; all text is escaped."""
    verdict = feedback.verdict
    parts = [f"<div><strong>{html.escape(feedback.headline)}</strong></div>"] if headline else []
    if verdict.passed:
        parts.append("<div>All right.</div>")
    if feedback.why_nothing:
        parts.append(f"<div>{html.escape(feedback.why_nothing)}</div>")
    parts += [f'<div class="advice">{marked(said)}</div>' for said in feedback.sentences]
    if not (verdict.passed or verdict.blank or feedback.person):
        rows = [
            f"<li>{_tick(f)} {marked(f.behaviour)} <em>({f.points} of {points(f.of)})</em></li>"
            for f in verdict.findings
        ]
        parts.append(f'<div>A right answer</div>\n<ul class="behaviours">{"".join(rows)}</ul>')
    if shown := feedback.shown:
        parts.append(f"<div>What went wrong first: {html.escape(clipped(shown.message))}</div>")
        parts += [f"<pre>{html.escape(clipped(shown.example))}</pre>"] if shown.example else []
    return "\n".join(parts)


def as_markdown(feedback: Feedback, link: str = "") -> str:
    """The feedback as a section of Markdown, with a link to the exercise in the book where one is given."""
    verdict = feedback.verdict
    parts = [f"## {in_markdown(feedback.headline)}"]
    parts += [in_markdown(feedback.why_nothing)] if feedback.why_nothing else []
    parts += [f"**{in_markdown(sentence)}**" for sentence in feedback.sentences]
    if verdict.passed:
        parts.append("All right.")
    elif not verdict.blank and not feedback.person:
        rows = [f"- {_tick(f)} {in_markdown(f.behaviour)} ({f.points}/{f.of})" for f in verdict.findings]
        parts.append("A right answer\n\n" + "\n".join(rows))
    if shown := feedback.shown:
        parts.append(f"What went wrong first: {in_markdown(clipped(shown.message))}")
        parts += [_fenced(clipped(shown.example))] if shown.example else []
    parts += [f"[Read it again in the book]({link})"] if link and not verdict.passed else []
    return "\n\n".join(parts) + "\n"


def points(number: float) -> str:
    """A number of points, in words: 1 point, 2 points."""
    return f"{number:g} point" + ("" if number == 1 else "s")


def clipped(text: str) -> str:
    """The text, cut where it gets too long to help."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "\n… and so on"


def marked(text: str) -> str:
    """Text as HTML: escaped, its `code` marked up."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _tick(finding: Finding) -> str:
    return "✓" if finding.points == finding.of else "✗"


def in_markdown(text: str) -> str:
    """Text that Markdown shows as it is, except that `code` stays code."""
    pieces = re.split(r"(`[^`\n]+`)", text.replace("\n", " "))
    return "".join(
        piece if index % 2 else re.sub(r"([\\*\[\]<>~`&]|\b_|_\b)", r"\\\1", piece)
        for index, piece in enumerate(pieces)
    )


def _fenced(text: str) -> str:
    """Text in a fence that it cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
