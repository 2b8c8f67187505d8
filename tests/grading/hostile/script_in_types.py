"""Raises errors and returns objects whose types are named with scripts and escapes."""

from hostile import all_answered

STATES = ("flagged",)
BODY = r"""
import builtins

builtins.turn = getattr(builtins, "turn", 0) + 1
name = (
    "<script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())"
    + "\x1b]0;owned\x07\x1b[2J\u202etxt"
)
if builtins.turn % 2:
    raise type(name, (Exception,), dict())("]]>--></pre>" + name)
return type(name, (), dict())()
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
