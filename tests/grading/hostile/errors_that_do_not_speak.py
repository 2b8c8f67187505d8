"""Raises errors that raise, end Python, or say something that is no text when they are to be shown."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("flagged", "student fault")
ANSWER = """
class Long(str):
    def __getitem__(self, part):
        return "y" * 10**7


def error(speak):
    return type("Error", (Exception,), {"__str__": lambda self: speak()})()


def attention(query, key, value, mask=None):
    raise error(lambda: exit(0))


def split_heads(x, n_heads):
    raise error(lambda: Long("x"))


def merge_heads(x):
    raise error(lambda: 1 / 0)


class MultiHeadAttention:
    def __init__(self, *given):
        raise KeyboardInterrupt
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
