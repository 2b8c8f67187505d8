"""Writing with a cache: equal to writing without one, and to transformers' `generate`, token for token."""

import math
from itertools import product

import pytest
import torch

from solutions.generation import (
    KeyValueCache,
    Writer,
    attend_cached,
    beam_search,
    greedy,
    keep_likely,
    sample_token,
)
from solutions.masks import causal_mask
from solutions.self_attention import MultiHeadAttention
from solutions.transformer import Transformer, translate

BEGIN, END, VOCAB = 1, 2, 23


def model_of(seed, norm_first=False, layers=2, pad_id=0, max_length=40):
    """A random model whose targets end now and then."""
    torch.manual_seed(seed)
    model = Transformer(VOCAB, 16, 2, 32, layers, max_length, pad_id, norm_first=norm_first).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(1.5)
        model.embed.embedding.weight[pad_id] = 0.0  # its logit is 0: likely enough for no target
        model.embed.embedding.weight[END] *= 0.6 + 1.4 * torch.rand(())
    return model


def sources_of(seed, lengths=(7, 3, 5, 1), pad_id=0):
    ids = torch.randint(3, VOCAB, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(seed))
    for row, length in zip(ids, lengths, strict=True):
        row[length:] = pad_id
    return ids


def padded_alike(one, other, pad_id=0):
    """Whether two batches of targets are the same, however far they are padded."""
    width = max(one.shape[1], other.shape[1])
    wide = [torch.nn.functional.pad(t, (0, width - t.shape[1]), value=pad_id) for t in (one, other)]
    return torch.equal(*wide)


def until_end(targets):
    """The targets with nothing behind their end, where transformers repeats the end for a padding of 0."""
    ended = (targets == END).cumsum(dim=1)
    return targets.masked_fill((ended > 1) | ((ended == 1) & (targets != END)), 0)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_greedy_writes_what_translate_writes_without_a_cache(seed, norm_first):
    model, sources = model_of(seed, norm_first), sources_of(seed)
    expected = translate(model, sources, BEGIN, END, 12)
    assert padded_alike(greedy(model, sources, BEGIN, END, 12), expected)
    for index, source in enumerate(sources):
        alone = greedy(model, source[source != 0][None], BEGIN, END, 12)
        assert padded_alike(alone, expected[index : index + 1])


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1), (3, 1, 1), (2, 3), (5,), (1, 4)])
@pytest.mark.parametrize("norm_first", [True, False])
def test_logits_are_those_of_the_whole_text_in_whatever_pieces_it_is_read(pieces, norm_first):
    model, sources = model_of(3, norm_first).double(), sources_of(3)
    inputs = torch.randint(3, VOCAB, (4, 5), generator=torch.Generator().manual_seed(0))
    writer, read = Writer(model, sources, 5), 0
    for piece in inputs.split(pieces, dim=1):
        read += piece.shape[1]
        found = writer.read(piece)
        torch.testing.assert_close(found, model(sources, inputs[:, :read])[:, -1], rtol=0, atol=1e-12)


def test_rows_change_places_and_are_dropped_with_all_they_have_read():
    model, sources = model_of(4).double(), sources_of(4)
    inputs = torch.randint(3, VOCAB, (4, 4), generator=torch.Generator().manual_seed(1))
    writer = Writer(model, sources, 5)
    writer.read(inputs[:, :3])
    rows = torch.tensor([3, 1])
    writer.reorder(rows)
    found = writer.read(inputs[rows, 3:])
    torch.testing.assert_close(found, model(sources[rows], inputs[rows])[:, -1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_prefixes_of_unequal_length_are_gone_on_from(seed):
    model, sources = model_of(seed, norm_first=seed % 2 == 0), sources_of(seed)
    prefixes = sources_of(seed + 100, lengths=(2, 4, 1, 3))
    prefixes[2] = 0
    found = greedy(model, sources, BEGIN, END, 10, prefixes)
    for source, prefix, row in zip(sources.split(1), prefixes, found, strict=True):
        target = prefix[prefix != 0].tolist()
        while len(target) < 10 and target[-1:] != [END]:
            logits = model(source, torch.tensor([[BEGIN, *target]]))[0, -1].clone()
            logits[0] = -math.inf
            target.append(logits.argmax().item())
        assert row.tolist() == target + [0] * (len(row) - len(target))


def test_padding_is_never_written_and_its_id_is_the_models():
    model = model_of(0, pad_id=5)
    with torch.no_grad():
        model.embed.embedding.weight[5] = 4 * model.embed.embedding.weight[7]
    sources = sources_of(0, pad_id=5)
    for found in (
        greedy(model, sources, BEGIN, VOCAB, 8),
        beam_search(model, sources, BEGIN, VOCAB, 8, n_beams=3),
    ):
        assert found.shape == (4, 8)
        assert not (found == 5).any()


def test_what_is_written_can_be_trained_on():
    model, sources = model_of(1), sources_of(1)
    found = greedy(model, sources, BEGIN, END, 6)
    model(sources, found).sum().backward()
    found[0, 0] = 7


@pytest.mark.parametrize("seed", range(10))
def test_greedy_and_beams_are_those_of_transformers(seed):
    marian = pytest.importorskip("marian", reason="transformers is not installed").marian
    ours = model_of(seed)
    theirs, sources = marian(ours, BEGIN, END), sources_of(seed)
    logits = theirs(input_ids=sources, attention_mask=(sources != 0).long(), decoder_input_ids=sources).logits
    expected = ours.head(
        ours.decoder(
            ours.embed(sources),
            ours.encode(sources),
            causal_mask(sources.shape[1]),
            (sources != 0)[:, None, None],
        )
    )
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    told = {"attention_mask": (sources != 0).long(), "bad_words_ids": [[0]], "max_new_tokens": 12}
    told |= {"do_sample": False, "early_stopping": False}
    expected = theirs.generate(sources, num_beams=1, **told)[:, 1:]
    assert padded_alike(greedy(ours, sources, BEGIN, END, 12), expected)
    for n_beams, penalty in product((2, 3, 4, 5), (0.6, 1.0, 2.0)):
        expected = theirs.generate(sources, num_beams=n_beams, length_penalty=penalty, **told)
        found = beam_search(ours, sources, BEGIN, END, 12, n_beams, penalty)
        assert padded_alike(found, until_end(expected[:, 1:])), (n_beams, penalty)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_with_beams_enough_the_best_of_all_targets_is_found(power):
    torch.manual_seed(0)
    model = Transformer(6, 8, 2, 16, 1, 16).eval().double()
    source = torch.tensor([[3, 4, 5]])

    def rank(target):
        likely = model(source, torch.tensor([[BEGIN, *target[:-1]]]))[0].log_softmax(dim=-1)
        return sum(likely[t, i].item() for t, i in enumerate(target)) / len(target) ** power

    targets = {
        t[: t.index(END) + 1] if END in t else t for t in product(range(1, 6), repeat=3)
    }  # padding is never written
    best = max(targets, key=rank)
    assert beam_search(model, source, BEGIN, END, 3, 40, power)[0].tolist() == list(best)


def test_one_beam_is_greedy_writing_where_nothing_ends():
    model, sources = model_of(2), sources_of(2)
    one = beam_search(model, sources, BEGIN, VOCAB, 9, n_beams=1)
    assert torch.equal(one, greedy(model, sources, BEGIN, VOCAB, 9))


def test_a_cache_is_what_was_appended_and_refuses_more():
    cache = KeyValueCache(4)
    cache.reorder(torch.tensor([1, 0]))
    key, value = torch.randn(2, 3, 2, 4, 5).half()
    for n in (1, 2, 1):
        found = cache.append(key[:, :, cache.length :][:, :, :n], value[:, :, cache.length :][:, :, :n])
    torch.testing.assert_close(found, (key, value), rtol=0, atol=0)
    with pytest.raises(ValueError, match="5 positions, room for 4"):
        cache.append(key[:, :, :1], value[:, :, :1])
    assert cache.length == 4
    cache.reorder(torch.tensor([2, 0]))
    assert torch.equal(cache.key, key[[2, 0]]) and torch.equal(cache.value, value[[2, 0]])


def test_attention_with_a_cache_is_attention_without_one():
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(12, 3).double(), torch.randn(2, 6, 12, dtype=torch.float64)
    expected, cache, found = attention(x, causal_mask(6)), KeyValueCache(6), []
    for piece in x.split([2, 1, 3], dim=1):
        end = cache.length + piece.shape[1]
        found.append(attend_cached(attention, piece, cache, causal_mask(end)[cache.length :]))
    torch.testing.assert_close(torch.cat(found, dim=1), expected)


def test_likely_tokens_by_count_and_by_sum():
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()
    kept = {
        (2, None): [1, 3],
        (9, None): [0, 1, 2, 3],
        (None, 0.3): [1],
        (None, 0.6): [1, 3],
        (None, 0.75): [1, 2, 3],
        (2, 0.5): [1],
        (None, 0.01): [1],
        (None, None): [0, 1, 2, 3],
    }
    for (top_k, top_p), places in kept.items():
        found = keep_likely(logits, top_k, top_p)
        assert found[0].isfinite().nonzero().flatten().tolist() == places
        assert torch.equal(found[0, places], logits[0, places])
    assert keep_likely(torch.zeros(1, 5), 2).isfinite().tolist() == [[True, True, False, False, False]]


def test_likely_tokens_are_those_of_transformers():
    warpers = pytest.importorskip("transformers.generation.logits_process")
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    for k, p in ((5, 0.4), (12, 0.8), (30, 0.9)):
        expected = warpers.TopKLogitsWarper(k)(None, logits)
        assert torch.equal(keep_likely(logits, top_k=k), expected)
        expected = warpers.TopPLogitsWarper(p)(None, expected)
        assert torch.equal(keep_likely(logits, k, p), expected)


def test_tokens_are_drawn_by_their_tempered_probability():
    logits, generator = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.Generator().manual_seed(0)
    for temperature in (0.5, 1.0, 3.0):
        drawn = sample_token(logits.expand(20_000, 4), temperature, generator=generator)
        found = torch.bincount(drawn, minlength=4) / 20_000
        torch.testing.assert_close(found, (logits / temperature).softmax(-1), rtol=0, atol=0.02)
    assert sample_token(logits.expand(3, 4), 0.0).tolist() == [0, 0, 0]
    again = [sample_token(torch.zeros(9, 50), generator=torch.Generator().manual_seed(4)) for _ in "ab"]
    assert torch.equal(*again)
