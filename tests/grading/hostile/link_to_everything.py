"""Has a link to the whole machine in place of its folder."""

STATES = ("unreadable",)
TELLS = "link"


def hand_in(folder, notebook):
    folder.rmdir()
    folder.symlink_to("/")
