"""Training on translation pairs: our Transformer, `nn.Transformer` and transformers' Marian, step by step.

    python benchmarks/training.py                     # some minutes on two cores
    python benchmarks/training.py --repetitions 5     # rougher, and sooner

All three have the same shape and begin with the same weights, and first must give the same loss and gradient
of the embeddings. Norms come after the sums, since Marian has no other way. Then two things are timed in
turns, in one run; a ratio is the median over the turns of theirs by ours, and above 1 ours is faster.

like for like   a step of each on the same batch: 64 random pairs, padded, logits for every position
as shipped      an epoch: ours in batches of one length, and the head on real tokens only, as in chapter 07;
                theirs in the usual loop, random batches of 64 pairs, padded; a quarter of the turns
"""

import argparse
import itertools
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from companion import figures
from companion.data import corpus, translation_pairs
from solutions.embeddings import shift_right
from solutions.tokens import Tokenizer, pad_batch, train_bpe
from solutions.transformer import Example, Transformer, length_batches, sequence_loss, translation_loss

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "solutions")]

from marian import marian  # noqa: E402
from measuring import machine, ratios, timed  # noqa: E402
from usual import Usual, copy_weights  # noqa: E402

SIZES = D_MODEL, N_HEADS, D_FF, N_LAYERS, MAX_LENGTH = 256, 4, 1024, 3, 128
BATCH = 64  # pairs in a usual batch

Batch = tuple[Tensor, Tensor]


def usual_batches(examples: list[Example], generator: torch.Generator) -> Iterator[Batch]:
    """Random batches of as many pairs each, padded to the longest."""
    order = torch.randperm(len(examples), generator=generator).tolist()
    for start in range(0, len(order), BATCH):
        sources, targets = zip(*[examples[i] for i in order[start : start + BATCH]], strict=True)
        yield pad_batch(sources, 0), pad_batch(targets, 0)


Loss = Callable[[Tensor, Tensor], Tensor]


def losses_of(ours: Transformer, begin_id: int, end_id: int) -> dict[str, tuple[nn.Module, Loss]]:
    """Each model with its loss over all positions of a padded batch."""
    usual = Usual(len(ours.embed.embedding.weight), *SIZES, norm_first=False)
    copy_weights(ours, usual)
    theirs = marian(ours, begin_id, end_id)

    def of_logits(model: nn.Module) -> Loss:
        def loss(source_ids: Tensor, target_ids: Tensor) -> Tensor:
            logits = model(source_ids, shift_right(target_ids, begin_id))
            return sequence_loss(logits, target_ids, 0)

        return loss

    def of_marian(source_ids: Tensor, target_ids: Tensor) -> Tensor:
        input_ids = shift_right(target_ids, begin_id)
        logits = theirs(
            input_ids=source_ids,
            attention_mask=source_ids != 0,
            decoder_input_ids=input_ids,
            decoder_attention_mask=input_ids != 0,
            use_cache=False,
        ).logits
        return sequence_loss(logits, target_ids, 0)

    return {
        "ours": (ours, of_logits(ours)),
        "nn.Transformer": (usual, of_logits(usual)),
        "Marian": (theirs, of_marian),
    }


def check(losses: dict[str, tuple[nn.Module, Loss]], batch: Batch) -> None:
    """All give the same loss and the same gradient of the table; AssertionError where they do not."""
    expected = gradient = None
    for model, loss in losses.values():
        found = loss(*batch)
        (of_table,) = torch.autograd.grad(found, table_of(model))
        if expected is None:
            expected, gradient = found, of_table
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(of_table, gradient, rtol=1e-3, atol=5e-5)


def table_of(model: nn.Module) -> Tensor:
    """The one table of a model's embeddings."""
    return max(model.parameters(), key=lambda parameter: parameter.shape[0])


def learning(model: nn.Module, loss: Loss) -> Callable[[Batch], None]:
    """A step of training."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step(batch: Batch) -> None:
        optimizer.zero_grad()
        loss(*batch).backward()
        optimizer.step()

    return step


def measure(repetitions: int) -> dict[str, dict]:
    """Both comparisons; what is found is printed."""
    tokenizer = Tokenizer(train_bpe(corpus("both"), 4000))
    end_id, begin_id = tokenizer.end_id, tokenizer.begin_id
    pairs = translation_pairs("hsk", "train")
    examples = [(tokenizer.encode(pair.chinese), [*tokenizer.encode(pair.english), end_id]) for pair in pairs]
    torch.manual_seed(0)
    ours = Transformer(len(tokenizer), *SIZES, norm_first=False)
    losses = losses_of(ours, begin_id, end_id)
    generator = torch.Generator().manual_seed(0)
    batches = [*usual_batches(examples, generator)][:-1]
    check(losses, batches[0])
    steps = {name: learning(*pair) for name, pair in losses.items()}
    shipped = learning(ours, lambda *batch: translation_loss(ours, *batch, begin_id))
    n_tokens = BATCH * sum(max(map(len, example)) for example in examples) // len(examples)

    def of_one_length() -> list[None]:
        return [*map(shipped, length_batches(examples, n_tokens, 0, generator))]

    def usual(name: str) -> Callable[[], object]:
        return lambda: [*map(steps[name], usual_batches(examples, generator))]

    def same_batch(name: str) -> Callable[[], None]:
        drawn = itertools.cycle(batches)
        return lambda: steps[name](next(drawn))

    found = {}
    comparisons = {
        "like for like": {name: same_batch(name) for name in steps},
        "as shipped": {name: of_one_length if name == "ours" else usual(name) for name in steps},
    }
    turns = {"like for like": repetitions, "as shipped": max(2, repetitions // 4)}
    for kind, ways in comparisons.items():
        if kind == "like for like":
            timed(ways, 1)  # warm
        seconds = timed(ways, turns[kind])
        against = {name: ratios(seconds["ours"], s) for name, s in seconds.items() if name != "ours"}
        medians = {name: round(statistics.median(s), 4) for name, s in seconds.items()}
        found[kind] = {"seconds": medians, "ratio": against}
        said = ", ".join(
            f"{n} {r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for n, r in against.items()
        )
        print(f"{kind:14} ours {medians['ours']:.3f} s; ratio to {said}", flush=True)
    return found


def draw(found: dict[str, dict]) -> None:
    """The picture of it, beside this file."""
    figures.use_style()
    figure, ax = plt.subplots(figsize=(5.2, 2.6), layout="constrained")
    for shift, name in ((-0.2, "nn.Transformer"), (0.2, "Marian")):
        ratio = [kind["ratio"][name] for kind in found.values()]
        spread = [[r["median"] - r["low"] for r in ratio], [r["high"] - r["median"] for r in ratio]]
        places = [place + shift for place in range(len(found))]
        medians = [r["median"] for r in ratio]
        ax.bar(places, medians, width=0.38, yerr=spread, ecolor=figures.GRAY, label=f"against {name}")
    ax.axhline(1, color=figures.INK, linewidth=0.8, linestyle=":")
    ax.set(ylabel="times as fast", xticks=range(len(found)), xticklabels=list(found))
    ax.legend(loc="upper left")
    figure.savefig(HERE / "training.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20, help="turns for each comparison")
    told = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found = measure(told.repetitions)
    draw(found)
    shape = {"d_model": D_MODEL, "n_heads": N_HEADS, "d_ff": D_FF, "n_layers": N_LAYERS, "batch": BATCH}
    record = {"machine": machine(), "shape": shape, "repetitions": told.repetitions, "found": found}
    (HERE / "training.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
