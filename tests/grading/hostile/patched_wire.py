"""Replaces the wire's pack, json's and safetensors' writers."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import importlib, json

wire = importlib.import_module("auto" + "grader.sandbox.wire")
pack = wire.pack
wire.pack = lambda message: (
    pack({**message, "value": True, "error": None}) if "value" in message else pack(message)
)
wire.save = lambda tensors: b""
wire.NAMES.clear()
json.dumps = lambda *a, **k: "{}"
"""


def handed_in(notebook):
    return first(notebook, CODE)
