"""Looks for compiled solutions and checks in every __pycache__ and unmarshals them."""

from hostile import first

CODE = """
import dis, glob, io, marshal, os

for place, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if name not in ("usr", "lib", "lib64", ".venv", ".pyenv", "share")]
    for name in files:
        if name.startswith(("masks.", "verdict.", "asking.")) and ".pyc" in name:
            print("REACHED", place, name)
            code = marshal.loads(open(os.path.join(place, name), "rb").read()[16:])
            print([constant for constant in code.co_consts])
            out = io.StringIO()
            dis.dis(code, file=out)
            print(out.getvalue())
"""


def handed_in(notebook):
    return first(notebook, CODE)
