"""Writing with a cache: the reference, without a cache, and transformers' Marian of the same weights.

    python benchmarks/generation.py                    # some minutes on two cores
    python benchmarks/generation.py --repetitions 5    # rougher, and sooner
    python benchmarks/generation.py --look             # print the ratios, and write no record

A model with norms behind, as Marian has them, and random weights writes to sources of unequal length. No
target ends before its 32 tokens, so that all rows stay in use; where rows end, ours gains more, since they
leave. All must first write the same tokens. They are then timed in turns, in one run, so that whatever else
the machine does meets all of them; a ratio is the median over the turns of theirs by ours, and above 1 ours
is faster. The record is written anew each time: use a quiet machine.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.nn import functional as F

from companion import figures

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "solutions")]

from marian import marian  # noqa: E402
from measuring import machine, ratios, timed  # noqa: E402

from solutions.generation import beam_search, greedy  # noqa: E402
from solutions.transformer import Transformer, translate  # noqa: E402

BEGIN, END, PAD, VOCAB = 1, 2, 0, 6000
LONGEST, N_BEAMS = 32, 4
BATCHES = (1, 64)
TARGETS = {"1": 1.4, "64": 1.05}


def model_of() -> Transformer:
    """As large as the course's translation model."""
    torch.manual_seed(0)
    model = Transformer(VOCAB, 256, 4, 768, 3, 64, PAD, norm_first=False).eval()
    with torch.no_grad():
        model.embed.embedding.weight[PAD] = 0.0
        model.embed.embedding.weight[END] = 0.0  # never the most likely token
    return model


def sources_of(batch: int) -> Tensor:
    """Sources of 6 to 18 tokens."""
    generator = torch.Generator().manual_seed(batch)
    lengths = torch.randint(6, 19, (batch, 1), generator=generator)
    ids = torch.randint(3, VOCAB, (batch, int(lengths.max())), generator=generator)
    return ids.masked_fill(torch.arange(ids.shape[1]) >= lengths, PAD)


def runners(batch: int) -> dict[str, dict[str, Callable[[], Tensor]]]:
    """For greedy writing and beam search: name to what writes all targets."""
    model, sources = model_of(), sources_of(batch)
    theirs = marian(model, BEGIN, END)
    told = {"attention_mask": (sources != PAD).long(), "bad_words_ids": [[PAD]], "do_sample": False}
    told |= {"max_new_tokens": LONGEST, "early_stopping": False}
    ours = model, sources, BEGIN, END, LONGEST
    return {
        "greedy": {
            "ours": lambda: greedy(*ours),
            "without a cache": lambda: translate(*ours),
            "Marian": lambda: theirs.generate(sources, num_beams=1, **told)[:, 1:],
        },
        "beam search": {
            "ours": lambda: beam_search(*ours, N_BEAMS),
            "Marian": lambda: theirs.generate(sources, num_beams=N_BEAMS, **told)[:, 1:],
        },
    }


def check(ways: dict[str, Callable[[], Tensor]]) -> Tensor:
    """All write the same tokens, which are returned; AssertionError where they do not."""
    targets = ways["ours"]()
    for write in ways.values():
        found = write()
        width = max(found.shape[1], targets.shape[1])
        wide = [F.pad(rows, (0, width - rows.shape[1]), value=PAD) for rows in (found, targets)]
        assert torch.equal(*wide), "they write different tokens"
    return targets


def compare(batch: int, repetitions: int) -> dict[str, dict]:
    """Both kinds of writing for so many sentences; what is found is printed."""
    found = {}
    for kind, ways in runners(batch).items():
        targets = check(ways)
        tokens = int((targets != PAD).sum())
        seconds = timed(ways, repetitions)
        speeds = {name: round(tokens / sorted(s)[len(s) // 2]) for name, s in seconds.items()}
        against = {name: ratios(seconds["ours"], s) for name, s in seconds.items() if name != "ours"}
        found[kind] = {"tokens": tokens, "tokens a second": speeds, "ratio": against}
        said = ", ".join(
            f"{name} {r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for name, r in against.items()
        )
        print(f"{batch:3} {kind:12} ours {speeds['ours']:6} tokens a second; ratio to {said}", flush=True)
    return found


def draw(found: dict[str, dict]) -> None:
    """The picture of it, beside this file."""
    figures.use_style()
    figure, axes = plt.subplots(1, len(found), figsize=(6.6, 2.6), sharey=True, layout="constrained")
    for ax, (batch, kinds) in zip(axes, found.items(), strict=True):
        bars = [
            (f"{kind}\nagainst {name}", ratio)
            for kind, one in kinds.items()
            for name, ratio in one["ratio"].items()
        ]
        for place, (_, r) in enumerate(bars):
            spread = [[r["median"] - r["low"]], [r["high"] - r["median"]]]
            ax.bar(place, r["median"], 0.6, yerr=spread, color=figures.BLUE, ecolor=figures.GRAY)
        ax.axhline(1, color=figures.INK, linewidth=0.8, linestyle=":")
        sentences = "one sentence" if batch == "1" else f"{batch} sentences"
        ax.set(title=sentences, xticks=range(len(bars)), xticklabels=[name for name, _ in bars])
        ax.tick_params(axis="x", labelsize=6)
    axes[0].set_ylabel("times as fast")
    figure.savefig(HERE / "generation.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20, help="turns for each number of sentences")
    parser.add_argument("--look", action="store_true", help="print the ratios, and write no record")
    told = parser.parse_args()
    found = {str(batch): compare(batch, told.repetitions) for batch in BATCHES}
    for batch, goal in TARGETS.items():
        reached = [kind["ratio"]["Marian"]["median"] for kind in found[batch].values()]
        print(f"{batch} at least {goal} times as fast as Marian: {all(r >= goal for r in reached)}")
    if told.look:
        return
    draw(found)
    record = {"machine": machine(), "beams": N_BEAMS, "repetitions": told.repetitions, "sentences": found}
    (HERE / "generation.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
