"""Hands in a link to the secrets of the course."""

STATES = ("unreadable",)
TELLS = "link"


def hand_in(folder, notebook):
    (folder / "03_masks.ipynb").symlink_to(folder.parents[2] / "secret.txt")
    (folder / "key.ipynb").symlink_to(folder.parents[2] / "course_key")
