"""The reference masks against PyTorch's own functions, and against their definitions, key by key."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from solutions.masks import (
    additive_mask,
    causal_mask,
    decoder_mask,
    masked_softmax,
    memory_mask,
    packed_mask,
    padding_mask,
    prefix_mask,
)

IDS = torch.tensor([[5, 6, 7, 0, 0], [0, 0, 6, 7, 8], [0, 0, 0, 0, 0]])
MASKS = {
    "causal": causal_mask(5),
    "padding": padding_mask(IDS, 0),
    "decoder": decoder_mask(IDS, 0),
    "memory": memory_mask(IDS, 0),
    "prefix": prefix_mask(torch.tensor([0, 3, 5]), 5),
    "packed": packed_mask(torch.tensor([[1, 1, 2, 2, 2], [1, 2, 3, 3, 4], [7, 7, 7, 7, 7]])),
}
by_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 4e-2}


def may_look(kind, sentence, query, key):
    """The definitions, one pair at a time."""
    past, real = key <= query, IDS[sentence, key].item() != 0
    documents = [[1, 1, 2, 2, 2], [1, 2, 3, 3, 4], [7, 7, 7, 7, 7]][sentence]
    return {
        "causal": past,
        "padding": real,
        "decoder": past and real,
        "memory": real,
        "prefix": past or key < [0, 3, 5][sentence],
        "packed": past and documents[query] == documents[key],
    }[kind]


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_is_its_definition(kind):
    mask = MASKS[kind].expand(3, 1, 5, 5)
    assert mask.dtype == torch.bool
    for sentence in range(3):
        for query in range(5):
            for key in range(5):
                assert mask[sentence, 0, query, key] == may_look(kind, sentence, query, key)


@by_mask
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_weights_and_gradients_are_those_of_scaled_dot_product_attention(mask, dtype):
    torch.manual_seed(0)
    ours = [torch.randn(3, 2, 5, 8, dtype=dtype, requires_grad=True) for _ in range(3)]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    output = masked_softmax(ours[0] @ ours[1].mT / 8**0.5, mask) @ ours[2]
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask)
    upstream = torch.randn_like(output)
    output.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(output, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad.isfinite().all()
        torch.testing.assert_close(one.grad, other.grad, rtol=4 * TOLERANCE[dtype], atol=4 * TOLERANCE[dtype])


@by_mask
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_adding_the_additive_mask_is_masking(mask, dtype):
    scores = torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    added = (scores + additive_mask(mask, dtype)).softmax(dim=-1).nan_to_num(0.0)
    assert torch.equal(added, masked_softmax(scores, mask))


@pytest.mark.parametrize("length", [1, 2, 7, 33])
def test_the_additive_causal_mask_is_torchs(length):
    expected = nn.Transformer.generate_square_subsequent_mask(length)
    assert torch.equal(additive_mask(causal_mask(length), torch.float32), expected)


def test_torchs_attention_module_marks_the_opposite():
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(1, 5, 8)
    _, weights = attention(x, x, x, attn_mask=~causal_mask(5))
    assert (weights[0].triu(1) == 0).all()
    assert (weights[0].tril() > 0)[causal_mask(5)].all()


def test_masks_stay_on_the_device_of_their_arguments():
    ids = IDS.to("meta")
    made = [
        padding_mask(ids, 0),
        decoder_mask(ids, 0),
        memory_mask(ids, 0),
        prefix_mask(torch.tensor([1]).to("meta"), 5),
        packed_mask(ids),
        additive_mask(ids.bool(), torch.float32),
    ]
    assert {mask.device.type for mask in made} == {"meta"}
