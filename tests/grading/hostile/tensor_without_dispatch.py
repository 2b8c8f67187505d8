"""Returns wrapper tensors with a __torch_dispatch__ that answers what is asked."""

from hostile import all_answered

BODY = """
import torch

class Wrapper(torch.Tensor):
    @staticmethod
    def __new__(cls, shape):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.bool)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return torch.ones(3, 3, dtype=torch.bool)

return Wrapper((given[0], given[0]) if isinstance(given[0], int) else given[0].shape)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
