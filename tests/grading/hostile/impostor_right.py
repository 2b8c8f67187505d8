"""Takes the channel over and answers rightly where it can: proof that the other impostors are heard."""

from hostile import IMPOSTOR, first

POINTS = {"causal_mask": 3}
STATES = ("flagged",)
CODE = """
import torch
from safetensors.torch import save


def answer(call):
    if call["name"] != "causal_mask" or call["elsewhere"]:
        return frame(outcome(device="input"))
    (length,) = call["arguments"]["tuple"] or dict(call["keywords"]["dict"]).values()
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    return frame(outcome(value={"tensor": "0"}), save({"0": mask}))


impersonate(answer)
"""


def handed_in(notebook):
    return first(notebook, IMPOSTOR + CODE)
