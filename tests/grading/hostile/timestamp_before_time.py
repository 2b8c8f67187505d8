"""Says that it was handed in before there was time."""

from hostile import as_bytes

STATES = ("graded",)


def hand_in(folder, notebook):
    (folder / "timestamp.txt").write_text("0001-01-01 00:00:00 +1400")
    (folder / "03_masks.ipynb").write_bytes(as_bytes(notebook))
