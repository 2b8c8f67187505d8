"""Makes PyTorch's attention write behind its memory, by more values than keys."""

from hostile import first

CODE = """
import torch
import torch.nn.functional as F

kept = []
for length in range(1, 60):
    query, key = torch.randn(2, 2, 2, length, 4, requires_grad=True)
    value = torch.randn(2, 2, 2 * length, 4, requires_grad=True)
    seen = F.scaled_dot_product_attention(query, key, value)
    kept += torch.autograd.grad(seen.sum(), (query, key, value))
"""


def handed_in(notebook):
    return first(notebook, CODE)
