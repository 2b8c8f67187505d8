"""Stops and kills itself with signals."""

from hostile import first

STATES = ("graded", "student fault")
CODE = """
import os, signal

for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGKILL, signal.SIGSEGV):
    try:
        os.kill(os.getpid(), number)
        signal.raise_signal(number)
    except OSError:
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
