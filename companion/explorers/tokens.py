"""BPE to watch: a sentence in tokens after each merge, and the pairs that lead the count at that moment."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from heapq import nlargest
from html import escape
from itertools import pairwise
from pathlib import Path

import regex
import traitlets

from companion.data import gpt2_byte_symbols
from companion.explorers.explorer import Explorer, style

DESCRIPTION = (
    "A sentence cut into tokens, for each number of merges learned from a text, and the five pairs that lead "
    "the count at that moment. Each merge joins the first of them wherever it stands."
)
WORD = regex.compile(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
SYMBOL = gpt2_byte_symbols()
BYTE = {symbol: byte for byte, symbol in SYMBOL.items()}
LEADING = 5


class TokenExplorer(Explorer):
    """A sentence in tokens, merge by merge, with the merges learned from one of several texts.

    Args:
        corpora: name to the text from which merges are learned; each becomes a button.
        sentences: name to the sentence shown at first.
        n_merges: how many merges are learned from each text, fewer where nothing is left to merge.
        step: how many of them are applied at first.
        description: the alternative text.

    Raises:
        ValueError: there is no corpus, a corpus has no sentence, or the step or the language is not one
            that there is; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    steps = traitlets.Dict(help="For each language, the leading pairs before each merge.").tag(sync=True)
    sentences = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        corpora: Mapping[str, str],
        sentences: Mapping[str, str],
        n_merges: int = 300,
        step: int = 10,
        description: str = DESCRIPTION,
    ) -> None:
        if not corpora or corpora.keys() != sentences.keys():
            raise ValueError("corpora and sentences must have the same names, one or more.")
        language = next(iter(corpora))
        super().__init__(
            steps={name: list(leading_pairs(corpus, n_merges)) for name, corpus in corpora.items()},
            sentences=dict(sentences),
            language=language,
            text=sentences[language],
            step=step,
            description=description,
        )

    def still(self) -> str:
        """Each language's sentence after no merge, a tenth, a third and all of them, as one picture (SVG)."""
        return "\n".join(
            _picture(name, sentence, self.steps[name]) for name, sentence in self.sentences.items()
        )

    @traitlets.validate("language")
    def _check_language(self, proposal: dict) -> str:
        if proposal["value"] not in self.steps:
            known = ", ".join(self.steps)
            raise ValueError(f"language is {proposal['value']!r}, but the languages are: {known}.")
        return proposal["value"]

    @traitlets.validate("step")
    def _check_step(self, proposal: dict) -> int:
        last = len(self.steps[self.language])
        if not 0 <= proposal["value"] <= last:
            raise ValueError(f"step is {proposal['value']}, but it must be from 0 to {last}.")
        return proposal["value"]


def leading_pairs(corpus: str, n_merges: int) -> Iterator[list[list]]:
    """Before each merge the pairs with the highest counts, as [left, right, count]; the first is merged.

    On a tie the older tokens lead: symbols in alphabetical order, then tokens as they were made.
    """
    counts = Counter(_symbols(word) for word in WORD.findall(corpus))
    words = {word: tuple(word) for word in counts}
    pairs, holders = Counter(), defaultdict(set)
    for word, count in counts.items():
        for pair in pairwise(word):
            pairs[pair] += count
            holders[pair].add(word)
    age = {symbol: number for number, symbol in enumerate(sorted({*"".join(counts)}))}

    for _ in range(n_merges):
        if not pairs:
            return
        least = nlargest(LEADING, pairs.values())[-1]
        leading = [pair for pair, count in pairs.items() if count >= least]
        leading.sort(key=lambda pair: (-pairs[pair], age[pair[0]], age[pair[1]]))
        yield [[*pair, pairs[pair]] for pair in leading[:LEADING]]
        age.setdefault("".join(leading[0]), len(age))
        for word in holders.pop(leading[0]):
            before, words[word] = words[word], _merged(words[word], leading[0])
            for pair in pairwise(before):
                pairs[pair] -= counts[word]
            for pair in pairwise(words[word]):
                pairs[pair] += counts[word]
                holders[pair].add(word)
            for pair in {*pairwise(before)}:
                if not pairs[pair]:
                    del pairs[pair]


def tokens_after(text: str, merges: list[tuple[str, str]]) -> list[str]:
    """What `tokens.js` computes: a text in tokens, the merges applied one after the other."""
    tokens = []
    for word in WORD.findall(text):
        symbols = tuple(_symbols(word))
        for pair in merges:
            symbols = _merged(symbols, pair)
        tokens += symbols
    return tokens


def _symbols(word: str) -> str:
    return "".join(SYMBOL[byte] for byte in word.encode())


def _merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    if pair not in pairwise(symbols):
        return symbols
    merged, rest = [], iter((*symbols, ""))
    symbol = next(rest)
    while symbol:
        after = next(rest)
        if (symbol, after) == pair:
            symbol, after = symbol + after, next(rest)
        merged.append(symbol)
        symbol = after
    return tuple(merged)


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

BYTE_WIDTH, ROW = 19, 30


def _picture(name: str, sentence: str, steps: list) -> str:
    merges = [(left, right) for (left, right, _), *_ in steps]
    shown = sorted({0, len(merges) // 10, len(merges) // 3, len(merges)})
    width, height = 96 + BYTE_WIDTH * len(sentence.encode()), 24 + ROW * len(shown)
    parts = [f'<text x="0" y="14" font-size="12" font-weight="600">{escape(name)}</text>']
    for row, number in enumerate(shown):
        x, y = 96, 24 + ROW * row
        parts.append(f'<text x="0" y="{y + 17}" font-size="12">{number} merges</text>')
        for token in tokens_after(sentence, merges[:number]):
            wide = BYTE_WIDTH * len(token)
            parts.append(
                f'<rect x="{x}" y="{y}" width="{wide - 2}" height="24" rx="3" fill="#2b7bbd" '
                'fill-opacity="0.2"/>'
                f'<text x="{x + wide / 2 - 1}" y="{y + 16}" font-size="{11 if _is_text(token) else 9}" '
                f'text-anchor="middle">{escape(readable(token))}</text>'
            )
            x += wide
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def _is_text(token: str) -> bool:
    return "\ufffd" not in bytes(BYTE[symbol] for symbol in token).decode(errors="replace")


def readable(token: str) -> str:
    """A token as text with visible spaces, or as its bytes where these are no whole characters."""
    data = bytes(BYTE[symbol] for symbol in token)
    if not _is_text(token):
        return data.hex(" ")
    return data.decode().replace(" ", "␣").replace("\n", "⏎")
