"""Starts processes in every way there is, as many as it can, and lets them live on."""

from hostile import first

STATES = ("flagged", "student fault")
CODE = """
import os
from ctypes import CDLL

sub, multi = __import__("sub" + "process"), __import__("multi" + "processing")


def survive():
    os.setsid()
    open("/tmp/survived", "w").write("REACHED")
    while True:
        pass


for start in (
    os.fork,
    os.forkpty,
    CDLL(None).fork,
    CDLL(None).vfork,
    lambda: CDLL(None).syscall(56, 17, 0, 0, 0, 0),
):
    for _ in range(100):
        try:
            done = start()
        except OSError:
            continue
        if done == 0:
            survive()
        elif not isinstance(done, int) or done > 0:
            print("REACHED", done)
for start in (
    lambda: sub.Popen(["sleep", "1000"], start_new_session=True),
    lambda: os.system("sleep 1000 &"),
    lambda: os.popen("id").read(),
    lambda: os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}),
    lambda: multi.Process(target=survive).start(),
    lambda: os.execv("/bin/sleep", ["sleep", "1000"]),
):
    try:
        done = start()
        if done not in (None, 32512, -1, 256, 65280, ""):
            print("REACHED", done)
    except (OSError, sub.SubprocessError):
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
