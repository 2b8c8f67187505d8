"""Has folders that link to the course and to themselves."""

STATES = ("unreadable",)


def hand_in(folder, notebook):
    (folder / "course").symlink_to(folder.parents[2])
    (folder / "loop").symlink_to(folder)
