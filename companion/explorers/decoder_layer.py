"""A stack of layers: the size of its stream and of its gradient, layer by layer."""

import math
from pathlib import Path

import numpy as np
import traitlets

from companion.explorers.explorer import Explorer, style

JOINS = ("replaced", "added", "post-norm", "pre-norm")
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
DEEPEST = 48
TOKENS, SIZE, HIDDEN, EPS = 8, 16, 32, 1e-5
DESCRIPTION = (
    "Two charts over the layers of a stack, both logarithmic: the size of the stream from the first layer to "
    "the last, and the size of the gradient from the last layer back to the first."
)


class StackExplorer(Explorer):
    """A stack of layers with random weights, before any training.

    Eight tokens of 16 numbers go through. A layer has two branches, joined as `join` says: an attention
    that looks at all of its past evenly, as an untrained one nearly does, and a feed-forward network. The
    loss is a random direction, taken after one norm at the end.

    Args:
        depth: how many layers, from 1 to 48.
        join: "replaced", "added", "post-norm" or "pre-norm".
        scale: how large weights are, 1 as Glorot and Bengio draw them; 0.25, 0.5, 1, 2 or 4.
        seed: which weights, a number from 0.
        description: the alternative text.

    Raises:
        ValueError: one of these is not what it may be; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    depth = traitlets.Int().tag(sync=True)
    join = traitlets.Unicode().tag(sync=True)
    scale = traitlets.Float().tag(sync=True)
    seed = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        depth: int = 24,
        join: str = "post-norm",
        scale: float = 1.0,
        seed: int = 0,
        description: str = DESCRIPTION,
    ) -> None:
        super().__init__(depth=depth, join=join, scale=scale, seed=seed, description=description)

    def still(self) -> str:
        """Both charts as they stand, as pictures (SVG)."""
        stream, gradient = sizes(self.depth, self.join, self.scale, self.seed)
        words = f"{self.depth} layers, {self.join}, weights times {self.scale:g}"
        charts = [
            _chart("stream", stream / stream[0], words),
            _chart("gradient", gradient / gradient[-1], words),
        ]
        return "\n".join(charts)

    @traitlets.validate("depth")
    def _check_depth(self, proposal: dict) -> int:
        if not 1 <= proposal["value"] <= DEEPEST:
            raise ValueError(f"depth is {proposal['value']}, but it must be from 1 to {DEEPEST}.")
        return proposal["value"]

    @traitlets.validate("join")
    def _check_join(self, proposal: dict) -> str:
        if proposal["value"] not in JOINS:
            raise ValueError(f"join is {proposal['value']!r}, but it must be one of {', '.join(JOINS)}.")
        return proposal["value"]

    @traitlets.validate("scale")
    def _check_scale(self, proposal: dict) -> float:
        if proposal["value"] not in SCALES:
            allowed = ", ".join(f"{scale:g}" for scale in SCALES)
            raise ValueError(f"scale is {proposal['value']}, but it must be one of {allowed}.")
        return proposal["value"]

    @traitlets.validate("seed")
    def _check_seed(self, proposal: dict) -> int:
        if not 0 <= proposal["value"] < 2**31:
            raise ValueError(f"seed is {proposal['value']}, but it must be a number from 0 to 2**31 - 1.")
        return proposal["value"]


# What `decoder_layer.js` computes, number for number.


def drawn(depth: int, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray, list]:
    """The tokens that come in, the direction of the loss, and (value, up, down) of each layer."""
    random = _mulberry32(seed)

    def uniform(rows: int, columns: int, bound: float) -> np.ndarray:
        numbers = [bound * (2 * next(random) - 1) for _ in range(rows * columns)]
        return np.array(numbers).reshape(rows, columns)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return uniform(rows, columns, scale * math.sqrt(6 / (rows + columns)))

    x = uniform(TOKENS, SIZE, math.sqrt(3))
    direction = uniform(TOKENS, SIZE, math.sqrt(3))
    layers = [(matrix(SIZE, SIZE), matrix(HIDDEN, SIZE), matrix(SIZE, HIDDEN)) for _ in range(depth)]
    return x, direction, layers


def sizes(depth: int, join: str, scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The root mean square of the stream, and of the loss's gradient, before each layer and at the end."""
    x, direction, layers = drawn(depth, scale, seed)
    branches = [branch for value, up, down in layers for branch in (_Look(value), _Think(up, down))]
    states, steps = [x], []
    for branch in branches:
        given = branch.forward(_norm(x) if join == "pre-norm" else x)
        total = given if join == "replaced" else x + given
        steps.append((branch, x, total))
        x = _norm(total) if join == "post-norm" else total
        states.append(x)
    gradient = _norm_back(x, direction)
    gradients = [gradient]
    for branch, before, total in reversed(steps):
        if join == "post-norm":
            gradient = _norm_back(total, gradient)
        through = branch.back(gradient)
        if join == "pre-norm":
            through = _norm_back(before, through)
        gradient = through if join == "replaced" else gradient + through
        gradients.append(gradient)
    return tuple(
        np.array([math.sqrt((tensor**2).mean()) for tensor in tensors[::2]])
        for tensors in (states, gradients[::-1])
    )


class _Look:
    """An attention that looks at all of its past evenly."""

    weights = np.tril(np.ones((TOKENS, TOKENS))) / np.arange(1, TOKENS + 1)[:, None]

    def __init__(self, value: np.ndarray):
        self.value = value

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.weights @ x @ self.value.T

    def back(self, gradient: np.ndarray) -> np.ndarray:
        return self.weights.T @ gradient @ self.value


class _Think:
    """A feed-forward network without biases."""

    def __init__(self, up: np.ndarray, down: np.ndarray):
        self.up, self.down = up, down

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.hidden = x @ self.up.T
        return np.maximum(self.hidden, 0) @ self.down.T

    def back(self, gradient: np.ndarray) -> np.ndarray:
        return ((gradient @ self.down) * (self.hidden > 0)) @ self.up


def _norm(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPS)


def _norm_back(x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPS)
    normalised = centred / deviation
    along = (gradient * normalised).mean(axis=-1, keepdims=True)
    return (gradient - gradient.mean(axis=-1, keepdims=True) - normalised * along) / deviation


def _mulberry32(seed: int):
    """Numbers from 0 to 1, the same in Python and in a browser."""
    state = seed
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        mixed = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
        mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield (mixed ^ (mixed >> 14)) / 2**32


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 300, 170, 44, 24, 24


def decades(values: np.ndarray) -> tuple[int, int]:
    """The powers of ten between which a chart goes: 1 is among them, and there are two at least."""
    present = values[values > 0]
    low = min(-1, math.floor(math.log10(present.min()))) if len(present) else -1
    return low, max(1, math.ceil(math.log10(present.max()))) if len(present) else 1


def _chart(title: str, values: np.ndarray, words: str) -> str:
    low, high = decades(values)

    def down(exponent: float) -> float:
        return TOP + (high - exponent) / (high - low) * (HEIGHT - TOP - BOTTOM)

    last = len(values) - 1
    points = " ".join(
        f"{LEFT + index / last * (WIDTH - LEFT - 8):.1f},{down(math.log10(value)):.1f}"
        for index, value in enumerate(values)
        if value > 0
    )
    parts = [f'<text x="0" y="12" font-size="12" font-weight="600">{title}</text>']
    for exponent in sorted({low, 0, high}):
        y = round(down(exponent), 1)
        parts.append(
            f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 8}" y2="{y}" stroke="currentColor" '
            f'stroke-opacity="0.25"/><text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" font-size="11">'
            f"{power(exponent)}</text>"
        )
    parts.append(f'<polyline points="{points}" fill="none" stroke="#2b7bbd" stroke-width="2"/>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}" font-size="11">{words}</text>')
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def power(exponent: int) -> str:
    """A power of ten as one writes it."""
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {0: "1", 1: "10", -1: "0.1"}.get(exponent, f"10{raised}")
