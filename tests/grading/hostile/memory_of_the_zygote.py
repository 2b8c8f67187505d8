"""Looks through all objects and frames for what our own code left behind."""

from hostile import FRAMES, first

STATES = ("flagged",)
TELLS = "_getframe"
CODE = """
import gc, sys

for thing in gc.get_objects():
    try:
        text = repr(thing) if isinstance(thing, (str, bytes, dict, tuple, list)) else ""
        if "SECRET" in text or "course" + "_key" in text or "ask." + "same" in text:
            print(text[:3000])
    except Exception:
        pass
frame = sys._getframe()
while frame:
    print(frame.f_code.co_name, sorted(frame.f_locals))
    frame = frame.f_back
gc.unfreeze() if hasattr(gc, "unfreeze") else None
"""


def handed_in(notebook):
    return first(notebook, FRAMES + CODE)
