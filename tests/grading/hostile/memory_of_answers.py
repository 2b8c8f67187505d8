"""Returns expanded tensors, strings and integers that are huge when written out."""

from hostile import all_answered

STATES = ("graded", "flagged", "student fault")
BODY = """
import builtins, torch

builtins.turn = getattr(builtins, "turn", 0) + 1
deep = []
for _ in range(100_000):
    deep = [deep]
loop = []
loop.append(loop)
return [
    torch.ones(1).expand(2**40),
    "x" * 10**8,
    10**100_000,
    deep,
    loop,
    [["x" * 20_000] * 1000] * 1000,
    {1: loop},
    torch.empty(10**12, 0),
    torch.zeros([1] * 5000),
][builtins.turn % 9]
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
