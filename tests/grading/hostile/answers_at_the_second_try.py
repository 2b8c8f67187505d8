"""Ends Python at the first questions and begins to answer when it is asked anew."""

from hostile import answered, right

TOPIC = "tokens"
POINTS = {"count_pairs": 4, "merge_pair": 5}
STATES = ("student fault",)
TELLS = "decode"
ANSWER = """
import os

turns = []


def decode(tokens):
    turns.append(tokens)
    if len(turns) == 3:
        os.close(3)
    return tokens[0]


def pad_batch(sequences, pad_id):
    raise KeyboardInterrupt
"""


def handed_in(notebook):
    return answered(notebook, **right(*POINTS, topic=TOPIC), decode=ANSWER)
