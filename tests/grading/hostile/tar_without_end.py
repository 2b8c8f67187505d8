"""Hands in tar archives whose headers lie about their sizes."""

import tarfile

STATES = ("unreadable",)


def hand_in(folder, notebook):
    with tarfile.open(folder / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("03_masks.ipynb"))
    header = bytearray((folder / "a.tar").read_bytes()[:512])
    for number, size in enumerate(
        (b"-0000000777", b"77777777777", b"\x80" + b"\xff" * 10, b"           ", b"0o7_7      ")
    ):
        header[124:135] = size
        (folder / f"{number}.tar").write_bytes(bytes(header) * 3)
