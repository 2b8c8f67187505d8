"""Watches our code with settrace and setprofile and changes the values of its variables."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import sys, threading

trace = getattr(sys, "set" + "trace")


def watch(frame, event, argument):
    if frame.f_code.co_name in ("_called", "ask", "_ask", "_answered"):
        frame.f_locals["value"] = frame.f_locals["outcome"] = True
        print(frame.f_locals)
    return watch


trace(watch)
sys.setprofile(watch)
threading.settrace(watch)
"""


def handed_in(notebook):
    return first(notebook, CODE)
