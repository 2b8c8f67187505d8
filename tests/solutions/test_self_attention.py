"""The reference attention against PyTorch's own, against its definition, and by its properties."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from solutions.masks import causal_mask, decoder_mask, packed_mask, padding_mask, prefix_mask
from solutions.self_attention import MultiHeadAttention, attention, merge_heads, split_heads

ROOT = Path(__file__).parents[2]
IDS = torch.tensor([[5, 6, 7, 8, 0], [4, 9, 3, 0, 0]])
MASKS = {
    "none": None,
    "causal": causal_mask(5),
    "padding": padding_mask(IDS, 0),
    "decoder": decoder_mask(IDS, 0),
    "prefix": prefix_mask(torch.tensor([2, 4]), 5),
    "packed": packed_mask(torch.tensor([[1, 1, 2, 2, 2], [1, 2, 2, 2, 3]])),
    "empty rows": decoder_mask(IDS.flip(-1), 0),
    "each head its own": torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.6,
}
by_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 4e-2, torch.float16: 4e-3}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def vectors(*leading, dtype=torch.float32, d_value=6):
    shapes = (5, 4), (5, 4), (5, d_value)
    return [torch.randn(*leading, *shape, dtype=dtype, requires_grad=True) for shape in shapes]


def torchs(ours):
    """`nn.MultiheadAttention` with the weights of ours."""
    theirs = nn.MultiheadAttention(ours.query.in_features, ours.n_heads, batch_first=True)
    layers = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    return theirs


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@by_mask
def test_attention_and_its_gradients_are_those_of_scaled_dot_product_attention(mask, dtype):
    inputs = vectors(2, 3, dtype=dtype)
    output, weights = attention(*inputs, mask)
    expected = F.scaled_dot_product_attention(*inputs, attn_mask=mask)
    tolerance = dict.fromkeys(("rtol", "atol"), TOLERANCE[dtype])
    torch.testing.assert_close(output, expected, **tolerance)
    assert weights.dtype == dtype
    upstream = torch.randn_like(output)
    found = torch.autograd.grad(output, inputs, upstream)
    wanted = torch.autograd.grad(expected, inputs, upstream)
    tolerance = dict.fromkeys(("rtol", "atol"), 4 * TOLERANCE[dtype])
    for one, other in zip(found, wanted, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, **tolerance)


def test_attention_is_its_definition():
    query, key, value = torch.randn(3, 4), torch.randn(5, 4), torch.randn(5, 2)
    output, weights = attention(query, key, value)
    for i in range(3):
        scores = [sum(query[i, place] * key[j, place] for place in range(4)) / 2 for j in range(5)]
        total = sum(score.exp() for score in scores)
        for j in range(5):
            assert weights[i, j] == pytest.approx((scores[j].exp() / total).item(), rel=1e-5)
        average = sum(score.exp() / total * value[j] for j, score in enumerate(scores))
        torch.testing.assert_close(output[i], average)


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 3)], ids=str)
def test_attention_takes_any_number_of_axes_in_front(leading):
    query, key, value = torch.randn(*leading, 2, 4), torch.randn(*leading, 5, 4), torch.randn(*leading, 5, 7)
    output, weights = attention(query, key, value)
    assert (output.shape, weights.shape) == ((*leading, 2, 7), (*leading, 2, 5))
    torch.testing.assert_close(output, F.scaled_dot_product_attention(query, key, value))


def test_weights_are_a_row_of_shares_and_zero_where_hidden():
    mask = MASKS["empty rows"]
    _, weights = attention(*vectors(2, 3), mask)
    sees = mask.any(dim=-1).float().expand(2, 3, 5)
    torch.testing.assert_close(weights.sum(dim=-1), sees)
    assert (weights[~mask.expand(weights.shape)] == 0).all()


@pytest.mark.parametrize("n_heads", [1, 2, 3, 4, 12])
def test_merging_undoes_splitting_and_a_head_is_a_slice(n_heads):
    x = torch.randn(2, 5, 12)
    heads = split_heads(x, n_heads)
    assert torch.equal(merge_heads(heads), x)
    for head, piece in enumerate(x.chunk(n_heads, dim=-1)):
        assert torch.equal(heads[:, head], piece)


@pytest.mark.parametrize(
    "make", [lambda: split_heads(torch.ones(1, 2, 8), 3), lambda: MultiHeadAttention(8, 3)]
)
def test_heads_that_do_not_fit_are_refused(make):
    with pytest.raises(ValueError, match="8 numbers cannot be shared by 3 heads"):
        make()


@by_mask
def test_the_module_and_its_gradients_are_those_of_torchs(mask):
    ours = MultiHeadAttention(12, 3)
    theirs = torchs(ours)
    x = torch.randn(2, 5, 12, requires_grad=True)
    upstream = torch.randn(2, 5, 12)
    if mask is not None and not mask.any(dim=-1).all():
        seen = mask.any(dim=-1).expand(2, 3, 5).all(dim=1)
        assert ours(x, mask).isfinite().all()
        mask = mask | ~seen[:, None, :, None]  # torch gives NaN there
        upstream = upstream * seen[..., None]
    forbidden = None if mask is None else ~mask.expand(2, 3, 5, 5).flatten(0, 1)
    output, (expected, _) = ours(x, mask), theirs(x, x, x, attn_mask=forbidden)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-6)
    found = torch.autograd.grad(output, [x, *ours.parameters()], upstream)
    wanted = torch.autograd.grad(expected, [x, *theirs.parameters()], upstream)
    together = [found[0], torch.cat(found[1:7:2]), torch.cat(found[2:7:2]), *found[7:]]
    for one, other in zip(together, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@by_mask
def test_the_module_is_attention_in_every_head(mask):
    module = MultiHeadAttention(12, 3)
    x = torch.randn(2, 5, 12)
    projected = [split_heads(layer(x), 3) for layer in (module.query, module.key, module.value)]
    heads, _ = attention(*projected, mask)
    torch.testing.assert_close(module(x, mask), module.output(merge_heads(heads)))


def test_no_output_depends_on_the_future_under_a_causal_mask():
    module = MultiHeadAttention(12, 4)
    x = torch.randn(1, 6, 12)
    jacobian = torch.autograd.functional.jacobian(lambda x: module(x, causal_mask(6)), x)
    influence = jacobian[0, :, :, 0].abs().sum(dim=(1, 3))
    assert (influence.triu(1) == 0).all()
    assert (influence.tril() > 0).sum() == 21


def test_shuffling_tokens_shuffles_outputs():
    module, x = MultiHeadAttention(12, 4), torch.randn(1, 6, 12)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(module(x[:, order]), module(x)[:, order])


def test_dropout_acts_on_the_weights_in_training_alone():
    module, x = MultiHeadAttention(12, 3, dropout=1.0), torch.randn(2, 5, 12)
    torch.testing.assert_close(module(x), module.output.bias.expand(2, 5, 12))
    without = MultiHeadAttention(12, 3)
    without.load_state_dict(module.state_dict())
    torch.testing.assert_close(module.eval()(x), without(x))


def test_a_query_that_sees_nothing_gets_the_bias_alone_in_half_precision_too():
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        module = MultiHeadAttention(12, 3).to(dtype)
        x = torch.randn(2, 5, 12, dtype=dtype, requires_grad=True)
        output = module(x, torch.zeros(5, 5, dtype=torch.bool))
        assert torch.equal(output, module.output.bias.expand(2, 5, 12))
        (gradient,) = torch.autograd.grad(output.sum(), x)
        assert (gradient == 0).all()


def test_the_chapter_names_the_machine_of_its_benchmark():
    record = json.loads((ROOT / "benchmarks" / "attention.json").read_text())
    machine, text = (
        record["machine"],
        (ROOT / "chapters" / "04_self_attention.md").read_text(encoding="utf-8"),
    )
    text = " ".join(text.split())
    for fact in (
        machine["instructions"],
        f"Python {machine['python']}",
        f"torch {machine['torch'].split('+')[0]}",
    ):
        assert fact in text
