"""Returns sparse, quantised, nested, meta, complex, named and functional tensors."""

from hostile import all_answered

BODY = """
import builtins, torch

builtins.turn = getattr(builtins, "turn", 0) + 1
make = [
    lambda: torch.ones(3, 3).to_sparse(),
    lambda: torch.quantize_per_tensor(torch.ones(3), 1, 0, torch.qint8),
    lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    lambda: torch.ones(3, 3, device="meta"),
    lambda: torch.ones(3, 3, dtype=torch.complex64),
    lambda: torch.ones(2, names=("a",)),
    lambda: torch.nn.Parameter(torch.ones(3, 3)),
    lambda: torch.ones(1).expand(3, 3),
    lambda: torch.ones(3, 3).to(torch.float8_e5m2),
    lambda: torch.empty(2**20).as_strided((2**20, 2**10), (0, 0)),
    lambda: torch.func.vmap(lambda x: x)(torch.ones(3)),
    lambda: torch.ones(3).to(torch.uint16),
    lambda: torch.tensor([float("nan")] * 9).reshape(3, 3),
]
return make[builtins.turn % len(make)]()
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
