"""Hands in archives of archives of what looks like archives, each unpacked before it is refused."""

import io
import os
import zipfile


def packed(members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


STATES = ("unreadable",)


def hand_in(folder, notebook):
    large = b"PK\x03\x04" + os.urandom(2000) + bytes(15 * 2**20)
    inner = packed([(f"{number}.x", large) for number in range(8)])
    middle = io.BytesIO()
    with zipfile.ZipFile(middle, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(300):
            archive.writestr(f"{number}.zip", inner)
    (folder / "03_masks.ipynb").write_bytes(middle.getvalue())
