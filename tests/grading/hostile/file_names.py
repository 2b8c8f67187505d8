"""Hands in files whose names are escapes, scripts and formulas, none of them a notebook."""

STATES = ("unreadable",)


def hand_in(folder, notebook):
    for name in (
        "\x1b[2J\u202e.ipynb",
        "=cmd|'calc'!A1.ipynb",
        "<script>alert(1)<x>.ipynb",
        "a\nb.ipynb",
        "-rf.ipynb",
    ):
        (folder / name).write_bytes(b"no notebook " + name.encode())
