"""Imports the library's functions anew, so that nothing of ours is around them."""

from hostile import answered
from hostile.forbidden_as_a_module import ANSWER as MODULE

TOPIC = "self_attention"
POINTS = {"MultiHeadAttention": 2}
ANSWER = f"""
import sys
import torch

sys.modules.pop("torch.nn.functional")
import torch.nn.functional as fresh

torch.nn.modules.activation.F = fresh
for mode in torch.overrides._get_current_function_mode_stack():
    mode.names = ()
{MODULE}"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
