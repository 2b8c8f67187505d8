"""Returns sparse, quantised, nested, empty and giant tensors inside lists, tuples and dictionaries."""

from hostile import answered

TOPIC = "self_attention"
STATES = ("flagged", "student fault")
ANSWER = """
import torch


def attention(query, key, value, mask=None):
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), [torch.ones(2).to_sparse()]


def split_heads(x, n_heads):
    giant = torch.empty(2**20).as_strided((2**20, 2**10), (0, 0))
    return [giant, torch.empty((0, 2**40)), x.to(torch.complex64)]


def merge_heads(x):
    quantised = torch.quantize_per_tensor(torch.ones(3), 1, 0, torch.qint8)
    return [quantised, {"a": torch.ones(2, device="meta")}]


def MultiHeadAttention(*given):
    return torch.nn.Module()
"""


def handed_in(notebook):
    return answered(notebook, MultiHeadAttention=ANSWER)
