"""Kills all processes, its parent, the zygote and the grader."""

from hostile import first

STATES = ("graded", "student fault")
CODE = """
import os, signal

for number in (-1, 0, 1, os.getppid(), os.getpgrp(), -os.getpgrp(), *range(2, 3000)):
    if number == os.getpid():
        continue
    for what in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(number, what)
            print("REACHED", number)
        except OSError:
            pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
