"""Loops for ever, deaf to signals."""

from hostile import first

STATES = ("student fault",)
TELLS = "seconds"
CODE = """
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
