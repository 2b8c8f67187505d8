"""Raises the limit of recursion and recurses, in Python and in C."""

from hostile import first

STATES = ("student fault",)
CODE = """
import sys, threading

sys.setrecursionlimit(2**31 - 1)
threading.stack_size(512 * 2**20)


def deeper(n):
    return deeper(n + 1)


def run():
    try:
        deeper(0)
    except BaseException:
        pass


class Deep:
    __repr__ = lambda self: repr(self)


try:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
except RuntimeError:
    pass
repr(Deep())
"""


def handed_in(notebook):
    return first(notebook, CODE)
