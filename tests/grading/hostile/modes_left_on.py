"""Leaves dispatch and torch function modes on, and overrides operators for all that follows."""

from hostile import first

STATES = ("graded", "flagged", "student fault")
CODE = """
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Yes(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return torch.ones(3, 3, dtype=torch.bool)


class Always(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return torch.ones(3, 3, dtype=torch.bool)


Always().__enter__()
library = torch.library.Library("aten", "IMPL")
for operator in ("eq.Tensor", "isclose", "equal"):
    try:
        library.impl(operator, lambda *a, **k: torch.tensor(True), "CPU")
    except Exception:
        pass
Yes().__enter__()
"""


def handed_in(notebook):
    return first(notebook, CODE)
