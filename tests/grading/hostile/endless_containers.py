"""Returns lists, dictionaries and texts that contain themselves, never end, or lie about their length."""

from hostile import answered

TOPIC = "tokens"
STATES = ("student fault", "flagged")
ANSWER = """
class Endless(list):
    def __iter__(self):
        while True:
            yield "a"

    def __len__(self):
        return -1


class Pairs(dict):
    def items(self):
        while True:
            yield ("a", "b"), 1


class Text(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__


def count_pairs(words):
    return Pairs()


def merge_pair(symbols, pair):
    return Endless()


def train_bpe(corpus, n_merges):
    inside = {}
    inside["a", "b"] = inside
    return inside


def encode(text, merges):
    inside = []
    inside.append(inside)
    return inside


def decode(tokens):
    return Text("a")


def pad_batch(sequences, pad_id):
    return {Text("a"): Text("b"), float("nan"): -0.0, 0.0: 10**5000, (1, ("a",)): b"", None: {1}, True: ...}
"""


def handed_in(notebook):
    return answered(notebook, count_pairs=ANSWER)
