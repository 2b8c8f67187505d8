"""Hands in archives whose members want to be written elsewhere, and links."""

import tarfile
import zipfile

STATES = ("unreadable",)


def hand_in(folder, notebook):
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        for name in (
            "../../b_all_right/masks/03_masks.ipynb",
            "/etc/cron.d/evil",
            "C:\\\\evil.ipynb",
            "..\\\\..\\\\evil",
            "\x1b[2J.ipynb",
        ):
            archive.writestr(name, "{}")
        link = zipfile.ZipInfo("03_masks.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(folder / "work.tar", "w") as archive:
        for name, kind, target in (
            ("03_masks.ipynb", tarfile.SYMTYPE, "/etc/passwd"),
            ("x.ipynb", tarfile.LNKTYPE, "../course_key"),
            ("y.ipynb", tarfile.CHRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
