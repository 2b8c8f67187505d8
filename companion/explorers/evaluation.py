"""A translation to edit beside its reference: n-grams matched and clipped, brevity, and three scores."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import traitlets

from companion.explorers.explorer import Explorer, style

DESCRIPTION = (
    "A translation beside its reference. Words, pairs, triples and fours of words are shown as matched, "
    "clipped or missing, with BLEU, chrF, ROUGE-L and the brevity penalty; all change as one types."
)
COLOURS = {"matched": "#2b7bbd", "clipped": "#d2491c", "missing": "#8a94a0"}


class EvaluationExplorer(Explorer):
    """A translation and its references, with what three scores make of them while one types.

    Args:
        references: one right translation or more; each can be edited.
        examples: a name to a translation; each becomes a button. The first is shown.
        description: the alternative text.

    Raises:
        ValueError: there is no example or no reference, or a reference is no text; the same when a
            trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    references = traitlets.Any().tag(sync=True)
    examples = traitlets.Dict().tag(sync=True)
    hypothesis = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, references: Sequence[str], examples: Mapping[str, str], description: str = DESCRIPTION
    ) -> None:
        if not examples:
            raise ValueError("examples is empty, but it must name one translation or more.")
        super().__init__(
            references=_references(references),
            examples=dict(examples),
            hypothesis=next(iter(examples.values())),
            description=description,
        )

    def still(self) -> str:
        """The words of each example, as they are matched, in a picture (SVG)."""
        return "\n".join(
            _picture(name, text, [*map(tokens, self.references)]) for name, text in self.examples.items()
        )

    @traitlets.validate("references")
    def _check_references(self, proposal: dict) -> list[str]:
        return _references(proposal["value"])


def _references(references: Sequence[str]) -> list[str]:
    if isinstance(references, str) or not references or not all(isinstance(text, str) for text in references):
        raise ValueError(f"references is {references!r}, but it must be a list of one text or more.")
    return list(references)


def tokens(text: str) -> list[str]:
    """Words and marks, as `evaluation.js` cuts them for BLEU."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for name, mark in {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}.items():
        text = text.replace(name, mark)
    text = re.sub(r"([{-~[-` -&(-+:-@/])", r" \1 ", f" {text} ")
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", re.sub(r"([^0-9])([.,])", r"\1 \2 ", text))
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def verdicts(words: Sequence[str], references: Sequence[Sequence[str]], n: int) -> list[tuple[str, str]]:
    """Each n-gram in turn, and whether it is matched, clipped or missing."""

    def grams(tokens: Sequence[str]) -> list[tuple[str, ...]]:
        return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

    most, used, found = Counter(), Counter(), []
    for reference in references:
        most |= Counter(grams(reference))
    for gram in grams(words):
        used[gram] += 1
        verdict = "matched" if used[gram] <= most[gram] else "clipped" if gram in most else "missing"
        found.append((" ".join(gram), verdict))
    return found


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

WIDE, ROW = 640, 26


def _picture(name: str, text: str, references: list[list[str]]) -> str:
    words = tokens(text)
    found = [verdicts(words, references, n) for n in (1, 2, 3, 4)]
    matched = [sum(verdict == "matched" for _, verdict in grams) for grams in found]
    counts = ", ".join(f"{hits}/{len(grams)}" for hits, grams in zip(matched, found, strict=True))
    parts = [
        f'<text x="0" y="14" font-size="12" font-weight="600">{escape(name)}</text>',
        f'<text x="160" y="14" font-size="12">matched: {counts}</text>',
    ]
    x = y = 0
    for word, verdict in found[0]:
        wide = 14 + 8 * len(word)
        if x + wide > WIDE:
            x, y = 0, y + ROW
        parts.append(
            f'<rect x="{x}" y="{y + 22}" width="{wide - 4}" height="20" rx="3" fill="{COLOURS[verdict]}" '
            f'fill-opacity="{0.28 if verdict == "matched" else 0.1}" stroke="{COLOURS[verdict]}" '
            f'stroke-dasharray="{"3 2" if verdict == "clipped" else "none"}"/>'
            f'<text x="{x + wide / 2 - 2}" y="{y + 36}" font-size="12" text-anchor="middle">'
            f"{escape(word)}</text>"
        )
        x += wide
    height = y + ROW + 24
    return (
        f'<svg width="{WIDE}" height="{height}" viewBox="0 0 {WIDE} {height}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )
