"""From text to token ids and back. The reference implementation of chapter 01.

A token is a string of symbols, and a symbol is one character that stands for
one byte: the alphabet of GPT-2, in which every text of every language can be
written. A word is a tuple of tokens, at first of single symbols.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

import regex
import torch
from jaxtyping import Int
from torch import Tensor

WORD = regex.compile(
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
SPECIAL = ("[pad]", "[begin]", "[end]")


def byte_symbols() -> tuple[str, ...]:
    """The 256 symbols, one for each byte: itself where it can be printed.

    Source: `bytes_to_unicode` of Radford et al. 2019.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return tuple(
        chr(byte if byte in printable else next(others)) for byte in range(256)
    )


def split_words(text: str) -> list[str]:
    """Cut a text into words, each written in symbols; a space begins a word.

    Source: the pattern of Radford et al. 2019.
    """
    symbols = byte_symbols()
    return [
        "".join(symbols[byte] for byte in word.encode())
        for word in WORD.findall(text)
    ]


def count_pairs(
    words: Mapping[tuple[str, ...], int],
) -> dict[tuple[str, str], int]:
    """Count each pair of neighbours, as often as its word occurs.

    Source: Sennrich et al. 2016, algorithm 1.
    """
    pairs = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            pairs[pair] += count
    return dict(pairs)


def merge_pair(
    symbols: Sequence[str], pair: tuple[str, str]
) -> tuple[str, ...]:
    """Join every occurrence of a pair of neighbours, from left to right."""
    left, right = pair
    merged, begun = [], False
    for symbol in symbols:
        if begun and symbol == right:
            merged[-1] += right
            begun = False
        else:
            merged.append(symbol)
            begun = symbol == left
    return tuple(merged)


def train_bpe(corpus: str, n_merges: int) -> dict[tuple[str, str], int]:
    """Learn which pairs to merge, each time the most frequent one.

    Returns the pairs in the order they were learned, with their ranks from 0.
    On a tie the pair whose left token is older wins, then the one whose
    right token is. Single symbols are the oldest, in code-point order;
    merged tokens follow in the order in which they were made. Fewer than
    `n_merges` are returned where nothing is left to merge. Only the words
    that hold a merged pair are counted anew.
    Source: Sennrich et al. 2016, algorithm 1.
    """
    counts = Counter(split_words(corpus))
    words = {word: tuple(word) for word in counts}
    pairs = Counter(
        count_pairs({words[word]: count for word, count in counts.items()})
    )
    holders = defaultdict(set)
    for word, tokens in words.items():
        for pair in pairwise(tokens):
            holders[pair].add(word)
    age = {symbol: n for n, symbol in enumerate(sorted(set("".join(counts))))}

    def entry(pair):
        return -pairs[pair], age[pair[0]], age[pair[1]], pair

    queue = [entry(pair) for pair in pairs]
    heapify(queue)
    merges = {}
    while queue and len(merges) < n_merges:
        count, _, _, pair = heappop(queue)
        if -count != pairs[pair] or not count:
            continue  # it has been counted anew since
        merges.setdefault(pair, len(merges))
        merged = "".join(pair)
        age.setdefault(merged, len(age))
        change = Counter()
        for word in holders.pop(pair):
            before, words[word] = words[word], merge_pair(words[word], pair)
            for old in pairwise(before):
                change[old] -= counts[word]
            for new in pairwise(words[word]):
                change[new] += counts[word]
                if merged in new:
                    holders[new].add(word)
        for changed in (pair for pair in change if change[pair]):
            pairs[changed] += change[changed]
            heappush(queue, entry(changed))
    return merges


def encode(text: str, merges: Mapping[tuple[str, str], int]) -> list[str]:
    """Write a text in tokens: in each word, merge what was learned first.

    Source: Sennrich et al. 2016, section 3.2; Radford et al. 2019.
    """
    written = []
    for word in split_words(text):
        tokens = tuple(word)
        while len(tokens) > 1:
            pairs = pairwise(tokens)
            first = min(pairs, key=lambda pair: merges.get(pair, len(merges)))
            if first not in merges:
                break
            tokens = merge_pair(tokens, first)
        written += tokens
    return written


def decode(tokens: Sequence[str]) -> str:
    """Read tokens as text.

    Bytes that are no character become U+FFFD, as Python's
    `errors="replace"` has it.
    """
    byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
    written = bytes(byte_of[symbol] for symbol in "".join(tokens))
    return written.decode("utf-8", errors="replace")


def pad_batch(
    sequences: Sequence[Sequence[int]], pad_id: int
) -> Int[Tensor, "batch length"]:
    """Put sequences of token ids into one tensor, padded at the right."""
    length = max(map(len, sequences), default=0)
    batch = torch.full((len(sequences), length), pad_id)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return batch


class Tokenizer:
    """Token ids: special tokens, then the 256 symbols, then merged tokens."""

    def __init__(
        self,
        merges: Mapping[tuple[str, str], int],
        special: Sequence[str] = SPECIAL,
    ):
        merged = map("".join, merges)
        tokens = dict.fromkeys([*special, *sorted(byte_symbols()), *merged])
        self.merges, self.special, self.tokens = merges, special, [*tokens]
        self.ids = {token: number for number, token in enumerate(tokens)}
        self.pad_id, self.begin_id, self.end_id = map(self.ids.get, SPECIAL)
        self.known = {}  # word to ids

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens, which are never special ones."""
        words = WORD.findall(text)
        for word in {*words}.difference(self.known):
            tokens = encode(word, self.merges)
            self.known[word] = [self.ids[token] for token in tokens]
        return [number for word in words for number in self.known[word]]

    def decode(self, ids: Sequence[int]) -> str:
        """The text that ids stand for, without the special tokens."""
        tokens = [self.tokens[number] for number in ids]
        return decode([token for token in tokens if token not in self.special])
