"""Says that it was handed in at a time that is none."""

from hostile import as_bytes

STATES = ("graded",)


def hand_in(folder, notebook):
    (folder / "timestamp.txt").write_text("24:00123456789012345123456789012345epm0")
    (folder / "03_masks.ipynb").write_bytes(as_bytes(notebook))
