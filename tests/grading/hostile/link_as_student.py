"""Has a link to somebody else's folder in place of all of its own."""

STATES = ("unreadable",)
TELLS = "link"


def hand_in(folder, notebook):
    folder.rmdir()
    folder.parent.rmdir()
    folder.parent.symlink_to(folder.parents[1] / "b_all_right")
