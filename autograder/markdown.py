"""From the book's Markdown to the Markdown every notebook shows.

The chapters use a small part of MyST: gated exercises, drop-downs, admonitions, labelled equations,
figures with captions, references and citations. Jupyter and Colab know none of it, so each is
written out: numbers where the page has numbers, `<details>` for what is folded.
"""

import re
from functools import cache

from nbformat import NotebookNode
from pybtex.database import parse_file

from autograder.chapters import ROOT, Chapter

BIBLIOGRAPHY = ROOT / "book" / "references.bib"
DIRECTIVE = re.compile(r"^(?P<fence>:{3,}|`{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>.*)$")
OPTION = re.compile(r"^:([\w-]+):[ ]*(.*)$")
ROLE = re.compile(r"\{(?P<role>[\w:-]+)\}`(?P<text>[^`]+)`")
EQUATION = re.compile(r"^\$\$[ ]*\(([\w-]+)\)$", re.MULTILINE)
FOLDED = {"dropdown"}
DROPPED = {"bibliography"}


class Translator:
    """Translates the Markdown cells of one chapter; numbers are the page's."""

    def __init__(self, chapter: Chapter):
        self.chapter = chapter
        text = "\n".join(cell.source for cell in chapter.notebook.cells if cell.cell_type == "markdown")
        equations = EQUATION.findall(text)
        self.equations = {label: f"{chapter.number}.{i}" for i, label in enumerate(equations, 1)}
        figures = [name for cell in chapter.notebook.cells if (name := _figure(cell).get("name"))]
        self.figures = {name: f"{chapter.number}.{i}" for i, name in enumerate(figures, 1)}
        self.exercises = iter(chapter.tasks)

    def __call__(self, text: str) -> str:
        text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.MULTILINE)
        text = self._directives(text.splitlines())
        text = re.sub(
            r"\n\$\$[ ]*\(([\w-]+)\)$",
            lambda match: f"\n\\tag{{{self.equations[match[1]]}}}\n$$",
            text,
            flags=re.MULTILINE,
        )
        text = ROLE.sub(self._role, text)
        text = re.sub(r"\[([^\]]+)\]\((?!https?:|#|mailto:)[^)]+\)", r"\1", text)
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    def caption(self, cell: NotebookNode) -> str:
        """The caption under a cell that draws a numbered figure, else nothing."""
        figure = _figure(cell)
        if not figure:
            return ""
        return f"*Figure {self.figures[figure['name']]}. {self(figure['caption'])}*"

    def _directives(self, lines: list[str]) -> str:
        written: list[str] = []
        while lines:
            line = lines.pop(0)
            match = DIRECTIVE.match(line)
            if not match:
                written.append(line)
                continue
            body = _body(lines, match["fence"])
            while body and OPTION.match(body[0]):
                body.pop(0)
            written.append(self._directive(match["name"], match["title"], body))
        return "\n".join(written)

    def _directive(self, name: str, title: str, body: list[str]) -> str:
        if name == "exercise-start":
            return f"### Exercise {next(self.exercises).number}: {title}"
        if name in DROPPED or name == "exercise-end":
            return ""
        inside = self._directives(body).strip()
        if name in FOLDED:
            return f"<details><summary>{title}</summary>\n\n{inside}\n\n</details>"
        heading = title if name == "admonition" or title else name.capitalize()
        return "\n".join(f"> {line}".rstrip() for line in [f"**{heading}**", "", *inside.splitlines()])

    def _role(self, match: re.Match) -> str:
        role, text = match["role"], match["text"]
        if role == "eq":
            return f"({self.equations[text]})"
        if role == "numref":
            return f"Figure {self.figures[text]}"
        if role in ("cite", "cite:p", "cite:t"):
            return ", ".join(_citation(key.strip(), role == "cite:t") for key in text.split(","))
        if role == "ref" and text.startswith("ex-"):
            task = next(task for task in self.chapter.tasks if task.name == text.removeprefix("ex-"))
            return f"Exercise {task.number}"
        return re.sub(r"\s*<[^>]*>$", "", text)


def _body(lines: list[str], fence: str) -> list[str]:
    body: list[str] = []
    while lines:
        line = lines.pop(0)
        if line.strip() == fence:
            break
        body.append(line)
    return body


def _figure(cell: NotebookNode) -> dict:
    return cell.metadata.get("mystnb", {}).get("figure", {})


@cache
def _entries():
    return parse_file(str(BIBLIOGRAPHY)).entries


def _citation(key: str, textual: bool) -> str:
    """An entry of the bibliography as one reads it in a sentence, linked if it has an address."""
    entry = _entries()[key]
    names = [" ".join(author.last_names).strip("{}") for author in entry.persons["author"]]
    who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
    year = entry.fields["year"]
    label = f"{who} ({year})" if textual else f"({who}, {year})"
    return f"[{label}]({entry.fields['url']})" if "url" in entry.fields else label
