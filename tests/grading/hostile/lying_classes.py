"""Is a class whose class builds something else, knows every attribute and has an endless name."""

from hostile import answered

TOPIC = "self_attention"
ANSWER = """
class Lying(type):
    __name__ = property(lambda self: "x" * 10**6)

    def __call__(self, *given, **more):
        return lambda *given, **more: Odd

    def __getattr__(self, name):
        return lambda *given, **more: self


class Odd(metaclass=Lying):
    pass


MultiHeadAttention = attention = Odd


def split_heads(x, n_heads):
    return Odd


def merge_heads(x):
    raise type("Error\\x1b[31m<b>", (Exception,), {})("`<script>\\u202e" * 10**6)
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
