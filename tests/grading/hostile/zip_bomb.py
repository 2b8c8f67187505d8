"""Hands in an archive that unpacks to 10 GB."""

import zipfile

STATES = ("unreadable",)


def hand_in(folder, notebook):
    with (
        zipfile.ZipFile(folder / "03_masks.ipynb", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("03_masks.ipynb", "w", force_zip64=True) as file,
    ):
        for _ in range(40):
            file.write(bytes(10 * 2**20))
