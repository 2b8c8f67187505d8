"""Hands in an archive of 20,000 files."""

import zipfile

STATES = ("unreadable",)


def hand_in(folder, notebook):
    with zipfile.ZipFile(folder / "03_masks.zip", "w") as archive:
        for number in range(20_000):
            archive.writestr(str(number), "")
