"""Reads every small file that can be reached and prints those that hold a secret."""

from hostile import first

CODE = """
import os

for place, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("usr", "lib", "lib64", ".venv", ".pyenv", "share")]
    for name in files:
        path = os.path.join(place, name)
        try:
            if (
                os.path.isfile(path)
                and os.path.getsize(path) < 3_000_000
                and b"TOP-" + b"SECRET" in open(path, "rb").read()
            ):
                print("REACHED", path, open(path, errors="replace").read()[:3000])
        except OSError:
            pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
