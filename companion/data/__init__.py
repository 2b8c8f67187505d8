"""Real data for the chapters: sentence pairs in Chinese and English, a model trained on them, GPT-2's merges.

What is shipped is held against its SHA-256 when it is read. README.md says where it comes from.
"""

from functools import lru_cache
from typing import Literal

from companion.data.files import DataError
from companion.data.gpt2 import gpt2_byte_symbols, gpt2_merges, gpt2_vocabulary
from companion.data.hsk import hsk_pairs, hsk_records, hsk_words
from companion.data.pairs import CLEANING, Pair, split_pairs, without_duplicates
from companion.data.translation import TranslationModel, translation_model

__all__ = [
    "CLEANING",
    "DataError",
    "Pair",
    "TranslationModel",
    "corpus",
    "gpt2_byte_symbols",
    "gpt2_merges",
    "gpt2_vocabulary",
    "hsk_records",
    "translation_model",
    "translation_pairs",
]


def translation_pairs(
    source: Literal["hsk", "technical", "all"] = "hsk",
    split: Literal["train", "validation", "test"] = "train",
    words: bool = False,
) -> list[Pair]:
    """Clean sentence pairs in Chinese and English, of one source and one split of it.

    "hsk" are 4,268 short, graded sentences, shipped with the course; "technical" are sentences of manuals
    and interfaces, built once by `python -m companion.data.technical`; "all" are both. No sentence, of
    either language, is in two splits, so what is learnt from "all" can be tested on "hsk".
    With `words`, the words of "hsk" follow the sentences, each with its first meaning in a dictionary.

    Raises DataError where the technical pairs have not been built, or a shipped file is damaged.
    """
    wanted = {"hsk": {True}, "technical": {False}, "all": {True, False}}
    if source not in wanted:
        raise ValueError(f"source is {source!r}: use one of {', '.join(wanted)}")
    splits = _splits(with_technical=source != "hsk")
    if split not in splits:
        raise ValueError(f"split is {split!r}: use one of {', '.join(splits)}")
    return [
        pair
        for pair in splits[split]
        if (words if pair.source == "words" else (pair.source == "hsk") in wanted[source])
    ]


def corpus(language: Literal["en", "zh", "both"]) -> str:
    """The sentences that "hsk" trains on as one text, one sentence a line: to learn a tokenizer from.

    "both" has each Chinese sentence followed by its translation.
    """
    columns = {"en": ("english",), "zh": ("chinese",), "both": ("chinese", "english")}
    if language not in columns:
        raise ValueError(f"language is {language!r}: use one of {', '.join(columns)}")
    pairs = translation_pairs("hsk", "train")
    return "\n".join(getattr(pair, column) for pair in pairs for column in columns[language])


@lru_cache
def _splits(with_technical: bool) -> dict[str, list[Pair]]:
    pairs = hsk_pairs()
    if with_technical:
        # Here, since a chapter should not load what only the builder needs, and that is a module to be run.
        from companion.data.technical import technical_pairs

        pairs = without_duplicates([*pairs, *technical_pairs()])
    return split_pairs([*pairs, *hsk_words()])  # words last: they move no sentence
