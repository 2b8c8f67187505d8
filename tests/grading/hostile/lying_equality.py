"""Returns values that say they are equal to anything, and of any class."""

from hostile import all_answered

BODY = """
import torch

class Equal(float):
    __eq__ = __ge__ = __le__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = float.__hash__
    __class__ = torch.Tensor
    dtype, shape, device = torch.bool, torch.Size([3, 3]), torch.device("cpu")

return Equal(1)
"""


def handed_in(notebook):
    return all_answered(notebook, BODY)
