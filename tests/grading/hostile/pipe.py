"""Hands in a pipe that nobody writes to, and a socket."""

import os

STATES = ("unreadable",)
TELLS = "pipe"


def hand_in(folder, notebook):
    os.mkfifo(folder / "03_masks.ipynb")
    os.mkfifo(folder / "timestamp.txt")
