"""The reference of chapter 02 against PyTorch and transformers, its definitions and its properties."""

import math

import pytest
import torch
from torch import nn

from solutions.embeddings import DecoderInput, rotate, shift_right, sinusoidal_positions

HALF = {torch.float16: 4e-3, torch.bfloat16: 3e-2}


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_shifted_target_is_that_of_bart():
    bart = pytest.importorskip("transformers.models.bart.modeling_bart")
    ids = torch.tensor([[7, 8, 9, 2], [4, 2, 1, 1], [5, 6, 2, 1]])
    assert torch.equal(shift_right(ids, 2), bart.shift_tokens_right(ids, 1, 2))


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64], ids=str)
def test_what_is_read_at_a_place_is_what_was_to_be_predicted_before_it(dtype):
    ids = torch.randint(9, (4, 6)).to(dtype)
    shifted = shift_right(ids, 11)
    assert shifted.dtype == dtype
    assert (shifted[:, 0] == 11).all()
    assert torch.equal(shifted[:, 1:], ids[:, :-1])
    assert shift_right(ids[:, :1], 3).tolist() == [[3]] * 4


@pytest.mark.parametrize(("length", "d_model"), [(1, 2), (5, 6), (40, 32)])
def test_sinusoidal_positions_are_their_definition(length, d_model):
    table = sinusoidal_positions(length, d_model)
    assert (table.dtype, table.shape) == (torch.float32, (length, d_model))
    for position in range(length):
        for pair in range(d_model // 2):
            angle = position / 10_000 ** (2 * pair / d_model)
            assert table[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_sinusoidal_positions_are_marians_in_another_order():
    marian = pytest.importorskip("transformers.models.marian.modeling_marian")
    theirs = marian.MarianSinusoidalPositionalEmbedding(50, 16)
    if hasattr(theirs, "create_weight"):
        expected = theirs.create_weight()
    else:
        expected = theirs._init_weight() if theirs._init_weight() is not None else theirs.weight
    ours = sinusoidal_positions(50, 16)
    in_halves = torch.cat([ours[:, 0::2], ours[:, 1::2]], dim=1)
    torch.testing.assert_close(in_halves, expected.detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("distance", [1, 7, 30])
def test_one_rotation_leads_from_every_position_to_the_one_at_a_distance(distance):
    """The rotation is found by least squares in one part of the table, and holds in all of it."""
    for pair in sinusoidal_positions(400, 8).double().split(2, dim=1):
        turn = torch.linalg.lstsq(pair[:200], pair[distance : 200 + distance]).solution
        torch.testing.assert_close(turn @ turn.T, torch.eye(2).double(), rtol=0, atol=1e-4)
        torch.testing.assert_close(pair[:-distance] @ turn, pair[distance:], rtol=0, atol=1e-4)


@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_rotation_is_that_of_llama_in_transformers(dtype, base):
    transformers = pytest.importorskip("transformers")
    llama = transformers.models.llama.modeling_llama
    parameters = {"rope_type": "default", "rope_theta": base}
    try:
        config = transformers.LlamaConfig(hidden_size=64, num_attention_heads=4, rope_parameters=parameters)
        assert config.rope_parameters["rope_theta"] == base
    except (TypeError, AttributeError, KeyError):  # transformers 4
        config = transformers.LlamaConfig(hidden_size=64, num_attention_heads=4, rope_theta=base)
    queries, keys = (drawn(2, 4, 7, 16, seed=seed).to(dtype) for seed in (1, 2))
    positions = torch.arange(7) + torch.tensor([[0], [300]])
    cos, sin = llama.LlamaRotaryEmbedding(config)(queries, positions)
    expected = llama.apply_rotary_pos_emb(queries, keys, cos, sin)
    tolerance = HALF.get(dtype, 1e-4)  # an angle of 300 is known to 2e-5
    for ours, theirs in zip((queries, keys), expected, strict=True):
        turned = rotate(ours, positions[:, None], base)
        assert turned.dtype == dtype
        torch.testing.assert_close(turned, theirs, rtol=tolerance, atol=tolerance)


def test_rotation_is_a_product_of_complex_numbers():
    x, positions = drawn(3, 5, 8), torch.tensor([4, 0, 9, 9, 31])
    turned = rotate(x, positions)
    for pair in range(4):
        angle = positions * 10_000 ** (-2 * pair / 8)
        hand = torch.complex(x[..., pair], x[..., pair + 4]) * torch.exp(1j * angle)
        torch.testing.assert_close(turned[..., pair], hand.real, rtol=0, atol=1e-5)
        torch.testing.assert_close(turned[..., pair + 4], hand.imag, rtol=0, atol=1e-5)


def test_scores_depend_on_distances_alone():
    query, key = drawn(2, 16)
    here = torch.arange(12)

    def scores(moved):
        return rotate(query.expand(12, 16), here + moved) @ rotate(key.expand(12, 16), here + moved).T

    torch.testing.assert_close(scores(0), scores(50), rtol=0, atol=2e-4)
    for diagonal in range(-11, 12):
        values = scores(0).diagonal(diagonal)
        torch.testing.assert_close(values, values[:1].expand_as(values), rtol=0, atol=1e-4)
    assert scores(0)[0].std() > 0.1


def test_rotation_keeps_lengths_and_can_be_undone():
    x, positions = drawn(2, 6, 10), torch.arange(6)
    turned = rotate(x, positions)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(rotate(turned, -positions), x)
    assert torch.equal(turned[:, 0], x[:, 0])


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_neighbours_far_out_are_told_apart_in_half_precision(dtype):
    x = drawn(1, 8).to(dtype)
    near, far = rotate(x, torch.tensor([4096])), rotate(x, torch.tensor([4097]))
    exact = rotate(x.float(), torch.tensor([4097])).to(dtype)
    assert not torch.equal(near, far)
    torch.testing.assert_close(far, exact, rtol=HALF[dtype], atol=HALF[dtype])


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="7 is odd"):
        sinusoidal_positions(3, 7)
    with pytest.raises(ValueError, match="5 is odd"):
        rotate(torch.zeros(2, 5), torch.arange(2))


def test_the_embedding_is_torchs_scaled_and_moved_by_the_positions():
    module = DecoderInput(9, 6, 12).eval()
    theirs = nn.Embedding(9, 6, _weight=module.embedding.weight.detach().clone())
    ids, upstream = torch.tensor([[3, 0, 3, 8], [1, 2, 0, 0]]), drawn(2, 4, 6)
    output = module(ids, start=5)
    expected = theirs(ids) * 6**0.5 + sinusoidal_positions(9, 6)[5:]
    torch.testing.assert_close(output, expected)
    output.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(module.embedding.weight.grad, theirs.weight.grad)
    assert (module.embedding.weight.grad[[4, 5, 6, 7]] == 0).all()


def test_embeddings_begin_as_large_as_the_positions_need():
    module = DecoderInput(2000, 64, 50)
    assert [name for name, _ in module.named_parameters()] == ["embedding.weight"]
    assert (module.embedding.weight.std() * 64**0.5).item() == pytest.approx(1, abs=0.02)
    assert module.positions.square().mean().item() == pytest.approx(0.5)


def test_a_sentence_in_pieces_is_the_sentence():
    module = DecoderInput(9, 8, 7).eval()
    ids = torch.randint(9, (3, 7))
    pieces = [module(ids[:, :3]), module(ids[:, 3:4], start=3), module(ids[:, 4:], start=4)]
    assert torch.equal(torch.cat(pieces, dim=1), module(ids))
    for start, length in ((0, 8), (5, 3), (7, 1)):
        with pytest.raises(ValueError, match="8 positions, and there are only 7"):
            module(torch.zeros(1, length, dtype=torch.long), start)


def test_dropout_acts_on_the_sum_in_training_alone():
    module, ids = DecoderInput(9, 64, 7, dropout=0.5), torch.randint(9, (3, 7))
    whole = module.eval()(ids)
    torch.manual_seed(0)
    dropped = module.train()(ids)
    kept = dropped != 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


def test_all_of_it_follows_device_and_type():
    meta = torch.zeros(2, 4, 6, device="meta")
    ids = meta[..., 0].long()
    made = [shift_right(ids, 1), rotate(meta, ids), DecoderInput(9, 6, 12).to("meta")(ids)]
    assert {tensor.device.type for tensor in made} == {"meta"}
    assert DecoderInput(9, 6, 12).bfloat16()(torch.zeros(1, 3, dtype=torch.long)).dtype == torch.bfloat16
