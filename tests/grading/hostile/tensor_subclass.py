"""Returns tensors whose __torch_function__ agrees with everything."""

from hostile import all_answered

BODY = """
import torch

class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return (
            torch.tensor(True)
            if function.__name__ in ("isclose", "all", "eq", "equal", "ne")
            else super().__torch_function__(function, types, args, kwargs or {})
        )

    def __eq__(self, other):
        return True

    shape = property(lambda self: torch.Size([3, 3]))
    dtype = property(lambda self: torch.bool)

return torch.ones(1).as_subclass(Agreeable)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
