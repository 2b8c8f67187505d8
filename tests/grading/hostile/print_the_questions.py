"""Prints the grader's questions from a thread that was started in a cell."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import sys, threading, time

cell_output = sys.stdout


def pry():
    while True:
        for frame in getattr(sys, "_current" + "_frames")().values():
            while frame:
                if "calls" in frame.f_locals:
                    cell_output.write("ASKED " + repr(frame.f_locals["calls"])[:3000])
                frame = frame.f_back
        time.sleep(0.001)


threading.Thread(target=pry, daemon=True).start()
"""


def handed_in(notebook):
    return first(notebook, CODE)
