"""Positions as clock hands: two positions, and the angles between their hands, which tell the distance."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import traitlets

from companion.explorers.explorer import Explorer, style

VIEWS = ("sinusoidal", "rotary")
QUERY = (0.9, 0.5, -0.4, 0.7, 0.3, 0.8, 0.6, -0.5)
KEY = (0.4, -0.6, 0.8, 0.5, 0.8, 0.4, 0.3, 0.7)
DESCRIPTION = (
    "A row of clocks, each with two hands, one for each of two positions. The first clock is the fastest. "
    "The angle between the hands depends on the distance of the positions alone."
)


class PositionExplorer(Explorer):
    """Two positions on a row of clocks, one clock for each pair of places, and the product that follows.

    Args:
        first, second: the two positions, from 0 to `length` - 1.
        view: "sinusoidal" shows the vectors that are added, "rotary" a query and a key that are turned.
        query, key: what is turned, of the same even size; place i of the first half goes with place i of the
            second. Their size is that of the sinusoidal vectors too. Small fixed ones if left out.
        length: how many positions there are.
        base: how slow the slowest hand is.
        kept: whether the other position follows when one is moved.
        description: the alternative text.

    Raises:
        ValueError: a position is not below `length`, the vectors differ in size, are odd or not finite,
            `base` is not above 1, or the view is unknown; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    length = traitlets.Int().tag(sync=True)
    base = traitlets.Float().tag(sync=True)
    query = traitlets.Any().tag(sync=True)
    key = traitlets.Any().tag(sync=True)
    view = traitlets.Unicode().tag(sync=True)
    first = traitlets.Int().tag(sync=True)
    second = traitlets.Int().tag(sync=True)
    kept = traitlets.Bool(help="The other position follows when one is moved.").tag(sync=True)

    def __init__(
        self,
        first: int = 5,
        second: int = 12,
        view: str = "sinusoidal",
        query: Sequence[float] = QUERY,
        key: Sequence[float] = KEY,
        length: int = 64,
        base: float = 10_000.0,
        kept: bool = False,
        description: str = DESCRIPTION,
    ) -> None:
        super().__init__(
            length=length,
            base=base,
            query=_vector("query", query),
            key=_vector("key", key),
            view=view,
            first=first,
            second=second,
            kept=kept,
            description=description,
        )

    def still(self) -> str:
        """The clocks as they stand, and the product, as a picture (SVG)."""
        pairs = list(zip(*(hands(self, which) for which in ("first", "second")), strict=True))
        clocks = [_clock(70 + 140 * i, *pair) for i, pair in enumerate(pairs)]
        width = 140 * len(pairs)
        words = f"positions {self.first} (filled) and {self.second} (hollow): product {product(self):.2f}"
        return (
            f'<svg width="{width}" height="170" viewBox="0 0 {width} 170" fill="currentColor" '
            f'font-family="inherit">{"".join(clocks)}'
            f'<text x="4" y="162" font-size="12">{escape(words)}</text></svg>'
        )

    @traitlets.validate("view")
    def _check_view(self, proposal: dict) -> str:
        if proposal["value"] not in VIEWS:
            raise ValueError(f"view is {proposal['value']!r}, but it must be one of {', '.join(VIEWS)}.")
        return proposal["value"]

    @traitlets.validate("first", "second")
    def _check_position(self, proposal: dict) -> int:
        if not 0 <= proposal["value"] < self.length:
            name = proposal["trait"].name
            raise ValueError(f"{name} is {proposal['value']}, but positions go from 0 to {self.length - 1}.")
        return proposal["value"]

    @traitlets.validate("length")
    def _check_length(self, proposal: dict) -> int:
        if not max(1, self.first, self.second) < proposal["value"]:
            raise ValueError(
                f"length is {proposal['value']}, but it must be above 1 and above both positions."
            )
        return proposal["value"]

    @traitlets.validate("base")
    def _check_base(self, proposal: dict) -> float:
        if not 1 < proposal["value"] < math.inf:
            raise ValueError(f"base is {proposal['value']}, but it must be a finite number above 1.")
        return proposal["value"]

    @traitlets.validate("query", "key")
    def _check_vector(self, proposal: dict) -> list[float]:
        numbers = _vector(proposal["trait"].name, proposal["value"])
        if len(self.query) != len(self.key):
            sizes = f"query has {len(self.query)} numbers and key {len(self.key)}"
            raise ValueError(f"{sizes}, but the two must be of one size.")
        return numbers


def hands(explorer: PositionExplorer, which: str) -> list[tuple[float, float]]:
    """What `embeddings.js` computes: the tips (right, up) of the "first" or the "second" position."""
    position = getattr(explorer, which)
    vector = explorer.query if which == "first" else explorer.key
    half = len(vector) // 2
    tips = []
    for pair in range(half):
        angle = position * explorer.base ** (-pair / half)
        right, up = 0.0, 1.0
        if explorer.view == "rotary":
            right, up = vector[pair + half], vector[pair]
        cos, sin = math.cos(angle), math.sin(angle)
        tips.append((right * cos + up * sin, up * cos - right * sin))
    return tips


def product(explorer: PositionExplorer) -> float:
    """The dot product of the two vectors whose hands are shown: for rotary positions, the score."""
    pairs = zip(hands(explorer, "first"), hands(explorer, "second"), strict=True)
    return sum(one[0] * other[0] + one[1] * other[1] for one, other in pairs)


def _vector(name: str, values: Sequence[float]) -> list[float]:
    numbers = [float(value) for value in values]
    if not numbers or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} must hold finite numbers in pairs, and it holds {len(numbers)}.")
    return numbers


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.


def _clock(x: float, first: tuple[float, float], second: tuple[float, float]) -> str:
    radius = max(1.0, math.hypot(*first), math.hypot(*second))
    parts = [
        f'<circle cx="{x}" cy="72" r="60" fill="none" stroke="currentColor" stroke-opacity="0.3"/>',
        f'<line x1="{x}" y1="12" x2="{x}" y2="18" stroke="currentColor" stroke-opacity="0.5"/>',
    ]
    for (right, up), colour, fill in ((first, "#2b7bbd", "#2b7bbd"), (second, "#d2491c", "none")):
        tip_x, tip_y = x + 52 * right / radius, 72 - 52 * up / radius
        parts.append(
            f'<line x1="{x}" y1="72" x2="{tip_x:.1f}" y2="{tip_y:.1f}" stroke="{colour}" stroke-width="2.5"/>'
            f'<circle cx="{tip_x:.1f}" cy="{tip_y:.1f}" r="5" fill="{fill}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
    return "".join(parts)
