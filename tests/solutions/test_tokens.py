"""The reference of chapter 01 against the libraries tokenizers and transformers, and against definitions."""

import json
import random
import time
from collections import Counter
from itertools import pairwise

import pytest
import regex
import torch
from torch.nn.utils.rnn import pad_sequence

from autograder.chapters import chapter_path, read_chapter
from companion.data import corpus, gpt2_byte_symbols, gpt2_merges, gpt2_vocabulary, translation_pairs
from solutions import tokens
from solutions.tokens import (
    SPECIAL,
    Tokenizer,
    byte_symbols,
    count_pairs,
    decode,
    encode,
    merge_pair,
    pad_batch,
    split_words,
    train_bpe,
)

library = pytest.importorskip("tokenizers")

ODD = [
    "",
    " ",
    "  two  spaces ",
    "\t\r\n\n x",
    "it's they'LL 've",
    "1984年5月",
    "naïve 🙂👩‍🚀",
    "สวัสดี",
    "\x00\xa0\u3000",
    "[end]",
]
SENTENCES = [text for pair in translation_pairs("hsk", "test") for text in (pair.chinese, pair.english)]


def byte_level():
    return library.pre_tokenizers.ByteLevel(add_prefix_space=False)


def trained_by_the_library(text, n_merges):
    trained = library.Tokenizer(library.models.BPE())
    trained.pre_tokenizer = byte_level()
    trainer = library.trainers.BpeTrainer(
        vocab_size=256 + n_merges, initial_alphabet=byte_level().alphabet(), show_progress=False
    )
    trained.train_from_iterator([text], trainer)
    return trained, [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]


@pytest.fixture(scope="module")
def trained():
    """The merges of the course, and the seconds it took to learn them."""
    text, begin = corpus("both"), time.process_time()
    return train_bpe(text, 4000), time.process_time() - begin


@pytest.fixture(scope="module")
def merges(trained):
    return trained[0]


@pytest.fixture(scope="module")
def gpt2():
    return {pair: rank for rank, pair in enumerate(gpt2_merges())}


def test_the_merges_of_the_course_are_the_librarys(merges):
    trained, theirs = trained_by_the_library(corpus("both"), 4000)
    assert list(merges) == theirs
    assert list(merges.values()) == list(range(4000))
    for text in (*SENTENCES, *ODD):
        assert encode(text, merges) == trained.encode(text).tokens


@pytest.mark.parametrize("seed", range(8))
def test_ties_are_settled_as_in_the_library(seed):
    draw = random.Random(seed)
    text = " ".join("".join(draw.choices("abCé我1", k=draw.randint(1, 6))) for _ in range(40))
    assert list(train_bpe(text, 60)) == trained_by_the_library(text, 60)[1][:60]


def test_4000_merges_take_less_than_ten_seconds(trained):
    assert trained[1] < 10


def naive(text, n_merges):
    """The definition: count all words anew after each merge."""
    words = [tuple(word) for word in split_words(text)]
    age = sorted({symbol for word in words for symbol in word})
    learned = []
    while len(learned) < n_merges:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        if not pairs:
            break
        learned.append(min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair))))
        age.append("".join(learned[-1]))
        words = [merge_pair(word, learned[-1]) for word in words]
    return learned


def test_training_is_its_definition():
    text = corpus("both")[:2000]
    assert list(train_bpe(text, 200)) == naive(text, 200)
    assert list(train_bpe("aa ab", 99)) == naive("aa ab", 99)
    assert train_bpe("", 5) == train_bpe("a b", 0) == {}


def test_words_are_those_of_the_library():
    for text in (*SENTENCES, *ODD):
        assert split_words(text) == [word for word, _ in byte_level().pre_tokenize_str(text)]


def test_symbols_are_those_of_gpt2():
    assert dict(enumerate(byte_symbols())) == gpt2_byte_symbols()
    assert sorted(byte_symbols()) == sorted(byte_level().alphabet())


def test_gpt2_writes_as_transformers_does(gpt2):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GPT2Tokenizer(vocab=gpt2_vocabulary(), merges=gpt2_merges())
    ids = gpt2_vocabulary()
    for text in (*SENTENCES[:120], *ODD):
        found = encode(text, gpt2)
        assert found == theirs.tokenize(text)
        assert [ids[token] for token in found] == theirs.encode(text)


def test_nothing_is_lost(merges, gpt2):
    for table in (merges, gpt2, {}):
        for text in (*SENTENCES[:60], *ODD, "".join(map(chr, range(0x2FF)))):
            assert decode(encode(text, table)) == text


def test_every_row_of_bytes_is_read_as_python_reads_it():
    draw, symbols = random.Random(3), byte_symbols()
    for _ in range(200):
        data = draw.randbytes(draw.randint(0, 9))
        assert decode([symbols[byte] for byte in data]) == data.decode(errors="replace")


def test_merging_the_lowest_rank_first_is_merging_in_order(merges):
    first = dict(list(merges.items())[:800])
    for text in SENTENCES[:40]:
        words = [tuple(word) for word in split_words(text)]
        for pair in first:
            words = [merge_pair(word, pair) for word in words]
        assert encode(text, first) == [token for word in words for token in word]


def test_a_merged_pair_is_gone_unless_it_overlapped():
    draw = random.Random(5)
    for _ in range(200):
        word = tuple(draw.choices(("a", "b", "ab"), k=draw.randint(0, 9)))
        for pair in (("a", "b"), ("ab", "a"), ("a", "a")):
            merged = merge_pair(word, pair)
            assert "".join(merged) == "".join(word)
            assert pair not in pairwise(merged)
            assert merge_pair(list(word), pair) == merged


def test_pairs_are_counted_one_by_one():
    words = {("a", "b", "a", "b"): 3, ("b",): 5, ("ab", "a"): 2, ("a", "a", "a"): 1}
    expected = {("a", "b"): 6, ("b", "a"): 3, ("ab", "a"): 2, ("a", "a"): 2}
    assert count_pairs(words) == expected


def test_a_batch_is_that_of_pad_sequence():
    draw = random.Random(1)
    for pad_id in (0, 7, 50256):
        rows = [[draw.randint(0, 2**40) for _ in range(draw.randint(0, 6))] for _ in range(9)]
        expected = pad_sequence(
            [torch.tensor(row, dtype=torch.long) for row in rows], batch_first=True, padding_value=pad_id
        )
        torch.testing.assert_close(pad_batch(rows, pad_id), expected, rtol=0, atol=0)
    assert pad_batch([], 0).shape == (0, 0)
    assert pad_batch([[], []], 0).dtype == torch.int64


def test_the_tokenizer_numbers_special_tokens_symbols_and_merges(merges):
    tokenizer = Tokenizer(merges)
    assert len(tokenizer) == 3 + 256 + 4000
    assert (tokenizer.pad_id, tokenizer.begin_id, tokenizer.end_id) == (0, 1, 2)
    assert tokenizer.tokens[:3] == list(SPECIAL)
    assert sorted(tokenizer.tokens[3:259]) == sorted(byte_symbols())
    for text in (*SENTENCES[:60], *ODD):
        ids = tokenizer.encode(text)
        assert [tokenizer.tokens[number] for number in ids] == encode(text, merges)
        assert tokenizer.decode([tokenizer.begin_id, *ids, tokenizer.end_id, tokenizer.pad_id]) == text
        assert not {*ids} & {0, 1, 2}


def test_the_pattern_of_the_chapter_is_that_of_the_solution():
    cells = read_chapter(chapter_path("tokens")).notebook.cells
    (cell,) = [cell for cell in cells if cell.source.startswith("WORD = ")]
    names = {"regex": regex}
    exec(cell.source, names)
    assert names["WORD"].pattern == tokens.WORD.pattern
    (cell,) = [cell for cell in cells if cell.source.startswith("SPECIAL = ")]
    exec(cell.source, names)
    assert names["SPECIAL"] == SPECIAL
