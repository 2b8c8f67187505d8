"""Hands in folders with names as long as names may be."""

import os

STATES = ("unreadable",)


def hand_in(folder, notebook):
    (folder / "03_masks.ipynb").write_bytes(b"")
    here = os.open(folder, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("a" * 250, dir_fd=here)
        below = os.open("a" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
