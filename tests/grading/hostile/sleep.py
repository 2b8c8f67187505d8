"""Sleeps for a day, with all signals blocked."""

from hostile import first

STATES = ("student fault",)
CODE = """
import signal, time

signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
time.sleep(86400)
"""


def handed_in(notebook):
    return first(notebook, CODE)
