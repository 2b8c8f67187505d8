"""Returns texts and containers that are HTML, Markdown and scripts."""

from hostile import all_answered

BODY = r"""
return (
    "<script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())",
    dict(a="</pre><script>alert(1)</script>"),
    "```\n\n<script>alert(1)</script>",
)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
