"""The reference against PyTorch's own module, and against its definition, one target position at a time."""

import pytest
import torch
from torch import nn

from solutions.cross_attention import CrossAttention, alignment, attention_weights, word_alignment
from solutions.masks import memory_mask
from solutions.self_attention import MultiHeadAttention

REAL = torch.tensor([[5, 6, 7, 0, 0, 0, 0], [0, 5, 6, 0, 7, 8, 9], [1, 2, 3, 4, 5, 6, 7]])
MASKS = {"none": None, "memory": memory_mask(REAL, 0)}
by_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def same_weights(theirs):
    """The reference with the weights of PyTorch's module."""
    ours = CrossAttention(theirs.embed_dim, theirs.num_heads, theirs.dropout)
    weights, biases = theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3)
    for layer, weight, bias in zip((ours.query, ours.key, ours.value), weights, biases, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    ours.output.load_state_dict(theirs.out_proj.state_dict())
    return ours


def texts(target=5, source=7, d_model=12):
    return [torch.randn(3, length, d_model, requires_grad=True) for length in (target, source)]


@by_mask
@pytest.mark.parametrize("heads", [1, 3, 12])
@pytest.mark.parametrize("target", [1, 5, 7, 9])
def test_outputs_and_gradients_are_those_of_torchs_module(mask, heads, target):
    theirs = nn.MultiheadAttention(12, heads, batch_first=True)
    nn.init.normal_(theirs.in_proj_bias)
    nn.init.normal_(theirs.out_proj.bias)
    ours = same_weights(theirs)
    x, memory = texts(target)
    hidden = None if mask is None else ~mask[:, 0, 0]
    expected, weights = theirs(x, memory, memory, key_padding_mask=hidden, average_attn_weights=False)
    found = ours(x, memory, mask)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(attention_weights(ours, x, memory, mask), weights, rtol=1e-5, atol=1e-6)

    upstream = torch.randn_like(found)
    wanted = torch.autograd.grad(
        expected, [x, memory, theirs.in_proj_weight, theirs.out_proj.weight], upstream
    )
    layers = (ours.query.weight, ours.key.weight, ours.value.weight)
    *gradients, output = torch.autograd.grad(found, [x, memory, *layers, ours.output.weight], upstream)
    gradients = (*gradients[:2], torch.cat(gradients[2:]), output)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@by_mask
def test_the_weights_averaged_over_heads_are_torchs(mask):
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    x, memory = texts()
    hidden = None if mask is None else ~mask[:, 0, 0]
    _, expected = theirs(x, memory, memory, key_padding_mask=hidden)
    found = alignment(attention_weights(same_weights(theirs), x, memory, mask))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@by_mask
def test_one_position_at_a_time_is_the_same(mask):
    module, (x, memory) = CrossAttention(12, 3).eval(), texts()
    made = module.project_memory(memory)
    steps = [module.attend(x[:, at : at + 1], *made, mask) for at in range(x.shape[1])]
    torch.testing.assert_close(torch.cat(steps, dim=1), module(x, memory, mask), rtol=1e-5, atol=1e-5)


def test_the_padding_of_a_neighbour_changes_nothing():
    module, (x, memory) = CrossAttention(12, 3).eval(), texts()
    alone = module(x[:1], memory[:1, :3])
    torch.testing.assert_close(module(x, memory, MASKS["memory"])[:1], alone, rtol=1e-5, atol=1e-6)
    changed = memory.detach().clone()
    changed[0, 3:] = 100.0
    assert torch.equal(module(x, changed, MASKS["memory"])[0], module(x, memory, MASKS["memory"])[0])
    assert not torch.allclose(module(x, memory)[:1], alone, atol=1e-2)


def test_who_may_look_nowhere_gets_the_bias_and_no_gradient():
    module, (x, memory) = CrossAttention(12, 3).eval(), texts()
    mask = MASKS["memory"].clone()
    mask[1] = False
    found = module(x, memory, mask)
    torch.testing.assert_close(found[1], module.output.bias.expand(5, 12))
    for gradient in torch.autograd.grad(found.square().sum(), [x, memory]):
        assert gradient.isfinite().all()
        assert (gradient[1] == 0).all()
        assert (gradient[0] != 0).any()


def test_dropout_acts_on_weights_and_only_in_training():
    module, (x, memory) = CrossAttention(12, 3, dropout=1.0), texts()
    torch.testing.assert_close(module(x, memory), module.output.bias.expand(3, 5, 12))
    plain = CrossAttention(12, 3)
    plain.load_state_dict(module.state_dict())
    torch.testing.assert_close(module.eval()(x, memory), plain(x, memory))


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="10 numbers cannot be shared by 3 heads"):
        CrossAttention(10, 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_half_and_close(dtype):
    module, (x, memory) = CrossAttention(12, 3).eval(), texts()
    expected = module(x, memory, MASKS["memory"])
    found = module.to(dtype)(x.to(dtype), memory.to(dtype), MASKS["memory"])
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=5e-2, atol=5e-2)


def test_the_weights_of_self_attention_can_be_looked_at_too():
    module, x = MultiHeadAttention(12, 3).eval(), torch.randn(2, 4, 12)
    weights = attention_weights(module, x, x)
    value = module.value(x).unflatten(-1, (3, 4)).transpose(1, 2)
    found = module.output((weights @ value).transpose(1, 2).flatten(-2))
    torch.testing.assert_close(found, module(x), rtol=1e-5, atol=1e-5)


def test_words_are_what_the_definition_says():
    weights = torch.rand(5, 7).softmax(dim=-1)
    target, source = [0, 2, 1, 0, 2], [1, 0, 0, 3, 1, 2, 3]
    found = word_alignment(weights, target, source)
    assert found.shape == (3, 4)
    for word in range(3):
        rows = [row for row, number in enumerate(target) if number == word]
        for other in range(4):
            columns = [column for column, number in enumerate(source) if number == other]
            total = sum(weights[row, column].item() for row in rows for column in columns)
            assert found[word, other].item() == pytest.approx(total / len(rows), abs=1e-6)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))


def test_tokens_that_are_words_stay_as_they_are():
    weights = torch.rand(3, 4).softmax(dim=-1)
    torch.testing.assert_close(word_alignment(weights, range(3), range(4)), weights)


def test_all_stays_on_the_device_of_the_arguments():
    module = CrossAttention(12, 3).to("meta")
    x, memory = torch.randn(2, 4, 12, device="meta"), torch.randn(2, 5, 12, device="meta")
    weights = attention_weights(module, x, memory)
    assert {t.device.type for t in (module(x, memory), weights, alignment(weights))} == {"meta"}
