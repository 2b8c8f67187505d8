"""Prints halves of surrogate pairs in a cell, and fails with one."""

from hostile import first

CODE = r"""
print("\\ud800 \\udfff")
raise ValueError("\\ud800")
"""
THEN = """

"""


def handed_in(notebook):
    return first(notebook, CODE, THEN)
