"""Graded sentences for learners of Chinese, shipped in hsk/: see its LICENSE."""

from companion.data.files import shipped
from companion.data.pairs import Pair, clean

SENTENCES_SHA256 = "df7d1ad1d48f9267bfc9f77f331c63f4d871051b460a5caa994424659295197b"


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
