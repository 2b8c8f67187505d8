"""Where a target word looks: two sentences, and lines between a word and the source tokens."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import traitlets

from companion.explorers.explorer import Explorer, style

DESCRIPTION = (
    "A target sentence above and its source below. Lines go from one target word to the source tokens at "
    "which a model looks before it writes the word; the thicker the line, the larger the weight."
)


class CrossAttentionExplorer(Explorer):
    """Where each target word looks in the source, by one head or averaged over all.

    Args:
        pairs: (source tokens, target tokens, weights) for each pair of sentences; weights have the shape
            (heads, target, source), and the same number of heads in all pairs.
        description: the alternative text.
        pair: the number of the pair that is shown.
        head: the number of the head that is shown, from 0; -1 for the average of all.
        word: the number of the target word whose look is shown; the last but two if left out.

    Raises:
        ValueError: there is no pair, a shape does not fit the tokens, a weight is no number from 0 to 1, or
            there is no such pair, head or word; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    pairs = traitlets.Any().tag(sync=True)
    pair = traitlets.Int().tag(sync=True)
    head = traitlets.Int().tag(sync=True)
    word = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        pairs: Sequence[tuple[Sequence[str], Sequence[str], Iterable]],
        description: str = DESCRIPTION,
        pair: int = 0,
        head: int = -1,
        word: int | None = None,
    ) -> None:
        pairs = _pairs(pairs)
        if word is None:
            word = max(0, len(pairs[min(max(pair, 0), len(pairs) - 1)]["target"]) - 3)
        super().__init__(pairs=pairs, description=description, pair=pair, head=head, word=word)

    def still(self) -> str:
        """The pair, head and word that are chosen, as one picture (SVG)."""
        pair = self.pairs[self.pair]
        return _picture(pair["source"], pair["target"], self.word, self.weights()[self.word])

    def weights(self) -> np.ndarray:
        """The weights that are shown, (target, source): one head's, or the average of all."""
        weights = np.array(self.pairs[self.pair]["weights"])
        return weights.mean(axis=0) if self.head < 0 else weights[self.head]

    @traitlets.validate("pairs")
    def _check_pairs(self, proposal: dict) -> list[dict]:
        return _pairs(proposal["value"])

    @traitlets.validate("pair")
    def _check_pair(self, proposal: dict) -> int:
        return _number("pair", proposal["value"], 0, len(self.pairs))

    @traitlets.validate("head")
    def _check_head(self, proposal: dict) -> int:
        return _number("head", proposal["value"], -1, len(self.pairs[0]["weights"]))

    @traitlets.validate("word")
    def _check_word(self, proposal: dict) -> int:
        return _number("word", proposal["value"], 0, max(len(pair["target"]) for pair in self.pairs))

    @traitlets.observe("pair")
    def _keep_word(self, change: dict) -> None:
        self.word = min(self.word, len(self.pairs[change["new"]]["target"]) - 1)


# What comes from outside is made plain lists, which is what the page reads.


def _number(name: str, value: int, low: int, end: int) -> int:
    if not low <= value < end:
        raise ValueError(f"{name} is {value}, but it must be from {low} to {end - 1}.")
    return value


def _pairs(pairs: Sequence) -> list[dict]:
    if not len(pairs):
        raise ValueError("pairs is empty, but there must be one pair of sentences or more.")
    made = [_pair(number, pair) for number, pair in enumerate(pairs)]
    if len({len(pair["weights"]) for pair in made}) > 1:
        raise ValueError("pairs have different numbers of heads, but one model has the same for all.")
    return made


def _pair(number: int, pair: Sequence | dict) -> dict:
    source, target, weights = pair.values() if isinstance(pair, dict) else pair
    weights = np.array(weights.tolist() if hasattr(weights, "tolist") else weights, dtype=float)
    shape = (len(weights), len(target), len(source))
    if weights.shape != shape or 0 in shape:
        raise ValueError(f"the weights of pair {number} have shape {weights.shape}, not {shape}.")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.max() > 1.0001:
        raise ValueError(f"the weights of pair {number} must be finite numbers from 0 to 1.")
    tokens = {"source": [str(token) for token in source], "target": [str(token) for token in target]}
    return {**tokens, "weights": np.round(weights, 4).tolist()}


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

STEP, TOP, BOTTOM, WIDEST = 62, 26, 128, 12


def _picture(source: list[str], target: list[str], word: int, weights: np.ndarray) -> str:
    width = STEP * max(len(source), len(target))
    above, below = (
        [width * (2 * place + 1) / (2 * len(tokens)) for place in range(len(tokens))]
        for tokens in (target, source)
    )
    parts = [
        f'<line x1="{above[word]:.1f}" y1="{TOP + 8}" x2="{x:.1f}" y2="{BOTTOM - 16}" stroke="#2b7bbd" '
        f'stroke-width="{WIDEST * weight:.2f}" stroke-opacity="0.75"/>'
        for x, weight in zip(below, weights, strict=True)
    ]
    parts += [
        _text(x, TOP, token, 700 if place == word else 400)
        for place, (x, token) in enumerate(zip(above, target, strict=True))
    ]
    parts += [_text(x, BOTTOM, token) for x, token in zip(below, source, strict=True)]
    parts += [_text(x, BOTTOM + 20, f"{weight:.2f}") for x, weight in zip(below, weights, strict=True)]
    height = BOTTOM + 28
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-size="13" font-weight="{weight}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )
