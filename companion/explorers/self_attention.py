"""A query to drag among keys: scores, weights, and the average of the values that follow from them."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import traitlets

from companion.explorers.explorer import Explorer, style

REACH = 2.0
SIZES = tuple(2**power for power in range(11))
DESCRIPTION = (
    "A plane with a key for each token and a query that can be dragged; beside it the values and their "
    "average, the output. A key in the direction of the query gets the most weight."
)


class AttentionExplorer(Explorer):
    """A query to drag among keys, with scores, weights and the output that follow.

    Vectors are two numbers, so that they can be drawn. `size` says of how many numbers they would be in a
    model: unscaled, scores are the root of `size` times as large.

    Args:
        tokens: a name for each key and value.
        key_points, value_points: (token, 2), numbers from -2 to 2.
        query: two numbers from -2 to 2.
        mask: True where the query may look; everywhere if left out.
        size: a power of two up to 1024.
        scaled: whether scores are divided by the root of `size`.
        description: the alternative text.

    Raises:
        ValueError: a shape does not fit the tokens, a number lies outside the plane, the mask is not
            boolean, or the size is no power of two; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    tokens = traitlets.Any().tag(sync=True)
    key_points = traitlets.Any().tag(sync=True)
    value_points = traitlets.Any().tag(sync=True)
    query = traitlets.Any().tag(sync=True)
    mask = traitlets.Any().tag(sync=True)
    size = traitlets.Int().tag(sync=True)
    scaled = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        tokens: Sequence[str],
        key_points: Iterable,
        value_points: Iterable,
        query: Iterable = (1.0, 0.8),
        mask: Iterable | None = None,
        size: int = 16,
        scaled: bool = True,
        description: str = DESCRIPTION,
    ) -> None:
        tokens = _tokens(tokens)
        super().__init__(
            tokens=tokens,
            key_points=_points("key_points", key_points, (len(tokens), 2)),
            value_points=_points("value_points", value_points, (len(tokens), 2)),
            query=_points("query", query, (2,)),
            mask=_mask([True] * len(tokens) if mask is None else mask, len(tokens)),
            size=size,
            scaled=scaled,
            description=description,
        )

    def still(self) -> str:
        """Keys and query, values and output, as two pictures (SVG)."""
        weights, output = attend(
            self.query, self.key_points, self.value_points, self.mask, self.size, self.scaled
        )
        named = [f"{token} {weight:.2f}" for token, weight in zip(self.tokens, weights, strict=True)]
        return "\n".join(
            [
                _plane("query and keys", self.tokens, self.key_points, [5] * len(named), self.query),
                _plane("values and output", named, self.value_points, 5 + 9 * weights, output),
            ]
        )

    @traitlets.validate("tokens")
    def _check_tokens(self, proposal: dict) -> list[str]:
        tokens = _tokens(proposal["value"])
        if len(tokens) != len(self.mask):
            raise ValueError(f"tokens has {len(tokens)} names, but there are {len(self.mask)} keys.")
        return tokens

    @traitlets.validate("key_points", "value_points")
    def _check_points(self, proposal: dict) -> list[list[float]]:
        return _points(proposal["trait"].name, proposal["value"], (len(self.tokens), 2))

    @traitlets.validate("query")
    def _check_query(self, proposal: dict) -> list[float]:
        return _points("query", proposal["value"], (2,))

    @traitlets.validate("mask")
    def _check_mask(self, proposal: dict) -> list[bool]:
        return _mask(proposal["value"], len(self.tokens))

    @traitlets.validate("size")
    def _check_size(self, proposal: dict) -> int:
        if proposal["value"] not in SIZES:
            raise ValueError(f"size is {proposal['value']}, but it must be a power of two from 1 to 1024.")
        return proposal["value"]


def attend(
    query: list, keys: list, values: list, mask: list, size: int, scaled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What `self_attention.js` computes: the weights and the output, zeros where nothing may be seen."""
    scores = np.array(keys) @ np.array(query) * (1.0 if scaled else math.sqrt(size))
    seen = np.array(mask)
    exponentials = np.where(seen, np.exp(scores - scores.max(initial=-np.inf, where=seen)), 0.0)
    weights = exponentials / max(exponentials.sum(), np.finfo(float).tiny)
    return weights, weights @ np.array(values)


# What comes from outside is made plain lists, which is what the page reads.


def _tokens(tokens: Sequence[str]) -> list[str]:
    if isinstance(tokens, str) or not len(tokens):
        raise ValueError(f"tokens is {tokens!r}, but it must be a list of one token or more.")
    return [str(token) for token in tokens]


def _points(name: str, values: Iterable, shape: tuple[int, ...]) -> list:
    try:
        points = np.array(values.tolist() if hasattr(values, "tolist") else values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers, two for each point.") from None
    if points.shape != shape:
        raise ValueError(f"{name} has shape {points.shape}, but it must be {shape}.")
    if not (np.abs(points) <= REACH).all():
        raise ValueError(f"{name} must lie in the plane, from -2 to 2.")
    return points.tolist()


def _mask(values: Iterable, length: int) -> list[bool]:
    mask = list(values.tolist() if hasattr(values, "tolist") else values)
    if len(mask) != length or not all(isinstance(may, bool) for may in mask):
        raise ValueError(f"mask must hold {length} booleans, one for each token; True = may look.")
    return mask


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

SIDE = 240


def _plane(title: str, names: list[str], points: list, radii: Iterable, end: Iterable) -> str:
    parts = [f'<text x="6" y="14" font-weight="600">{title}</text>']
    for name, point, radius in zip(names, points, radii, strict=True):
        x, y = _place(point)
        anchor = "end" if x > 0.75 * SIDE else "start" if x < 0.25 * SIDE else "middle"
        above = y - 16 if y < SIDE / 2 else y + 24
        parts.append(f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" fill="#2b7bbd" fill-opacity="0.7"/>')
        parts.append(f'<text x="{x}" y="{above:.1f}" text-anchor="{anchor}">{escape(name)}</text>')
    x, y = _place(end)
    half = SIDE / 2
    parts.append(f'<line x1="{half}" y1="{half}" x2="{x}" y2="{y}" stroke="#d2691c" stroke-width="2"/>')
    parts.append(f'<circle cx="{x}" cy="{y}" r="8" fill="#d2691c"/>')
    return (
        f'<svg width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}" fill="currentColor" font-size="11" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def _place(point: Iterable) -> tuple[float, float]:
    x, y = point
    reach = REACH + 0.2
    return round((x + reach) / (2 * reach) * SIDE, 1), round((reach - y) / (2 * reach) * SIDE, 1)
