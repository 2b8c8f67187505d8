"""Which keys may a query look at? The reference implementation of chapter 03.

One convention holds throughout the course: a mask is boolean, True means "may
look", and it broadcasts to (batch, heads, query, key). A query that may look
nowhere gets weights of zero. Masks are on the device of the tensor they are
made from; `causal_mask`, made from a number, is on the default device.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def causal_mask(length: int) -> Bool[Tensor, "query key"]:
    """Let every position look at itself and at the past.

    Source: Vaswani et al. 2017, section 3.2.3.
    """
    position = torch.arange(length)
    return position[:, None] >= position


def padding_mask(
    token_ids: Int[Tensor, "batch key"], pad_id: int
) -> Bool[Tensor, "batch 1 1 key"]:
    """Let every query look at the real tokens, wherever the padding stands."""
    return (token_ids != pad_id)[:, None, None, :]


def decoder_mask(
    target_ids: Int[Tensor, "batch length"], pad_id: int
) -> Bool[Tensor, "batch 1 length length"]:
    """Let every position look at the real tokens among itself and the past."""
    causal = causal_mask(target_ids.shape[1]).to(target_ids.device)
    return causal & padding_mask(target_ids, pad_id)


def memory_mask(
    source_ids: Int[Tensor, "batch source"], pad_id: int
) -> Bool[Tensor, "batch 1 1 source"]:
    """Let every target position look at the real tokens of the source."""
    return padding_mask(source_ids, pad_id)


def prefix_mask(
    prefix_lengths: Int[Tensor, "batch"], length: int
) -> Bool[Tensor, "batch 1 length length"]:
    """Let every position look at the prefix, at itself and at the past.

    A prefix of 0 tokens gives the causal mask, one of `length` opens it all.
    Source: Liu et al. 2018; Raffel et al. 2020, figure 3.
    """
    position = torch.arange(length, device=prefix_lengths.device)
    in_prefix = position < prefix_lengths[:, None]  # (batch, key)
    causal = causal_mask(length).to(prefix_lengths.device)
    return causal | in_prefix[:, None, None, :]


def packed_mask(
    document_ids: Int[Tensor, "batch length"],
) -> Bool[Tensor, "batch 1 length length"]:
    """Let every position look at the past of its own document.

    Source: the packing of Krell et al. 2021, here with the causal rule.
    """
    query_document = document_ids[:, None, :, None]
    key_document = document_ids[:, None, None, :]
    causal = causal_mask(document_ids.shape[1]).to(document_ids.device)
    return causal & (query_document == key_document)


def additive_mask(
    mask: Bool[Tensor, "*shape"], dtype: torch.dtype
) -> Float[Tensor, "*shape"]:
    """Write a mask as numbers to add: 0 where one may look, else -inf."""
    nothing = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return nothing.masked_fill(~mask, float("-inf"))


def masked_softmax(
    scores: Float[Tensor, "*batch query key"], mask: Bool[Tensor, "..."]
) -> Float[Tensor, "*batch query key"]:
    """Turn scores into weights; a row that may look nowhere is zero.

    `mask` broadcasts to the shape of `scores`. The gradient of an empty row is
    zero as well, as in `torch.nn.functional.scaled_dot_product_attention`.
    """
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)
