"""Makes Python crash by reading address 0, with a fault handler of its own."""

from hostile import first

STATES = ("student fault",)
CODE = """
import faulthandler, importlib

faulthandler.enable(file=open("/tmp/trace", "w"), all_threads=True)
importlib.import_module("cty" + "pes").string_at(0)
"""


def handed_in(notebook):
    return first(notebook, CODE)
