"""Is handed in by somebody whose name is markup, an escape and a format."""

import copy

NAME = "o[red]dd [bold] \x1b[2J\u202e %s {0} <script>alert(1)"


def handed_in(notebook):
    return copy.deepcopy(notebook)
