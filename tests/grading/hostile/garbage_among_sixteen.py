"""Writes garbage on the channel while sixteen answers are gathered; the other answers are right."""

from hostile import answered, right

TOPIC = "tokens"
POINTS = {"count_pairs": 4, "merge_pair": 5, "train_bpe": 8, "encode": 6, "pad_batch": 5}
STATES = ("flagged",)
TELLS = "decode"
ANSWER = """
import os


def decode(tokens):
    os.write(3, b"garbage" * 1000)
    return ""
"""


def handed_in(notebook):
    return answered(notebook, **right(*POINTS, topic=TOPIC), decode=ANSWER)
