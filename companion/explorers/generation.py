"""What is drawn from when a token is drawn, and the beams of a search as they grow."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import traitlets

from companion.explorers.explorer import Explorer, style

DESCRIPTION = (
    "Bars for the probabilities of the next token, under a temperature, top-k and top-p that can be moved; "
    "below them the beams of a search, step by step, as a tree whose kept branches are drawn strong."
)


class GenerationExplorer(Explorer):
    """The distribution of a next token to be tempered and cut, and the tree of a beam search to be walked.

    Args:
        tokens: the names of some tokens, the likeliest of a distribution.
        logits: a number for each of them.
        steps: the search: for each step its candidates, best first, each with its `token`, the sum of its
            log-probabilities as `score`, the place `of` the beam it goes on from in the step before (0 in the
            first), and whether it is `kept` and has `ended`.
        temperature, top_k, top_p: where the sliders stand; `top_k` counts at most all tokens.
        step: up to which step the tree is shown.
        description: the alternative text.

    Raises:
        ValueError: lengths or kinds do not fit; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    tokens = traitlets.Any().tag(sync=True)
    logits = traitlets.Any().tag(sync=True)
    steps = traitlets.Any().tag(sync=True)
    temperature = traitlets.Float().tag(sync=True)
    top_k = traitlets.Int().tag(sync=True)
    top_p = traitlets.Float().tag(sync=True)
    step = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        tokens: Sequence[str],
        logits: Iterable[float],
        steps: Sequence[Sequence[Mapping]],
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        step: int = 1,
        description: str = DESCRIPTION,
    ) -> None:
        tokens, logits = [str(token) for token in tokens], _numbers(logits)
        if not tokens or len(tokens) != len(logits):
            raise ValueError(f"there are {len(tokens)} tokens and {len(logits)} logits: one for each.")
        super().__init__(
            tokens=tokens,
            logits=logits,
            steps=_steps(steps),
            temperature=temperature,
            top_k=len(tokens) if top_k is None else top_k,
            top_p=top_p,
            step=step,
            description=description,
        )

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: dict) -> float:
        if not 0.1 <= proposal["value"] <= 5:
            raise ValueError(f"temperature is {proposal['value']}, but it must be from 0.1 to 5.")
        return proposal["value"]

    @traitlets.validate("top_k")
    def _check_top_k(self, proposal: dict) -> int:
        if not 1 <= proposal["value"] <= len(self.tokens):
            raise ValueError(f"top_k is {proposal['value']}, but it must be from 1 to {len(self.tokens)}.")
        return proposal["value"]

    @traitlets.validate("top_p")
    def _check_top_p(self, proposal: dict) -> float:
        if not 0 < proposal["value"] <= 1:
            raise ValueError(f"top_p is {proposal['value']}, but it must be above 0, and 1 at most.")
        return proposal["value"]

    @traitlets.validate("step")
    def _check_step(self, proposal: dict) -> int:
        if not 1 <= proposal["value"] <= len(self.steps):
            raise ValueError(f"step is {proposal['value']}, but it must be from 1 to {len(self.steps)}.")
        return proposal["value"]

    def still(self) -> str:
        """The probabilities as a list, and the best beginnings of the shown step."""
        likely = kept_probabilities(self.logits, self.temperature, self.top_k, self.top_p)
        bars = [f"<li>{escape(t)} {p:.2f}</li>" for t, p in zip(self.tokens, likely, strict=True) if p > 0]
        beams = [
            f"<li>{escape(beginning(self.steps, self.step, place))} {one['score']:.2f}</li>"
            for place, one in enumerate(self.steps[self.step - 1])
            if one["kept"] or one["ended"]
        ]
        return f"<ul>{''.join(bars)}</ul>\n<ul>{''.join(beams)}</ul>"


def kept_probabilities(logits: list[float], temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """What `generation.js` computes: the probabilities that are drawn from, zero for what is cut."""
    tempered = np.array(logits) / temperature
    likely = np.exp(tempered - tempered.max())
    order = np.argsort(-tempered, kind="stable")
    likely[order[top_k:]] = 0.0
    likely /= likely.sum()
    before = np.cumsum(likely[order]) - likely[order]
    if top_p < 1:
        likely[[place for rank, place in enumerate(order) if rank and before[rank] >= top_p]] = 0.0
    return likely / likely.sum()


def beginning(steps: list, step: int, place: int) -> str:
    """The text of a candidate, from its first token on."""
    words: list[str] = []
    for candidates in reversed(steps[:step]):
        words.insert(0, candidates[place]["token"])
        place = candidates[place]["of"]
    return " ".join(words)


def _numbers(values: Iterable) -> list[float]:
    numbers = [float(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("logits must be finite numbers.")
    return numbers


def _steps(steps: Sequence[Sequence[Mapping]]) -> list[list[dict]]:
    found, before = [], 1
    for candidates in steps:
        try:
            plain = [
                {
                    "token": str(one["token"]),
                    "score": float(one["score"]),
                    "of": int(one["of"]),
                    "kept": bool(one["kept"]),
                    "ended": bool(one["ended"]),
                }
                for one in candidates
            ]
        except (KeyError, TypeError, ValueError):
            raise ValueError("a candidate has a token, a score, and of, kept and ended.") from None
        if not plain or not all(0 <= one["of"] < before for one in plain):
            raise ValueError("a candidate goes on from one of the step before.")
        found.append(plain)
        before = len(plain)
    if not found:
        raise ValueError("steps is empty, but there must be one step at least.")
    return found
