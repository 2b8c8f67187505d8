"""Raises a ValueError whatever it is asked, which some questions ask for."""

from hostile import all_answered

TOPIC = "self_attention"


def handed_in(notebook):
    return all_answered(notebook, "raise ValueError")
