"""The reference against PyTorch's own modules, and against sums done by hand."""

import math

import pytest
import torch
from torch import nn

from solutions.decoder_layer import DecoderLayer, FeedForward, LayerNorm, add_branch
from solutions.masks import causal_mask, decoder_mask, memory_mask

TARGET = torch.tensor([[5, 6, 7, 8], [4, 9, 0, 0], [3, 0, 0, 0]])
SOURCE = torch.tensor([[7, 8, 9, 4, 5], [2, 3, 4, 0, 0], [6, 0, 0, 0, 0]])
MASKS = {
    "none": (None, None),
    "causal": (causal_mask(4), None),
    "memory": (None, memory_mask(SOURCE, 0)),
    "causal and memory": (causal_mask(4), memory_mask(SOURCE, 0)),
    "decoder and memory": (decoder_mask(TARGET, 0), memory_mask(SOURCE, 0)),
}
by_mask = pytest.mark.parametrize(("own", "other"), MASKS.values(), ids=MASKS.keys())
by_order = pytest.mark.parametrize("norm_first", [True, False], ids=["pre", "post"])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def drawn(module):
    """The module with other weights than it begins with, its norms' too."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module.eval()


def texts(batch=3, target=4, source=5, d_model=12):
    return [torch.randn(batch, length, d_model, requires_grad=True) for length in (target, source)]


# Layer normalisation


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7), (2, 1, 3, 7)])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_layer_norm_is_torchs_in_output_and_gradients(shape, eps):
    ours, theirs = drawn(LayerNorm(7, eps)), nn.LayerNorm(7, eps)
    theirs.load_state_dict(ours.state_dict())
    for size, shift in ((1.0, 0.0), (0.003, 0.0), (2.0, 5.0)):
        x = (size * torch.randn(shape) + shift).requires_grad_()
        found, expected = ours(x), theirs(x)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        upstream = torch.randn(shape)
        one = torch.autograd.grad(found, [x, *ours.parameters()], upstream)
        two = torch.autograd.grad(expected, [x, *theirs.parameters()], upstream)
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_layer_norm_by_hand():
    numbers = [1.0, 2.0, 6.0]  # mean 3, squared distances 4, 1 and 9, their mean 14 / 3
    norm = LayerNorm(3, eps=1 / 3)  # under the root: 15 / 3
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 10.0, 100.0]))
        norm.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
    root = math.sqrt(5)
    expected = torch.tensor([-2 / root + 0.5, -10 / root, 300 / root - 0.5])
    torch.testing.assert_close(norm(torch.tensor(numbers)), expected)


def test_equal_numbers_become_the_bias_and_have_a_gradient():
    norm, x = LayerNorm(4), torch.full((2, 4), 7.0, requires_grad=True)
    assert (norm(x) == 0).all()
    norm(x)[0, 0].backward()
    assert x.grad.isfinite().all()


# The feed-forward network


def test_feed_forward_by_hand():
    feed = FeedForward(2, 3)
    with torch.no_grad():
        feed.up.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        feed.up.bias.copy_(torch.tensor([0.0, -1.0, -5.0]))
        feed.down.weight.copy_(torch.tensor([[1.0, 10.0, 100.0], [-1.0, 0.0, 0.0]]))
        feed.down.bias.copy_(torch.tensor([0.5, 0.0]))
    found = feed(torch.tensor([[2.0, 3.0], [-4.0, 3.0], [4.0, 4.0]]))
    expected = torch.tensor([[2 + 20 + 0.5, -2], [20 + 0.5, 0], [4 + 30 + 300 + 0.5, -4]])
    torch.testing.assert_close(found, expected)


def test_feed_forward_shares_its_parameters_over_positions():
    feed, x = FeedForward(6, 9).eval(), torch.randn(2, 5, 6)
    torch.testing.assert_close(feed(x).flip(1), feed(x.flip(1)))
    for position in range(5):
        torch.testing.assert_close(feed(x)[:, position], feed(x[:, position]))
    jacobian = torch.autograd.functional.jacobian(lambda x: feed(x)[0], x[:1])[:, :, 0]
    influence = jacobian.abs().sum(dim=(1, 3)) > 0
    assert influence.equal(torch.eye(5).bool())


def test_feed_forward_drops_hidden_numbers_in_training_alone():
    feed, x = FeedForward(4, 8, dropout=1.0), torch.randn(2, 3, 4)
    torch.testing.assert_close(feed(x), feed.down.bias.expand(2, 3, 4))
    plain = FeedForward(4, 8)
    plain.load_state_dict(feed.state_dict())
    torch.testing.assert_close(feed.eval()(x), plain(x))


# The layer


def torchs(ours, norm_first):
    """PyTorch's decoder layer with the same weights, and pairs of parameters that belong together."""
    d_model, d_ff = ours.feed_forward.up.in_features, ours.feed_forward.up.out_features
    heads = ours.self_attention.n_heads
    theirs = nn.TransformerDecoderLayer(d_model, heads, d_ff, 0.0, batch_first=True, norm_first=norm_first)
    for box, mine in (
        (theirs.self_attn, ours.self_attention),
        (theirs.multihead_attn, ours.cross_attention),
    ):
        three = mine.query, mine.key, mine.value
        with torch.no_grad():
            box.in_proj_weight.copy_(torch.cat([layer.weight for layer in three]))
            box.in_proj_bias.copy_(torch.cat([layer.bias for layer in three]))
        box.out_proj.load_state_dict(mine.output.state_dict())
    pairs = [
        (theirs.linear1, ours.feed_forward.up),
        (theirs.linear2, ours.feed_forward.down),
        (theirs.norm1, ours.self_norm),
        (theirs.norm2, ours.cross_norm),
        (theirs.norm3, ours.feed_norm),
    ]
    for copy, mine in pairs:
        copy.load_state_dict(mine.state_dict())
    pairs += [
        (theirs.self_attn.out_proj, ours.self_attention.output),
        (theirs.multihead_attn.out_proj, ours.cross_attention.output),
    ]
    return theirs.eval(), pairs


def hidden(mask, heads, target, source):
    return None if mask is None else ~mask.expand(3, heads, target, source).flatten(0, 1)


@by_order
@by_mask
@pytest.mark.parametrize("heads", [1, 3])
def test_outputs_and_gradients_are_those_of_torchs_layer(norm_first, own, other, heads):
    ours = drawn(DecoderLayer(12, heads, 20, norm_first=norm_first))
    theirs, pairs = torchs(ours, norm_first)
    x, memory = texts()
    found = ours(x, memory, own, other)
    expected = theirs(x, memory, hidden(own, heads, 4, 4), hidden(other, heads, 4, 5))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    upstream = torch.randn_like(found)
    mine = [parameter for _, module in pairs for parameter in module.parameters()]
    known = [parameter for module, _ in pairs for parameter in module.parameters()]
    one = torch.autograd.grad(found, [x, memory, *mine], upstream)
    two = torch.autograd.grad(expected, [x, memory, *known], upstream)
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


@by_order
def test_a_branch_is_added_by_hand(norm_first):
    x = torch.tensor([[[1.0, -1.0]]])  # mean 0, variance 1
    norm = nn.LayerNorm(2, eps=0.0)
    found = add_branch(2 * x, lambda x: 3 * x + 1, norm, nn.Identity(), norm_first)
    by_hand = [[[2 + 4.0, -2 - 2.0]]] if norm_first else [[[1.0, -1.0]]]
    torch.testing.assert_close(found, torch.tensor(by_hand))


@by_order
def test_the_padding_of_neighbours_and_the_words_to_come_change_nothing(norm_first):
    layer, (x, memory) = drawn(DecoderLayer(12, 3, 20, norm_first=norm_first)), texts()
    own, other = MASKS["decoder and memory"]
    found = layer(x, memory, own, other)
    alone = layer(x[1:2, :2], memory[1:2, :3], causal_mask(2))
    torch.testing.assert_close(found[1:2, :2], alone, rtol=1e-4, atol=1e-5)
    later = x.detach().clone()
    later[:, 2:] += 1
    torch.testing.assert_close(layer(later, memory, own, other)[:, :2], found[:, :2], rtol=1e-5, atol=1e-5)


@by_order
def test_a_source_that_is_all_padding_gives_no_nan(norm_first):
    layer, (x, memory) = drawn(DecoderLayer(12, 3, 20, norm_first=norm_first)), texts()
    nothing = torch.zeros(3, 1, 1, 5, dtype=torch.bool)
    found = layer(x, memory, None, nothing)
    assert found.isfinite().all()
    gradients = torch.autograd.grad(found.square().sum(), [x, memory])
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert (gradients[1] == 0).all()


def test_with_everything_dropped_the_stream_goes_past():
    layer, (x, memory) = DecoderLayer(12, 3, 20, dropout=1.0), texts()
    assert torch.equal(layer(x, memory), x)
    post = DecoderLayer(12, 3, 20, dropout=1.0, norm_first=False)
    normalised = x
    for norm in (post.self_norm, post.cross_norm, post.feed_norm):
        normalised = norm(normalised)
    torch.testing.assert_close(post(x, memory), normalised)
    assert torch.equal(layer.eval()(x, memory), layer(x, memory))


def test_weights_of_attention_are_not_dropped():
    layer = DecoderLayer(12, 3, 20, dropout=0.5)
    assert layer.self_attention.dropout == layer.cross_attention.dropout == 0.0
    assert layer.feed_forward.dropout.p == layer.dropout.p == 0.5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@by_order
def test_half_precision_stays_half_and_close(dtype, norm_first):
    layer, (x, memory) = DecoderLayer(12, 3, 20, norm_first=norm_first).eval(), texts()
    expected = layer(x, memory, *MASKS["decoder and memory"])
    found = layer.to(dtype)(x.to(dtype), memory.to(dtype), *MASKS["decoder and memory"])
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=5e-2, atol=5e-2)


def test_all_stays_on_the_device_of_the_arguments():
    layer = DecoderLayer(12, 3, 20).to("meta")
    x, memory = torch.randn(2, 4, 12, device="meta"), torch.randn(2, 5, 12, device="meta")
    assert layer(x, memory).device.type == "meta"
    assert LayerNorm(12).to("meta")(x).device.type == "meta"
