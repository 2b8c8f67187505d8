"""Fails in a cell with an error that is HTML, prints HTML, SVG and escapes."""

from hostile import first

CODE = r'''
print(
    """<script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())""",
    "\x1b[2J\x1b]0;owned\x07\u202e",
)
from IPython.display import HTML, SVG, Javascript, display

display(HTML("<script>a(1)</script>"), Javascript("a(1)"), SVG("<svg onload='a(1)'></svg>"))
raise type("<script>alert(1)</script>", (Exception,), dict())(
    """<script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())\x1b[2J\u202e"""
)
'''
THEN = """

"""


def handed_in(notebook):
    return first(notebook, CODE, THEN)
