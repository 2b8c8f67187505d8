"""GPT-2's byte-level BPE: its list of merges, shipped in gpt2/, and the vocabulary that follows from it."""

import gzip

from companion.data.files import shipped

MERGES_SHA256 = "fba0a805da1768c3a5402988986ee8e47f5254c0d873895678a8df164bb94f39"


def gpt2_merges() -> list[tuple[str, str]]:
    """GPT-2's 50,000 merges in the order in which they were learnt, each a pair of symbols.

    Symbols are written in GPT-2's byte alphabet (`gpt2_byte_symbols`): a space is "Ġ".
    """
    _, *lines = gzip.decompress(shipped("gpt2/vocab.bpe.gz", MERGES_SHA256)).decode("utf-8").splitlines()
    return [(left, right) for left, right in map(str.split, lines)]


def gpt2_byte_symbols() -> dict[int, str]:
    """The character that stands for each of the 256 bytes, in the order of GPT-2's first 256 ids.

    Bytes that Latin-1 prints stand for themselves and come first. The others, such as space and newline,
    are written as the characters from 256 on, so that no symbol is invisible.
    """
    printable = [byte for first, last in ("!~", "¡¬", "®ÿ") for byte in range(ord(first), ord(last) + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def gpt2_vocabulary() -> dict[str, int]:
    """GPT-2's 50,257 tokens with their ids: the bytes, then what each merge makes, then <|endoftext|>."""
    merged = ["".join(merge) for merge in gpt2_merges()]
    tokens = [*gpt2_byte_symbols().values(), *merged, "<|endoftext|>"]
    return {token: token_id for token_id, token in enumerate(tokens)}
