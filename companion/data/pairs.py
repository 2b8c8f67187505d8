"""Pairs of sentences in Chinese and English: how they are cleaned, and how they are split."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from companion.data.files import sha256

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")
PLACEHOLDER = re.compile(r"placeholder\S*|PH", re.IGNORECASE)
SPLITS = ("train", "validation", "test")


class Pair(NamedTuple):
    """A Chinese sentence and its English translation.

    Pairs from "hsk" also have a level, from 1 (beginners) to 6, a topic and the sentence's pinyin.
    """

    chinese: str
    english: str
    source: str
    level: int | None = None
    topic: str = ""
    pinyin: str = ""


def tidy(text: str) -> str:
    """The text in Unicode's composed form (NFC), with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def sentence_key(sentence: str) -> str:
    """What stays of a sentence when case, width, spaces and punctuation do not count.

    Sentences with the same key are the same sentence: "I am late." and "i am late!" are.
    """
    return NEITHER_LETTER_NOR_DIGIT.sub("", unicodedata.normalize("NFKC", sentence).casefold())


def normalised(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs with both sentences tidy."""
    return [pair._replace(chinese=tidy(pair.chinese), english=tidy(pair.english)) for pair in pairs]


def without_placeholders(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs whose translation has been written: no "placeholder", "placeholder-p7" or "PH"."""
    return [pair for pair in pairs if not PLACEHOLDER.fullmatch(pair.english)]


def translated(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs whose Chinese is mostly Chinese and whose English has words and no Chinese character."""
    return [
        pair
        for pair in pairs
        if _mostly_chinese(pair.chinese)
        and re.search("[A-Za-z]", pair.english)
        and not HAN.search(pair.english)
    ]


def _mostly_chinese(text: str) -> bool:
    characters = len(HAN.findall(text))
    return characters > 0 and 2 * characters >= len(text.replace(" ", ""))


def without_duplicates(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs with only the first of those whose sentences are both the same (`sentence_key`)."""
    first = {}
    for pair in pairs:
        first.setdefault((sentence_key(pair.chinese), sentence_key(pair.english)), pair)
    return list(first.values())


CLEANING = (normalised, without_placeholders, translated, without_duplicates)


def clean(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs after each step of CLEANING, in this order."""
    for step in CLEANING:
        pairs = step(pairs)
    return list(pairs)


def split_of(sentence: str) -> str:
    """Where a sentence belongs by itself: of 20, 18 are for training, 1 for validation, 1 for the test.

    It follows from the SHA-256 of the sentence's key, so that it is the same on every machine and for ever.
    """
    twentieth = int(sha256(sentence_key(sentence).encode()), 16) % 20
    return {0: "validation", 1: "test"}.get(twentieth, "train")


def split_pairs(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Split pairs into train, validation and test, with no sentence, of either language, in two of them.

    A pair goes where one of its sentences already is; where both are new, where its Chinese belongs
    (`split_of`). One whose two sentences are in different splits would join them, and is left out.
    So pairs that are added at the end never move the ones before them.
    """
    splits: dict[str, list[Pair]] = {split: [] for split in SPLITS}
    home: dict[str, str] = {}
    for pair in pairs:
        keys = sentence_key(pair.chinese), sentence_key(pair.english)
        homes = {home[key] for key in keys if key in home} or {split_of(pair.chinese)}
        if len(homes) == 1:
            (split,) = homes
            splits[split].append(pair)
            home.update(dict.fromkeys(keys, split))
    return splits
