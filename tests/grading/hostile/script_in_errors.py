"""Raises errors that are HTML, Markdown and scripts."""

from hostile import all_answered

BODY = '''
raise ValueError("""
`<b onclick=a()>` `` <script>a()</script><img src=x onerror=a()><svg onload=a()>[x](javascript:a())""")
'''


def handed_in(notebook):
    return all_answered(notebook, BODY)
