"""Hands in a file in place of its folder."""

STATES = ("unreadable",)


def hand_in(folder, notebook):
    folder.rmdir()
    folder.write_text("{}")
