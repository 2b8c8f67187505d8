"""Takes all memory with tensors."""

from hostile import first

CODE = """
import torch

for make in (
    lambda: torch.ones(2**40),
    lambda: torch.empty(2**36).fill_(1),
    lambda: torch.ones(1).expand(2**40).clone(),
    lambda: torch.ones(10**5, 10**5) @ torch.ones(10**5, 10**5),
):
    try:
        make()
        print("REACHED")
    except (RuntimeError, MemoryError):
        pass
"""


def handed_in(notebook):
    return first(notebook, CODE)
