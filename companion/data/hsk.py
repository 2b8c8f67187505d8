"""Graded sentences for learners of Chinese, and what their words mean, shipped in hsk/: see its LICENSE."""

import re

from companion.data.files import shipped
from companion.data.pairs import Pair, clean

SENTENCES_SHA256 = "df7d1ad1d48f9267bfc9f77f331c63f4d871051b460a5caa994424659295197b"

WORDS_SHA256 = "eb409455e8faa9d58e4283cc549690b810e170d870a5e181f818ddef744c7250"
# What a dictionary says besides meanings: notes in brackets, names, and references to other entries.
NOTE = re.compile(r"\s*(\([^()]*\)|\[[^\[\]]*\])")
NO_MEANING = re.compile(
    r"surname |variant of |old variant|abbr\.|see |used in |CL:|classifier ", re.IGNORECASE
)


def hsk_records() -> list[Pair]:
    """The 4,354 records as they were published, before any cleaning."""
    _, *lines = shipped("hsk/sentences.tsv", SENTENCES_SHA256).decode("utf-8").splitlines()
    records = []
    for line in lines:
        chinese, english, pinyin, level, topic = line.split("\t")
        records.append(Pair(chinese, english, "hsk", int(level), topic, pinyin))
    return records


def hsk_pairs() -> list[Pair]:
    """The 4,268 pairs that are left after cleaning."""
    return clean(hsk_records())


def hsk_words() -> list[Pair]:
    """The words of the sentences, each with the first meaning that CC-CEDICT gives, if it gives one."""
    _, *lines = shipped("hsk/words.tsv", WORDS_SHA256).decode("utf-8").splitlines()
    entries = [line.split("\t") for line in lines]
    found = [(word, first_meaning(meanings)) for word, meanings in entries]
    return clean(Pair(word, meaning, "words") for word, meaning in found if meaning)


def first_meaning(meanings: str) -> str:
    """Of meanings as a dictionary lists them, `to ask (sb); to invite`, the first: `to ask`. Or no text."""
    given = (meaning.strip() for meaning in NOTE.sub("", meanings).split(";"))
    return next((meaning for meaning in given if meaning and not NO_MEANING.match(meaning)), "")
