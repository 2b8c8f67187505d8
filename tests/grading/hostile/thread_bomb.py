"""Starts threads without end that burn all processors."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
import hashlib, threading


def burn():
    while True:
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_000_000)


try:
    for _ in range(100_000):
        threading.Thread(target=burn, daemon=True).start()
except RuntimeError:
    pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
