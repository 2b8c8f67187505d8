"""A mask painter: what each query may look at, and the attention weights that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from random import Random

import numpy as np
import traitlets

from companion.explorers.explorer import Explorer, style

RULES = ("-inf", "-1e9", "after")
DESCRIPTION = (
    "A mask to paint on, with a row for each query and a column for each key; a filled cell may look. "
    "Beside it the attention weights that follow from the mask."
)


class MaskExplorer(Explorer):
    """A mask to paint on (True = may look) beside the attention weights it leaves.

    Args:
        query_tokens: a label for each row.
        key_tokens: a label for each column; the queries' own if left out.
        scores: (query, key), finite numbers; small fixed ones if left out.
        mask: (query, key), booleans; the first preset if left out, and without presets all True.
        presets: name to mask (query, key); each becomes a button.
        description: the alternative text.
        scale: what the scores are multiplied by, 0 or more.
        rule: how the mask is applied: before the softmax with "-inf" or "-1e9", or "after" it.

    Raises:
        ValueError: a shape does not fit the tokens, a mask is not boolean, a score is not finite, the scale
            is negative, or the rule or preset is unknown; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    query_tokens = traitlets.Any().tag(sync=True)
    key_tokens = traitlets.Any().tag(sync=True)
    scores = traitlets.Any().tag(sync=True)
    mask = traitlets.Any().tag(sync=True)
    presets = traitlets.Any().tag(sync=True)
    preset = traitlets.Unicode(help="The preset that is shown; empty once it is painted on.").tag(sync=True)
    scale = traitlets.Float().tag(sync=True)
    rule = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        query_tokens: Sequence[str],
        key_tokens: Sequence[str] | None = None,
        scores: Iterable | None = None,
        mask: Iterable | None = None,
        presets: Mapping[str, Iterable] | None = None,
        description: str = DESCRIPTION,
        scale: float = 1.0,
        rule: str = "-inf",
    ) -> None:
        queries = _tokens("query_tokens", query_tokens)
        keys = queries if key_tokens is None else _tokens("key_tokens", key_tokens)
        shape = (len(queries), len(keys))
        presets = _presets(presets or {}, shape)
        if mask is None:
            mask = next(iter(presets.values()), np.ones(shape, dtype=bool))
        mask = _mask("mask", mask, shape)
        super().__init__(
            query_tokens=queries,
            key_tokens=keys,
            scores=_default_scores(shape) if scores is None else _scores(scores, shape),
            mask=mask,
            presets=presets,
            preset=next((name for name, preset in presets.items() if preset == mask), ""),
            description=description,
            scale=scale,
            rule=rule,
        )

    def still(self) -> str:
        """The mask and the weights that follow from it, as two pictures (SVG)."""
        weights = attention_weights(self.scores, self.mask, self.scale, self.rule)
        mask = np.array(self.mask)
        numbers = np.where(mask | (weights > 0), np.char.mod("%.2f", weights), "0")
        sums = [f"{total:.2f}" for total in weights.sum(axis=1)]
        tokens = (self.query_tokens, self.key_tokens)
        pictures = (
            _picture("mask", *tokens, mask.astype(float)),
            _picture("attention weights", *tokens, 0.75 * weights, numbers, sums),
        )
        return "\n".join(pictures)

    @traitlets.validate("query_tokens", "key_tokens")
    def _check_tokens(self, proposal: dict) -> list[str]:
        name = proposal["trait"].name
        tokens = _tokens(name, proposal["value"])
        size = len(self.mask) if name == "query_tokens" else len(self.mask[0])
        if len(tokens) != size:
            raise ValueError(f"{name} has {len(tokens)} tokens, but the mask is made for {size}.")
        return tokens

    @traitlets.validate("mask")
    def _check_mask(self, proposal: dict) -> list[list[bool]]:
        return _mask("mask", proposal["value"], self._shape)

    @traitlets.validate("scores")
    def _check_scores(self, proposal: dict) -> list[list[float]]:
        return _scores(proposal["value"], self._shape)

    @traitlets.validate("presets")
    def _check_presets(self, proposal: dict) -> dict[str, list[list[bool]]]:
        return _presets(proposal["value"], self._shape)

    @traitlets.validate("preset")
    def _check_preset(self, proposal: dict) -> str:
        if proposal["value"] not in ("", *self.presets):
            known = ", ".join(self.presets) or "none"
            raise ValueError(f"preset is {proposal['value']!r}, but the presets are: {known}.")
        return proposal["value"]

    @traitlets.validate("scale")
    def _check_scale(self, proposal: dict) -> float:
        if not 0 <= proposal["value"] < float("inf"):
            raise ValueError(f"scale is {proposal['value']}, but it must be a finite number, 0 or more.")
        return proposal["value"]

    @traitlets.validate("rule")
    def _check_rule(self, proposal: dict) -> str:
        if proposal["value"] not in RULES:
            raise ValueError(f"rule is {proposal['value']!r}, but it must be one of {', '.join(RULES)}.")
        return proposal["value"]

    @traitlets.observe("preset")
    def _show_preset(self, change: dict) -> None:
        if change["new"]:
            self.mask = self.presets[change["new"]]

    @traitlets.observe("mask")
    def _release_preset(self, change: dict) -> None:
        if self.preset and self.presets[self.preset] != change["new"]:
            self.preset = ""

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.query_tokens), len(self.key_tokens)


def attention_weights(scores: list, mask: list, scale: float = 1.0, rule: str = "-inf") -> np.ndarray:
    """What `masks.js` computes, in single precision too: (query, key), zeros where a row sees nothing."""
    scores = np.float32(scale) * np.array(scores, dtype=np.float32)
    mask = np.array(mask)
    if rule != "after":
        scores = np.where(mask, scores, scores + np.float32(rule))
    largest = scores.max(axis=1, keepdims=True)
    exponentials = np.exp(scores - np.where(np.isfinite(largest), largest, np.float32(0)))
    totals = exponentials.sum(axis=1, keepdims=True)
    weights = exponentials / np.where(totals > 0, totals, np.float32(1))
    return weights * mask if rule == "after" else weights


# What comes from outside is made plain lists, which is what the page reads.


def _tokens(name: str, tokens: Sequence[str]) -> list[str]:
    if isinstance(tokens, str) or not len(tokens):
        raise ValueError(f"{name} is {tokens!r}, but it must be a list of one token or more.")
    return [str(token) for token in tokens]


def _matrix(name: str, values: Iterable, shape: tuple[int, int]) -> np.ndarray:
    try:
        matrix = np.array(values.tolist() if hasattr(values, "tolist") else values)
    except ValueError:
        raise ValueError(f"{name} is no matrix: its rows differ in length.") from None
    if matrix.shape != shape:
        raise ValueError(f"{name} has shape {matrix.shape}, but the query and key tokens ask for {shape}.")
    return matrix


def _mask(name: str, values: Iterable, shape: tuple[int, int]) -> list[list[bool]]:
    matrix = _matrix(name, values, shape)
    if matrix.dtype != bool:
        raise ValueError(f"{name} holds {matrix.dtype}, but a mask holds booleans, True = may look.")
    return matrix.tolist()


def _scores(values: Iterable, shape: tuple[int, int]) -> list[list[float]]:
    matrix = _matrix("scores", values, shape)
    if not np.issubdtype(matrix.dtype, np.number) or not np.isfinite(matrix).all():
        raise ValueError("scores must be finite numbers; what may not be seen is said by the mask.")
    return matrix.astype(float).tolist()


def _presets(presets: Mapping[str, Iterable], shape: tuple[int, int]) -> dict[str, list[list[bool]]]:
    return {str(name): _mask(f"preset {name!r}", mask, shape) for name, mask in presets.items()}


def _default_scores(shape: tuple[int, int]) -> list[list[float]]:
    random = Random(3)
    return [[round(random.uniform(-1.5, 1.5), 2) for _ in range(shape[1])] for _ in range(shape[0])]


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

CELL, GAP, HEAD = 32, 2, 78
LINE = 'stroke="currentColor" stroke-opacity="0.22"'


def _picture(
    title: str,
    queries: list[str],
    keys: list[str],
    fills: np.ndarray,
    numbers: np.ndarray | None = None,
    sums: list[str] | None = None,
) -> str:
    left = 10 + max(map(_width, queries))
    columns = [left + index * (CELL + GAP) for index in range(len(keys) + 1)]
    rows = [HEAD + index * (CELL + GAP) for index in range(len(queries) + 1)]
    width, height = columns[-1] + 36, rows[-1]
    parts = [_text(0, 12, title, weight=600)]
    parts += [_head(x + CELL / 2 + 4, HEAD - 6, key) for x, key in zip(columns, keys, strict=False)]
    parts += [_text(left - 8, y + 20, query, anchor="end") for y, query in zip(rows, queries, strict=False)]
    for (row, column), fill in np.ndenumerate(fills):
        x, y = columns[column], rows[row]
        parts.append(
            f'<rect x="{x + 0.5}" y="{y + 0.5}" width="{CELL - 1}" height="{CELL - 1}" rx="3" '
            f'fill="#2b7bbd" fill-opacity="{fill:.3f}" {LINE}/>'
        )
        if numbers is not None:
            parts.append(_text(x + CELL / 2, y + 20, numbers[row, column], size=11, anchor="middle"))
    if sums is not None:
        parts.append(_text(columns[-1] + 6, HEAD - 6, "sum"))
        parts += [_text(columns[-1] + 6, y + 20, total) for y, total in zip(rows, sums, strict=False)]
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def _width(token: str) -> int:
    return sum(7 if character.isascii() else 13 for character in token)


def _text(x: float, y: float, text: str, size: int = 12, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _head(x: float, y: float, text: str) -> str:
    return f'<g transform="translate({x} {y}) rotate(-45)">{_text(0, 0, text)}</g>'
