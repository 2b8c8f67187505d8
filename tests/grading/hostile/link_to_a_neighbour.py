"""Hands in a link to the notebook of somebody who has it all right."""

STATES = ("unreadable",)
TELLS = "link"


def hand_in(folder, notebook):
    (folder / "03_masks.ipynb").symlink_to(folder.parents[1] / "b_all_right" / "masks" / "03_masks.ipynb")
