"""Adds AST and input transformers, a hook after each cell and a patched run_cell through IPython."""

from hostile import first

STATES = ("graded", "flagged")
CODE = r"""
import IPython, sys

shell = get_ipython()
for patch in (
    lambda: shell.ast_transformers.append(lambda tree: None),
    lambda: shell.input_transformers_cleanup.append(lambda lines: ["100\n"]),
    lambda: shell.events.register("post_run_cell", lambda *given: None),
    lambda: setattr(shell, "run_cell", lambda *given, **named: 100),
    lambda: setattr(IPython, "get_ipython", lambda: shell),
    lambda: shell.user_ns.update(award=lambda *given, **named: 100),
):
    try:
        patch()
    except AttributeError:
        pass
sys.displayhook = lambda value: print(100.0)
sys.displayhook(100.0)
award = lambda *given, **named: 100
"""


def handed_in(notebook):
    return first(notebook, CODE)
