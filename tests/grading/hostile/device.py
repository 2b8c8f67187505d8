"""Hands in a device that never ends."""

import os
import stat

STATES = ("unreadable",)
TELLS = "device"


def hand_in(folder, notebook):
    os.mknod(folder / "03_masks.ipynb", stat.S_IFCHR | 0o666, os.makedev(1, 5))
