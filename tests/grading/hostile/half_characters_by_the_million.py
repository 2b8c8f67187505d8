"""Returns texts of a million halves of characters, NULs and tags, as values and as keys."""

from hostile import answered

TOPIC = "tokens"
STATES = ("graded", "flagged", "student fault")
ANSWER = """
ODD = "\\ud800\\0<b>\\x1b[31m\\u202e`"


def count_pairs(words):
    return {(ODD + str(number), ODD): number for number in range(10_000)}


def merge_pair(symbols, pair):
    return (ODD * 100,) * 100


def train_bpe(corpus, n_merges):
    return {(ODD, ODD * 1000): 0, "\\ud801": 1, "\\ud802": 2}


def encode(text, merges):
    return [ODD] * 20_000


def decode(tokens):
    return ODD * 100_000


def pad_batch(sequences, pad_id):
    return [[ODD * 3] * 1000] * 10
"""


def handed_in(notebook):
    return answered(notebook, count_pairs=ANSWER)
