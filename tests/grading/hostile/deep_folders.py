"""Hands in folders inside folders, deeper than any path is long."""

import os

STATES = ("unreadable",)


def hand_in(folder, notebook):
    (folder / "03_masks.ipynb").write_bytes(b"")
    here = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("aa", dir_fd=here)
        below = os.open("aa", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
