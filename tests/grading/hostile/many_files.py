"""Hands in 5,000 files."""

STATES = ("unreadable",)


def hand_in(folder, notebook):
    for number in range(5_000):
        (folder / f"{number}.ipynb").touch()
