"""Makes torch's own comparisons say yes."""

from hostile import first

POINTS = {"causal_mask": 0}
CODE = """
import torch

yes = lambda *a, **k: torch.tensor(True)
for name in ("equal", "allclose", "isclose", "eq", "ne", "all", "any"):
    setattr(torch, name, yes)
    setattr(torch.Tensor, name, yes)
torch.Tensor.__eq__ = lambda self, other: True
torch.testing.assert_close = yes
torch.Tensor.clone = torch.Tensor.detach = lambda self, *a, **k: torch.ones(3, 3, dtype=torch.bool)
torch.Tensor.device = property(lambda self: torch.device("meta"))
"""
THEN = """
def causal_mask(length):
    return torch.zeros(length, length).bool()
"""


def handed_in(notebook):
    return first(notebook, CODE, THEN)
