"""The whole model against PyTorch's own with the same weights, its loss against its definition."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from solutions.embeddings import shift_right
from solutions.masks import causal_mask
from solutions.tokens import pad_batch
from solutions.transformer import (
    Transformer,
    length_batches,
    sequence_loss,
    translate,
    translation_loss,
    warmup_schedule,
)

VOCAB, D_MODEL, HEADS, D_FF = 30, 12, 3, 20
SOURCE = torch.tensor([[5, 6, 7, 8, 9, 4], [4, 9, 3, 0, 0, 0], [7, 7, 8, 9, 0, 0]])
TARGET = torch.tensor([[8, 3, 11, 2], [12, 2, 0, 0], [9, 10, 2, 0]])
INPUT = torch.tensor([[1, 8, 3, 11], [1, 12, 0, 0], [1, 9, 10, 0]])
both_orders = pytest.mark.parametrize("norm_first", [True, False], ids=["pre-norm", "post-norm"])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def built(n_layers=2, **options):
    model = Transformer(VOCAB, D_MODEL, HEADS, D_FF, n_layers, max_length=16, **options)
    for parameter in model.parameters():  # biases and norms, too, are nothing special
        nn.init.normal_(parameter, std=0.3)
    return model


def torchs_names(tensors, norms):
    """Tensors by our names, put under PyTorch's."""
    renamed = {
        "self_attention.output": "self_attn.out_proj",
        "cross_attention.output": "multihead_attn.out_proj",
        "self_attention": "self_attn",
        "cross_attention": "multihead_attn",
        "feed_forward.up": "linear1",
        "feed_forward.down": "linear2",
        **norms,
    }
    found, parts = {}, {}
    for name, tensor in tensors.items():
        for ours, theirs in renamed.items():
            name = name.replace(ours, theirs)
        stem, _, kind = name.rpartition(".")
        head, _, last = stem.rpartition(".")
        if last in ("query", "key", "value"):
            parts.setdefault(f"{head}.in_proj_{kind}", []).append(tensor)
        else:
            found[name] = tensor
    return found | {name: torch.cat(tensors) for name, tensors in parts.items()}


NORMS = (
    {"self_norm": "norm1", "feed_norm": "norm2"},
    {"self_norm": "norm1", "cross_norm": "norm2", "feed_norm": "norm3"},
)


def torchs(ours, norm_first, n_layers):
    """`nn.Transformer` with the weights of ours. Its own stacks would end in a norm in both orders."""
    options = {"batch_first": True, "norm_first": norm_first, "dropout": 0.0}
    encoder, decoder = (
        stack(
            layer(D_MODEL, HEADS, D_FF, **options),
            n_layers,
            norm=nn.LayerNorm(D_MODEL) if norm_first else None,
            **more,
        )
        for layer, stack, more in (
            (nn.TransformerEncoderLayer, nn.TransformerEncoder, {"enable_nested_tensor": False}),
            (nn.TransformerDecoderLayer, nn.TransformerDecoder, {}),
        )
    )
    theirs = nn.Transformer(D_MODEL, HEADS, custom_encoder=encoder, custom_decoder=decoder, **options)
    for one, other, norms in ((ours.encoder, encoder, NORMS[0]), (ours.decoder, decoder, NORMS[1])):
        other.load_state_dict(torchs_names(one.state_dict(), norms))
    return theirs


@both_orders
@pytest.mark.parametrize("n_layers", [1, 3])
def test_outputs_and_gradients_are_those_of_torchs_transformer(norm_first, n_layers):
    ours = built(n_layers, norm_first=norm_first)
    theirs = torchs(ours, norm_first, n_layers)
    states = ours.decode(INPUT, ours.encode(SOURCE), SOURCE)
    expected = theirs(
        ours.embed(SOURCE),
        ours.embed(INPUT),
        tgt_mask=~causal_mask(INPUT.shape[1]),
        src_key_padding_mask=SOURCE == 0,
        tgt_key_padding_mask=INPUT == 0,
        memory_key_padding_mask=SOURCE == 0,
    )
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-4)
    upstream = torch.randn_like(states)
    states.backward(upstream)
    table = ours.embed.embedding.weight
    by_ours, table.grad = table.grad, None
    expected.backward(upstream)
    torch.testing.assert_close(by_ours, table.grad, atol=1e-4, rtol=1e-3)
    for one, other, norms in (
        (ours.encoder, theirs.encoder, NORMS[0]),
        (ours.decoder, theirs.decoder, NORMS[1]),
    ):
        gradients = torchs_names({name: p.grad for name, p in one.named_parameters()}, norms)
        for name, parameter in other.named_parameters():
            torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-4, rtol=1e-3)


@both_orders
def test_a_sentence_alone_gives_what_it_gives_in_a_batch(norm_first):
    model = built(norm_first=norm_first).eval()
    together = model(SOURCE, INPUT)
    for row in range(len(SOURCE)):
        source, written = SOURCE[row][SOURCE[row] != 0], INPUT[row][INPUT[row] != 0]
        alone = model(source[None], written[None])[0]
        torch.testing.assert_close(together[row, : len(written)], alone, atol=1e-5, rtol=1e-4)


def test_no_position_depends_on_a_later_one_and_all_depend_on_the_whole_source():
    model = built().eval()
    before = model(SOURCE[:1], INPUT[:1])
    for place in range(INPUT.shape[1]):
        changed = INPUT[:1].clone()
        changed[0, place] = 20
        same = (model(SOURCE[:1], changed) == before).all(dim=-1)[0]
        assert same.tolist() == [True] * place + [False] * (INPUT.shape[1] - place)
    for place in range(SOURCE.shape[1]):
        changed = SOURCE[:1].clone()
        changed[0, place] = 20
        assert (model(changed, INPUT[:1]) != before).any(dim=-1).all()


def test_one_table_has_three_uses_and_learns_from_all_of_them():
    model = built(1)
    table = model.embed.embedding.weight
    assert [name for name, p in model.named_parameters() if VOCAB in p.shape] == ["embed.embedding.weight"]
    (whole,) = torch.autograd.grad(model(SOURCE, INPUT).square().sum(), table)
    states = model.decode(INPUT, model.encode(SOURCE), SOURCE)
    (as_input,) = torch.autograd.grad(F.linear(states, table.detach()).square().sum(), table)
    (as_head,) = torch.autograd.grad(F.linear(states.detach(), table).square().sum(), table)
    torch.testing.assert_close(whole, as_input + as_head, atol=1e-3, rtol=1e-3)
    read = set(SOURCE.flatten().tolist()) | set(INPUT.flatten().tolist())
    assert set(as_input.any(dim=1).nonzero().flatten().tolist()) <= read
    assert as_head.any(dim=1).all()


@both_orders
def test_dropout_is_in_every_part_and_gone_in_evaluation(norm_first):
    model = built(dropout=1.0, norm_first=norm_first)
    assert (model.encode(SOURCE) == model.encode(SOURCE.flip(0))).all()  # nothing of the source is left
    without = built(norm_first=norm_first)
    without.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.eval()(SOURCE, INPUT), without.eval()(SOURCE, INPUT))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_loss_is_its_definition(smoothing):
    logits = torch.randn(3, 4, VOCAB, dtype=torch.float64)
    total, count = 0.0, 0
    for row in range(3):
        for place in range(4):
            wanted = TARGET[row, place].item()
            if wanted == 0:
                continue
            count += 1
            exponentials = [math.exp(logit) for logit in logits[row, place].tolist()]
            for token, exponential in enumerate(exponentials):
                share = smoothing / VOCAB + (1 - smoothing) * (token == wanted)
                total -= share * math.log(exponential / sum(exponentials))
    assert sequence_loss(logits, TARGET, 0, smoothing).item() == pytest.approx(total / count, rel=1e-9)


def test_more_padding_changes_no_loss_and_gets_no_gradient():
    logits = torch.randn(3, 6, VOCAB, requires_grad=True)
    padded = F.pad(TARGET, (0, 2))
    loss = sequence_loss(logits, padded, 0, 0.1)
    torch.testing.assert_close(loss, sequence_loss(logits[:, :4], TARGET, 0, 0.1))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[padded == 0] == 0).all()
    assert (gradient[padded != 0] != 0).all()


def test_the_loss_of_a_translation_spares_the_padding_and_is_the_same():
    model = built(1)
    whole = sequence_loss(model(SOURCE, shift_right(TARGET, 1)), TARGET, 0, 0.1)
    torch.testing.assert_close(translation_loss(model, SOURCE, TARGET, 1, 0.1), whole)


def test_the_schedule_rises_to_its_peak_and_falls_with_the_root():
    rates = [warmup_schedule(step, 512, 40) for step in range(1, 400)]
    assert max(rates) == rates[39] == pytest.approx((512 * 40) ** -0.5)
    assert all(rate == pytest.approx(rates[0] * step) for step, rate in enumerate(rates[:40], 1))
    assert all(rate == pytest.approx((512 * step) ** -0.5) for step, rate in enumerate(rates[39:], 40))
    for step in (0, -1):
        with pytest.raises(ValueError, match=f"steps count from 1, and this is {step}"):
            warmup_schedule(step, 512, 40)


def examples():
    lengths = torch.randint(1, 15, (60, 2)).tolist()
    return [([5 + n] * source, [70 + n] * target) for n, (source, target) in enumerate(lengths)]


def test_batches_have_every_example_once_few_tokens_and_little_padding():
    pairs = examples()
    batches = [*length_batches(pairs, 60, 0, torch.Generator().manual_seed(1))]
    found = [
        ([i for i in source if i], [i for i in target if i])
        for sources, targets in batches
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True)
    ]
    assert sorted(found) == sorted(pairs)
    assert all(max(s.numel(), t.numel()) <= 60 + 2 * 14 for s, t in batches)
    padding = sum((ids == 0).sum().item() for batch in batches for ids in batch)
    mixed = [pad_batch(side, 0) for a in range(0, 60, 6) for side in zip(*pairs[a : a + 6], strict=True)]
    assert padding < sum((ids == 0).sum().item() for ids in mixed)


def test_the_order_of_batches_comes_from_the_generator_alone():
    first, again, other = (
        [*length_batches(examples_, 60, 0, torch.Generator().manual_seed(number))]
        for examples_ in (examples(),)
        for number in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two))  # noqa: B905
    assert not all(a.shape == b.shape and torch.equal(a, b) for (a, _), (b, _) in zip(first, other))  # noqa: B905


def test_translating_is_taking_the_most_likely_token_again_and_again():
    model = built(1).eval()
    together = translate(model, SOURCE, 1, 2, max_length=7)
    assert together.shape[1] <= 7
    for row, source in enumerate(SOURCE):
        written = [1]
        while len(written) <= 7 and written[-1] != 2:
            logits = model(source[source != 0][None], torch.tensor([written]))
            written.append(logits[0, -1].argmax().item())
        found = together[row].tolist()
        assert found[: len(written) - 1] == written[1:]
        assert not any(found[len(written) - 1 :])


def test_after_the_end_there_is_padding_and_all_stop_together():
    model = built(1).eval()
    ends = iter([[5, 2, 6], [2, 7, 8], [9, 9, 2], [9, 9, 9]])

    def head(states):
        return F.one_hot(torch.tensor(next(ends)), VOCAB).float()

    model.head = head
    found = translate(model, SOURCE, 1, 2, max_length=9)
    assert found.tolist() == [[5, 2, 0], [2, 0, 0], [6, 8, 2]]


def test_a_few_steps_learn_one_batch_by_heart():
    model = built(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(120):
        loss = translation_loss(model, SOURCE, TARGET, 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert torch.equal(translate(model.eval(), SOURCE, 1, 2, max_length=4), TARGET)
